/*
 * checker: what must hold after each change (style 11), by what the API server committed alone:
 *  - never two running sessions of one invoker; never two Jobs of one session; no Job after a final phase;
 *  - final phases stay;
 *  - no session is made twice, and each is for a due time of its schedule, as a second cron implementation has it;
 *  - whenever last-schedule-time moves, the ledger's sums move by what became of the due times in between: those whose
 *    session was made are counted as made, the others as missed, and none of those is made afterwards;
 *  - none is made before its time, whatever the operator's own clock says;
 *  - in calm weather each due time has its session within a minute;
 *  - nobody who is paused or gone for long gets a session;
 *  - a session fails or is skipped only for a reason that is there for all to see: its worker ended or is gone, its
 *    time is over, another one runs; or somebody broke something that it needs (an excuse);
 *  - who competes for the lead writes only within ten seconds after it was last given to him;
 *  - history never takes the last session whose backup succeeded.
 */
#ifndef STASHD_SIM_CHECKER_H
#define STASHD_SIM_CHECKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/env.h"

struct checker; /* opaque */

/* env: the world's. on_violation: with each one, after its line has been printed. */
struct checker *checker_new(struct env *env, uint64_t seed, void (*on_violation)(void *ctx), void *ctx);
void checker_free(struct checker *c);
/* Of each change (model_on_change): prints each violation and counts it. */
void checker_changed(void *checker, const char *type, const json_t *object);
/* What is deleted between these two is deleted by a user. */
void checker_user(struct checker *c, bool acts);

/* Something is broken in that namespace (NULL: everywhere) until then: what ends meanwhile needs no other reason. */
void checker_excuse(struct checker *c, const char *ns, uint64_t until_ns);
/* From now on nothing is broken, lost or late; or the other way round, which is how a checker begins. */
void checker_calm(struct checker *c, bool calm);
/* A write of an operator that competes goes out. */
void checker_acts(struct checker *c, const char *identity, const char *path);

unsigned checker_violations(const struct checker *c);
void checker_violation(struct checker *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Each Ready configuration that is not paused has dealt with all that was due up to then. */
void checker_all_dealt_with(struct checker *c, int64_t until_s);

struct checker_totals {
    unsigned sessions, succeeded, failed, skipped, jobs, open; /* open: sessions without a final phase */
    uint64_t due, made, coalesced, missed;                     /* due times that the ledgers have told of */
};
struct checker_totals checker_totals(const struct checker *c);

#endif
