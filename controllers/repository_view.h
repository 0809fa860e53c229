/*
 * repository_view: what a pass over a Repository looks at, and the parts of its table: the storage Secret's rows
 * (repository_secret.c) and those of its deletion (repository_wipe.c). Private to the Repository controller.
 */
#ifndef STASHD_REPOSITORY_VIEW_H
#define STASHD_REPOSITORY_VIEW_H

#include "controllers/repository_jobs.h"

struct repository_view {
    const struct kobj *self;
    const json_t *doc;
    const json_t *conditions;
    bool has_finalizer, wants_wipe, namespace_goes;
    struct repository_job job;     /* the probe's or the wipe's */
    const struct refusal *refusal; /* of making it */
    int64_t now_s;
    /* Alive. */
    const char *secret;   /* name; "" */
    const char *verdict;  /* status of StorageSecretVerified of this generation; "" */
    bool verified;        /* True, and no guess */
    int64_t verdict_age_s;
    const char *worker_missed; /* what a worker said of a missing Secret after the verdict; NULL */
    struct repository_job unlock;
    const struct kobj *ended;  /* the oldest worker's pod that ended by force and whose locks nobody has looked after;
                                * NULL: none, or a Job looks after some */
    const char *ended_ids;     /* of all of them */
    const char *prune_reason;  /* of condition Pruned while it is False; "" */
    struct repository_job prune;
    int64_t prune_at_s;        /* not before */
    struct repository_job check;
    int64_t check_at_s; /* the next one; 0: none */
    const struct refusal *unlock_refusal, *prune_refusal, *check_refusal; /* of its Job; NULL */
};

/* repository.c */
/* The whole status that we keep, with one condition changed (type NULL: none). */
void repository_write_status(const struct repository_view *v, struct world *w, struct plan *p, const char *type,
                             const char *status, const char *reason, const char *message);
/* A condition of ours in a list, with the generation that it speaks of. */
void repository_set_condition(const struct repository_view *v, json_t *list, const char *type, const char *status,
                              const char *reason, const char *message);
json_t *repository_references(const struct repository_view *v, const struct world *w); /* one reference */
void repository_patch_finalizer(const struct repository_view *v, struct plan *p, bool wanted);
/* The one looked at, unless it goes already. */
void repository_drop_job(const struct repository_view *v, struct plan *p);

/* repository_secret.c: fills verdict, verified, verdict_age_s, worker_missed; may ask for documents. */
void repository_secret_look(struct world *w, struct repository_view *v);
/* Rows, in the order of the table. */
bool repository_secret_none_named(const void *view);
void repository_secret_report_none(const void *view, struct world *w, struct plan *p);
bool repository_secret_missed_by_worker(const void *view);
void repository_secret_report_worker(const void *view, struct world *w, struct plan *p);
bool repository_secret_verified(const void *view);
void repository_secret_keep_up(const void *view, struct world *w, struct plan *p);
bool repository_secret_probed_yes(const void *view);
void repository_secret_report_found(const void *view, struct world *w, struct plan *p);
bool repository_secret_probed_no(const void *view);
void repository_secret_report_missing(const void *view, struct world *w, struct plan *p);
bool repository_secret_was_used(const void *view);
void repository_secret_report_used(const void *view, struct world *w, struct plan *p);
bool repository_secret_probed_before(const void *view);
void repository_secret_drop_probe(const void *view, struct world *w, struct plan *p);
bool repository_secret_overdue(const void *view);
void repository_secret_assume(const void *view, struct world *w, struct plan *p);
bool repository_secret_guessed(const void *view);
void repository_secret_probe(const void *view, struct world *w, struct plan *p);

/* repository_maintain.c. Condition Pruned: set to False, PruneNeeded by update-status (status_patch.c). */
#define REPOSITORY_PRUNED "Pruned"
#define REPOSITORY_PRUNE_NEEDED "PruneNeeded"
#define REPOSITORY_PRUNE_RUNS "PruneRunning"
void repository_maintain_look(struct world *w, struct repository_view *v);
void repository_maintain_wake(const struct repository_view *v, struct plan *p);
/* Rows, in the order of the table. */
bool repository_prune_ended(const void *view);
void repository_prune_report(const void *view, struct world *w, struct plan *p);
bool repository_prune_in_the_way(const void *view);
void repository_prune_clear(const void *view, struct world *w, struct plan *p);
bool repository_prune_due(const void *view);
void repository_prune_start(const void *view, struct world *w, struct plan *p);

/* repository_unlock.c */
void repository_unlock_look(struct world *w, struct repository_view *v);
void repository_unlock_wake(const struct repository_view *v, struct plan *p);
void repository_unlock_wake_by_pod(const struct cache *c, const struct kobj *pod, wake_fn *wake, void *ctx);
/* Rows, in the order of the table. */
bool repository_unlock_has_ended(const void *view);
void repository_unlock_note(const void *view, struct world *w, struct plan *p);
bool repository_unlock_due(const void *view);
void repository_unlock_start(const void *view, struct world *w, struct plan *p);

/* repository_verify.c. Condition IntegrityVerified: Unknown, CheckRunning while its Job is at work. */
#define REPOSITORY_INTEGRITY "IntegrityVerified"
void repository_verify_look(struct world *w, struct repository_view *v);
void repository_verify_wake(const struct repository_view *v, struct plan *p);
bool repository_verify_ended(const void *view);
void repository_verify_report(const void *view, struct world *w, struct plan *p);
bool repository_verify_due(const void *view);
void repository_verify_start(const void *view, struct world *w, struct plan *p);

/* repository_wipe.c: rows. */
bool repository_wipe_no_finalizer(const void *view);
bool repository_wipe_data_stays(const void *view);
bool repository_wipe_namespace_goes(const void *view);
bool repository_wipe_of_another(const void *view);
void repository_wipe_drop_job(const void *view, struct world *w, struct plan *p);
bool repository_wipe_succeeded(const void *view);
void repository_wipe_release(const void *view, struct world *w, struct plan *p);
bool repository_wipe_failed(const void *view);
void repository_wipe_report_failed(const void *view, struct world *w, struct plan *p);
bool repository_wipe_runs(const void *view);
void repository_wipe_start(const void *view, struct world *w, struct plan *p);

#endif
