/* checker_parts: what checker*.c share. */
#ifndef STASHD_SIM_CHECKER_PARTS_H
#define STASHD_SIM_CHECKER_PARTS_H

#include "checker.h"
#include "core/base/json.h"
#include "core/base/map.h"
#include "../unit/support_cron.h"

struct checked_session {
    char phase[16];
    struct checked_invoker *invoker; /* NULL: its owner was never seen */
    unsigned jobs, jobs_ever;
    bool exists, good;
    bool by_user;   /* deleted by one: it may be made again as long as its due time is not dealt with */
    bool job_taken; /* a user deleted its Job */
};

enum { CHECKED_SCHEDULES = 4 };

/* A BackupConfiguration, by its UID. */
struct checked_invoker {
    char name[64];
    bool exists, ready, paused, by_cronjob;
    struct checked_session *running;
    int n_good; /* sessions there whose backup succeeded */
    char schedule[40];
    struct oracle schedules[CHECKED_SCHEDULES]; /* the last ones, the present first */
    unsigned n_schedules;
    int64_t last_s; /* last-schedule-time, else the creation */
    int64_t made, coalesced, skipped;
};

/* What holds a target: a Job, or its pod. */
struct checked_holder {
    char *target, *job, *name; /* job: its UID */
};

struct checker {
    struct map sessions; /* every one ever seen, by "<owner's UID>/<name>" */
    struct map by_uid;   /* the same by their own */
    struct map invokers;
    struct map holders; /* by UID */
    void (*on_violation)(void *ctx);
    void *ctx;
    bool user_acts;
    unsigned violations;
    struct checker_totals totals;
};

struct checked_session *checker_session(const struct checker *c, const char *owner_uid, const char *name);
struct checked_invoker *checker_invoker(const struct checker *c, const char *uid);
void checker_invoker_changed(struct checker *c, const char *type, const json_t *o);
void checker_target_changed(struct checker *c, const char *type, const json_t *o); /* a Job, a pod */
void checker_target_done(struct checker *c);
/* Of a session that has just been made. */
void checker_session_is_due(struct checker *c, const struct checked_invoker *i, const json_t *session);

#endif
