/* schedule_parts: what schedule*.c share: the record's side of a schedule (schedule_record.c). */
#ifndef STASHD_SCHEDULE_PARTS_H
#define STASHD_SCHEDULE_PARTS_H

#include "controllers/ledger.h"
#include "controllers/schedule.h"
#include "core/base/cron.h"

/* schedule_of, with the parsed expression. */
bool schedule_read(const struct schedule_context *c, const struct kobj *invoker, int64_t now_s, struct cron *cron,
                   struct schedule *ret);
/* Only since_s and is_edited, by last_s and offset_s. */
void schedule_since(const struct schedule_context *c, const struct kobj *invoker, const struct cron *cron,
                    int64_t now_s, struct schedule *ret);
/* Patches last-schedule-time, its schedule and the ledger, with the record's version as precondition. */
void schedule_record(struct world *w, const struct kobj *invoker, int64_t last_s, const struct ledger_entry *entry,
                     struct plan *p);

#endif
