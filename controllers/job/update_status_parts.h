/* update_status_parts: what the files of update-status share. */
#ifndef STASHD_UPDATE_STATUS_PARTS_H
#define STASHD_UPDATE_STATUS_PARTS_H

#include "controllers/job/apiserver.h"
#include "controllers/job/repo_flags.h"
#include "controllers/job/status_patch.h"
#include "core/base/config.h"

struct update_flags {
    struct repo_flags repo;
    const char *ns, *output_dir, *session, *invoker_kind, *invoker_name;
    const char *target_kind, *target_name, *target_ns, *push_url, *master, *kubeconfig;
    struct config_list labels;
    bool metrics, help;
};

struct update {
    struct job *job;
    struct apiserver *api;
    const struct update_flags *flags;
    const char *const *envp;
    struct status_target target;
    json_t *output;           /* the file; reported is its targetStatus */
    const json_t *reported;
    json_t *session, *invoker; /* as read at the start; for restores the same object */
    const json_t *invoker_target; /* the target in the invoker */
    const char *repository_name, *repository_ns; /* whose backend the flags name */
    json_t *conditions;       /* of the session, made here */
    struct status_repository repository;
    bool status_failed;       /* something could not be written: the exit status says so */
};

/* The post-backup actions that the session lists for our target (worker.md 6.2): their results go to u->conditions and
 * u->repository, and to the Repository's status. */
void update_status_post(struct update *u, const json_t *actions);

/* What the post-backup actions share. */
struct post {
    struct update *u;
    struct repo repo;
    struct secrets key;
    size_t n_unclaimed; /* snapshots of our hosts of which nobody knows the cluster or the target */
};
/* The invoker's retention policy; fills u->repository and n_unclaimed. */
int update_status_retain(struct post *p, struct error *e) NODISCARD;

/* Pushes what metrics.md 1.3 or 1.5 say of our hosts; failures are logged only. */
void update_status_push_hosts(struct update *u);
/* Metrics of the repository (metrics.md 1.4). */
int update_status_push_repository(struct update *u, const char *repository, const char *repository_ns,
                                  struct error *e) NODISCARD;
/* Texts of the two, for tests: the exposition format. */
struct buf;
void update_status_text_hosts(const struct update *u, const json_t *app, struct buf *out);
void update_status_text_repository(const struct update *u, const char *repository, const char *repository_ns,
                                   struct buf *out);

#endif
