/*
 * trigger: who makes an invoker's sessions on schedule: the operator itself (schedule.h), or a CronJob (cronjobspec.h)
 * as in the original product (controllers.md 5). One setting of the installation, overridden by an annotation of the
 * invoker. trigger.c says why a switch neither loses nor doubles a run.
 */
#ifndef STASHD_TRIGGER_H
#define STASHD_TRIGGER_H

#include "controllers/controller.h"
#include "controllers/problems.h"

#define TRIGGER_ANNOTATION STASH_GROUP "/trigger"

enum trigger {
    TRIGGER_OPERATOR,
    TRIGGER_CRONJOB,
    TRIGGER_UNKNOWN, /* the annotation says something else: nobody triggers */
};

/* By the invoker's record. */
enum trigger trigger_of(const struct operator_settings *s, const struct kobj *invoker);
/* By its document: what is wrong with the annotation, or with the schedule of one that a CronJob is to trigger. */
void trigger_check(const struct operator_settings *s, const json_t *doc, struct problems *out);

/* The CronJob of this invoker as the cache has it; NULL: there is none. */
const struct kobj *trigger_cronjob(const struct cache *c, const struct kobj *invoker);

/* The last due time up to which the Jobs of a CronJob have made their sessions; INT64_MIN: of none in the cache. */
int64_t trigger_made_until(const struct cache *c, const struct kobj *cronjob);
/* The time that a CronJob's Job was scheduled for. */
int64_t trigger_due_of(const struct kobj *job);

/* ---- for the invoker's controller ---- */

/* What a pass knows of it; filled by trigger_look. */
struct trigger_look {
    const struct kobj *self;
    const json_t *doc;
    enum trigger trigger;
    bool scheduled;              /* spec.schedule is not empty */
    const char *name;            /* of the CronJob that it should have */
    const struct kobj *cronjob;  /* the one that it has under that name */
    const char *conflict;        /* another's object has the name: the text for the user; NULL */
    const struct refusal *refused; /* by the API server, to be waited for; NULL */
    const char *refused_what;
    int64_t made_until_s; /* not yet in the invoker's annotation, and the CronJob is to go; INT64_MIN: nothing */
};

/* Is all as it should be, by records alone? For an invoker that is Ready. */
bool trigger_at_rest(struct world *w, const struct kobj *self);
/* May leave world_waiting. */
void trigger_look(struct world *w, const struct kobj *self, const json_t *doc, struct trigger_look *ret);
/* Condition CronJobCreated of one that is Ready but for that. False: it is not. */
bool trigger_set_condition(const struct trigger_look *t, json_t *conditions, int64_t now_s);
/* Runs that the annotation has to tell of before the CronJob goes. */
bool trigger_must_record(const struct trigger_look *t);
void trigger_record(const struct trigger_look *t, struct world *w, struct plan *p);

/* Accounts and CronJobs, to be called around the writing of the status: the CronJob is there before a status says so
 * for the first time, and it goes after the status says that the operator triggers. ready: all but CronJobCreated;
 * invalid: nothing may be triggered. */
void trigger_before_status(const struct trigger_look *t, struct world *w, struct plan *p, bool ready, bool invalid);
void trigger_after_status(const struct trigger_look *t, struct world *w, struct plan *p, bool ready);

/* For the controller's watches: a CronJob's owner. */
void trigger_wake_invoker(const struct cache *c, const struct kobj *cronjob, wake_fn *wake, void *ctx);
bool trigger_cronjob_changed(const struct kobj *old, const struct kobj *now);
/* Of a pod's account or binding that was deleted: the invokers of its namespace. */
void trigger_wake_of_account(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx);

#endif
