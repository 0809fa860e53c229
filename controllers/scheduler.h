/*
 * scheduler: wakes the schedule controller at each invoker's due times. Only a wake-up source: what is due, and whether
 * it was handled, the controller reads from the API objects (schedule.c), so a lost or doubled wake-up does no harm.
 *
 * 100,000 schedules cost a wheel entry and a reference to the cache's record each; the expression is parsed again when
 * it fires. One timer is set, for the next due second; the wheel counts wall-clock seconds, and the timer comes at
 * least every 30 s to notice steps of the wall clock.
 */
#ifndef STASHD_SCHEDULER_H
#define STASHD_SCHEDULER_H

#include "core/base/env.h"
#include "controllers/schedule.h"

struct scheduler; /* opaque: a handle */

/* on_due at each due time that is not handled: wake the schedule controller for that invoker (borrowed). late_ms: by
 * the wall clock. */
typedef void scheduler_fn(void *ctx, const struct kobj *invoker, int64_t late_ms);
struct scheduler *scheduler_new(struct env *env, const struct schedule_context *context, scheduler_fn *on_due,
                                void *ctx);
void scheduler_free(struct scheduler *s);

/* From the engine's on_active: takes all invokers of the cache in, or forgets all. */
void scheduler_set_active(struct scheduler *s, bool active);
/* The cache's cache_fn; ctx is the scheduler. */
void scheduler_changed(void *scheduler, const struct kind *k, const struct kobj *old, const struct kobj *now);

size_t scheduler_count(const struct scheduler *s); /* invokers that trigger */
/* Of them, those with a due time more than by_s ago that is not handled yet. */
size_t scheduler_overdue(const struct scheduler *s, int64_t by_s);

#endif
