/* checker_parts: what checker*.c share. */
#ifndef STASHD_SIM_CHECKER_PARTS_H
#define STASHD_SIM_CHECKER_PARTS_H

#include "checker.h"
#include "core/base/json.h"
#include "core/base/map.h"
#include "k8s/serverclock.h"
#include "../unit/support_cron.h"

struct checked_session {
    char phase[16];
    struct checked_invoker *invoker; /* NULL: its owner was never seen */
    uint64_t made_ns;
    unsigned jobs, jobs_ever;
    bool exists, good, is_retry;
    bool by_user;     /* deleted by one: it may be made again as long as its due time is not dealt with */
    bool job_taken;   /* a user deleted its Job */
    bool worker_over; /* its Job, or a pod of it, has ended, is gone or going */
    bool pod_runs;    /* or has run */
};

#define CHECKED_RETRY "stash.appscode.com/retry-of"

/* Time enough for what an operator has to notice that was away for the longest time that a world knows. */
enum { CHECKED_SCHEDULES = 4, CHECKED_LATE_S = 1500, CHECKED_CALM_S = 1200, CHECKED_PROMPT_S = 60,
       CHECKED_SPREAD_S = 600, CHECKED_LEADS = 4 };
/* So far ahead may an operator's clock be. */
enum { CHECKED_AHEAD_S = SERVERCLOCK_TRUST_MS / 1000 + 1 };

/* A BackupConfiguration, by its UID. */
struct checked_invoker {
    char name[64];
    bool exists, ready, paused, by_cronjob, spreads;
    uint64_t off_ns;    /* since when it has been gone, paused or not Ready; 0: it is not */
    uint64_t steady_ns; /* since when none of that, nor its schedule, has changed */
    struct checked_session *running;
    unsigned n_open;    /* sessions that are there without a final phase */
    uint64_t closed_ns; /* when the last of them ended */
    int n_good; /* sessions there whose backup succeeded */
    char schedule[40], told[40]; /* told: the one of the ledger; at first "" */
    int64_t generation;
    struct oracle schedules[CHECKED_SCHEDULES]; /* the last ones, the present first */
    uint64_t replaced_ns[CHECKED_SCHEDULES];    /* when each was; 0: it was not */
    unsigned n_schedules;
    int64_t last_s; /* last-schedule-time, else the creation */
    int64_t made, coalesced, skipped;
};

/* What holds a target: a Job, or its pod. */
struct checked_holder {
    char *target, *job, *name; /* job: its UID */
};

struct checked_lead {
    char holder[32];
    uint64_t renewed_ns;
};

struct checker {
    struct env *env;
    struct map sessions; /* every one ever seen, by "<owner's UID>/<name>" */
    struct map by_uid;   /* the same by their own */
    struct map by_name;  /* and by "<namespace>/<name>", the newest of each */
    struct map invokers;
    struct map holders; /* by UID */
    struct map excuses;  /* by namespace ("": all), a uint64_t */
    struct checked_lead leads[CHECKED_LEADS];
    uint64_t calm_ns; /* since when the weather is calm; UINT64_MAX: it is not */
    void (*on_violation)(void *ctx);
    void *ctx;
    bool user_acts;
    unsigned violations;
    struct checker_totals totals;
};

uint64_t checker_now_ns(const struct checker *c);
int64_t checker_now_s(const struct checker *c);
bool checker_is_final(const char *phase);
struct checked_session *checker_session(const struct checker *c, const char *owner_uid, const char *name);
struct checked_invoker *checker_invoker(const struct checker *c, const char *uid);
void checker_invoker_changed(struct checker *c, const char *type, const json_t *o);
void checker_target_changed(struct checker *c, const char *type, const json_t *o); /* a Job, a pod */
bool checker_target_is_held(const struct checker *c, const json_t *config); /* by anything that runs */
void checker_target_done(struct checker *c);
/* Of a session that has just been made. */
void checker_session_is_due(struct checker *c, const struct checked_invoker *i, const json_t *session);

/* checker_cause.c: has a session that failed or was skipped a reason in the world? Before its phase is taken over. */
void checker_judge_end(struct checker *c, const struct checked_session *s, const json_t *session);
void checker_pod_changed(struct checker *c, const char *type, const json_t *pod);
void checker_job_of(struct checked_session *s, const char *type, const json_t *job);
void checker_excuses_free(struct checker *c);

/* checker_lead.c */
void checker_lease_changed(struct checker *c, const json_t *lease);

#endif
