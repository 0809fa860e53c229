/* jobs: one look at one Job, as the files of the Job controller share it. */
#ifndef STASHD_MODEL_JOBS_H
#define STASHD_MODEL_JOBS_H

#include "k8s/model/parts.h"

#define JOB_TRACKING "batch.kubernetes.io/job-tracking" /* on a pod: its end is not in the Job's status yet */

/* What only memory has of a Job: how long to wait before its next pod. Made again from its pods after a restart. */
struct job_record {
    unsigned failures; /* since the last success */
    int64_t last_failure_ms;
    unsigned refusals; /* pods that could not be created, one after the other */
    int64_t refused_until_ms;
};

struct job_pass {
    struct model_controllers *c;
    const struct resource *jobs, *pods;
    json_t *job;    /* a copy: its status is written at the end */
    json_t *status; /* in job */
    const json_t *spec;
    const char *ns, *name, *uid; /* of job */
    struct job_record *record;
    int64_t now_ms;
    uint64_t again_ms; /* look again after so long; UINT64_MAX: not for time's sake */

    /* Its pods (references), and how they are. */
    struct stored **items;
    size_t n, active, ready, terminating;
};

/* ---- jobs_pods.c ---- */
void jobs_pods_read(struct job_pass *p); /* again after writes */
void jobs_pods_free(struct job_pass *p);
bool jobs_pod_is_active(const json_t *pod);
bool jobs_pod_create(struct job_pass *p);
/* Deletes up to n active pods, the youngest first. counted: each is a failure; else it never was. */
void jobs_pods_delete(struct job_pass *p, size_t n, bool counted);
/* Takes the tracking finalizer away. */
bool jobs_pod_release(struct model_controllers *c, const struct stored *pod);
/* A Job that is gone: its pods may go too. */
void jobs_pods_release_all(struct model_controllers *c, const char *uid);

/* ---- jobs_status.c ---- */
const json_t *jobs_condition(const struct job_pass *p, const char *type); /* with status True; NULL */
void jobs_set_condition(struct job_pass *p, const char *type, bool is_true, const char *reason, const char *message);
/* Writes the status when it differs from what is stored. False: refused, look again later. */
bool jobs_status_write(struct job_pass *p);
/* Moves pods that ended into the counters, each exactly once. False: a write was refused. */
bool jobs_count_ended(struct job_pass *p);

/* ---- jobs_policy.c ---- */
/* A new pod comes only when the old one has ended, not while it is being deleted. */
bool jobs_replaces_only_failed(const struct job_pass *p);
bool jobs_pod_has_failed(const struct job_pass *p, const json_t *pod);
bool jobs_policy_ignores(const struct job_pass *p, const json_t *pod); /* its failure does not count */
/* Sets FailureTarget when the failure of a pod ends the Job. Before pods are counted: then they may go. */
void jobs_policy_decide(struct job_pass *p);

/* ---- jobs_backoff.c ---- */
struct job_record *jobs_record(struct job_pass *p); /* made from the pods when it is not there */
void jobs_record_drop(struct model_controllers *c, const char *uid);
void jobs_record_end(struct job_pass *p, const json_t *pod, bool succeeded);
void jobs_record_refusal(struct job_pass *p);
uint64_t jobs_backoff_ms(const struct job_pass *p); /* until a pod may be created */

#endif
