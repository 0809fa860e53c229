/*
 * repository_jobs: the Jobs of a Repository, in its namespace: their objects, and what became of one. Private to the
 * Repository controller.
 */
#ifndef STASHD_REPOSITORY_JOBS_H
#define STASHD_REPOSITORY_JOBS_H

#include "controllers/repository.h"

/* Exit code of probe-storage-secret (and wipe-repository) when the Secret or one of its keys is missing. */
enum { REPOSITORY_PROBE_MISSING = 4 };

struct repository_job {
    const struct kobj *record; /* NULL: there is none */
    bool of_another; /* made for an earlier Repository of that name, or by somebody else: it says nothing of this one */
    bool finished, succeeded, failed;
    int64_t generation; /* of the Repository that it was made for */
    int64_t finished_s; /* Unix seconds */
    int exit_code;      /* failed: of its container; -1 unknown */
    const char *message; /* failed: its termination message, else the Job's; never NULL */
};
enum { REPOSITORY_CHECK_DAMAGED = 5 }; /* exit code of check-repository */

/* The Job of that name in the Repository's namespace. Asks for its document, and for its pod's if it failed. */
void repository_job_look(struct world *w, const struct kobj *repository, const char *name, struct repository_job *ret);

/* The last words (termination message) of one that has ended; "" when its pod is gone. Asks for the pod's document. */
const char *repository_job_words(struct world *w, const struct kobj *job);
/* Memory that restic needs for the whole index, by the size that the Repository's status has, in MiB; and the most that
 * a Job of ours gets. */
uint64_t repository_forecast_mib(const json_t *doc);
enum { REPOSITORY_FORECAST_MAX_MIB = 16384 };

/* One reference each. */
json_t *repository_probe_job(struct world *w, const struct kobj *repository, const json_t *doc);
json_t *repository_wipe_job(struct world *w, const struct kobj *repository, const json_t *doc);
json_t *repository_check_job(struct world *w, const struct kobj *repository, const json_t *doc);
json_t *repository_prune_job(struct world *w, const struct kobj *repository, const json_t *doc);
/* For the locks of a pod that has ended: its own pod gets that one's name as its host name. */
json_t *repository_unlock_job(struct world *w, const struct kobj *repository, const json_t *doc,
                              const struct kobj *ended);

#endif
