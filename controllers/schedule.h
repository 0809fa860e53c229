/*
 * schedule: which due times of an invoker are outstanding, and the session for the latest of them (controllers.md 5.3,
 * multitenancy.md 4.3). The controller decides from records and the time alone; the scheduler wakes it. Of an invoker
 * that a CronJob triggers, only what was due before the CronJob was made is for here (trigger.c).
 */
#ifndef STASHD_SCHEDULE_H
#define STASHD_SCHEDULE_H

#include "controllers/controller.h"

extern const struct controller schedule_controller;

#define SCHEDULE_ANNOTATION STASH_GROUP "/last-schedule-time"
/* The schedule that last-schedule-time was written by: another one has been edited since. */
#define SCHEDULE_TEXT_ANNOTATION STASH_GROUP "/last-schedule"
/* Of a CronJob's Job: the time that it was scheduled for. */
#define SCHEDULED_ANNOTATION "batch.kubernetes.io/cronjob-scheduled-timestamp"

/* The plan of an invoker's schedule as its record has it. */
struct schedule {
    int64_t last_s;   /* due times up to here are handled: the annotation, else the creation */
    int64_t until_s;  /* due times after it are a CronJob's; INT64_MAX: none are */
    int64_t offset_s; /* spreading: what is due at t happens at t + offset */
    int64_t since_s;  /* only due times after it: last_s, but of an edited schedule those that may have been due */
    bool is_edited;   /* since last-schedule-time was written */
};

/* What a record is read with. */
struct schedule_context {
    const struct cache *cache;
    const struct operator_settings *settings;
};

/* False: nothing is to be triggered from here: not Ready, paused, no or a bad schedule, on its way out, a CronJob's. */
bool schedule_of(const struct schedule_context *c, const struct kobj *invoker, int64_t now_s, struct schedule *ret);
/* When the controller should be woken next: the first due time that is not handled, which may have passed; INT64_MAX
 * when there is none. after_s: only later ones (INT64_MIN: all). */
int64_t schedule_next(const struct schedule_context *c, const struct kobj *invoker, int64_t now_s, int64_t after_s);

/* Only last_s: a time that lies more than this ahead of the clock is not believed. */
enum { SCHEDULE_AHEAD_MAX_S = 86400 };
void schedule_last(const struct kobj *invoker, int64_t now_s, struct schedule *ret);
/* A CronJob has made the session of until_s: that goes into the annotations of its invoker's record. */
void schedule_record_made(struct world *w, const struct kobj *invoker, int64_t until_s, struct plan *p);

#endif
