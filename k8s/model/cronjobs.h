/* cronjobs: one look at one CronJob, as the files of its controller share it. */
#ifndef STASHD_MODEL_CRONJOBS_H
#define STASHD_MODEL_CRONJOBS_H

#include "core/base/cron.h"
#include "k8s/model/parts.h"

struct cronjob_pass {
    struct model_controllers *c;
    const struct resource *cronjobs, *jobs;
    json_t *cronjob; /* a copy: its status is written at the end */
    json_t *status;  /* in cronjob */
    const json_t *spec;
    const char *ns, *name, *uid; /* of cronjob */
    int64_t now_ms;
    uint64_t again_ms; /* look again after so long; UINT64_MAX: not for time's sake */

    struct stored **items; /* its Jobs (references) */
    size_t n;
};

/* An event about it, as the component cronjob-controller. */
void cronjobs_tell(struct cronjob_pass *p, const char *type, const char *reason, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* ---- cronjobs_jobs.c: the Jobs there are ---- */
void cronjobs_jobs_read(struct cronjob_pass *p);
void cronjobs_jobs_free(struct cronjob_pass *p);
/* "Complete" or "Failed"; NULL: it goes on. */
const char *cronjobs_job_end(const json_t *job);
/* Finished ones over the history limits go, the oldest first. */
void cronjobs_clean_up(struct cronjob_pass *p);
/* status.active and status.lastSuccessfulTime follow what became of the Jobs. */
void cronjobs_follow(struct cronjob_pass *p);
/* Deletes a Job and forgets that it was active. */
bool cronjobs_job_delete(struct cronjob_pass *p, const struct stored *job);
bool cronjobs_is_active(const struct cronjob_pass *p, const char *key, const char *value); /* key "uid" or "name" */
void cronjobs_add_active(struct cronjob_pass *p, const json_t *job);

/* ---- cronjobs_when.c: pure ---- */
enum missed { MISSED_NONE, MISSED_FEW, MISSED_MANY };

/* What is due at now_ms for a schedule that last ran (or was made) at earliest_s. */
struct due {
    int64_t at_s; /* the latest due time that is not after now; -1: none */
    enum missed missed;
    bool never; /* the schedule has no due times, as of 31 February */
};

struct due cronjobs_due(const struct cron *schedule, int64_t earliest_s, int64_t now_ms);
/* Milliseconds until the next due time, a little later to be sure; UINT64_MAX: there is none. */
uint64_t cronjobs_wait(const struct cron *schedule, int64_t earliest_s, int64_t now_ms);

#endif
