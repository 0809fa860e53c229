/*
 * update_status_post: after the last target of a backup: retention, check, size. Retention forgets snapshots; that
 * their data is freed is the business of a Job of its own (repository_maintain.c), asked for in the Repository. Each
 * action leaves a condition in the session; after a failure the others are left out, but damage that a check found is a
 * result, not a failure: it goes to the Repository.
 */
#include "controllers/job/update_status_parts.h"

#include <stdio.h>

#include "controllers/condition.h"
#include "controllers/job/repo_check.h"
#include "controllers/job/session.h"
#include "core/base/json.h"
#include "core/base/mem.h"

enum { OTHERS_POLL_MS = 5000, OTHERS_WAIT_S = 1800 };

struct action {
    const char *name, *condition, *good, *bad;
    /* 0: done; ERR_GONE: it ran and what it found is bad; else it failed */
    int (*run)(struct post *p, struct error *e);
    bool is_metrics; /* never changes the outcome */
};

static bool holder_gone(void *ctx, const char *host)
{
    struct post *p = ctx;

    return session_pod_ended(p->u->api, host);
}

static void tell_wait(void *ctx, const char *host)
{
    struct post *p = ctx;

    session_tell_lock(p->u->api, p->u->session, host);
}

static int verify_integrity(struct post *p, struct error *e)
{
    struct status_repository *out = &p->u->repository;
    struct error damage;
    bool is_whole;
    int rc = repo_check_run(&p->repo, REPO_LOCK_WAIT_S, &is_whole, e);

    if (rc < 0)
        return rc;
    out->integrity = is_whole;
    damage = *e;
    rc = repo_check_size(&p->repo, is_whole ? 2 : 1, REPO_LOCK_WAIT_S, &out->size_bytes, e);
    if (is_whole)
        return rc;
    *e = damage;
    return ERR_GONE;
}

static int send_metrics(struct post *p, struct error *e)
{
    return update_status_push_repository(p->u, p->u->repository_name, p->u->repository_ns, e);
}

/* ---- all of them ---- */

static const struct action all_actions[] = {
    {"ApplyRetentionPolicy", "RetentionPolicyApplied", "SuccessfullyAppliedRetentionPolicy",
     "FailedToApplyRetentionPolicy", update_status_retain, false},
    {"VerifyRepositoryIntegrity", "RepositoryIntegrityVerified", "SuccessfullyVerifiedRepositoryIntegrity",
     "FailedToVerifyRepositoryIntegrity", verify_integrity, false},
    {"SendRepositoryMetrics", "RepositoryMetricsPushed", "SuccessfullyPushedRepositoryMetrics",
     "FailedToPushRepositoryMetrics", send_metrics, true},
};
enum { N_ACTIONS = sizeof(all_actions) / sizeof(all_actions[0]) };

static bool is_listed(const json_t *actions, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach (actions, i, item)
        if (str_same(json_string_value(item), name))
            return true;
    return false;
}

static bool is_wanted(const struct post *p, const json_t *actions, const struct action *a)
{
    return is_listed(actions, a->name) && !*condition_status(json_at(p->u->session, "status.conditions"), a->condition);
}

/* What a user wants to know of a success. */
static void say_result(const struct post *p, const struct action *a, char *text, size_t size)
{
    const struct status_repository *r = &p->u->repository;
    const struct status_target *t = &p->u->target;

    *text = '\0';
    if (a->run != update_status_retain)
        return;
    (void)snprintf(text, size, ": %lld snapshots, %lld removed", (long long)r->snapshots, (long long)r->removed);
    if (p->n_unclaimed)
        (void)snprintf(text + strlen(text), size - strlen(text),
                       "; %zu of no known cluster or target stay (restic tag --add " REPO_CLUSTER_TAG
                       "=%s,stash.target=%s/%s/%s makes them ours)",
                       p->n_unclaimed, p->repo.cluster, t->kind, t->ns, t->name);
}

static void note(struct post *p, const struct action *a, int rc, const struct error *e)
{
    int64_t now_s = env_wall_ms(p->u->job->env) / 1000;
    char result[800];

    if (rc == 0) {
        say_result(p, a, result, sizeof(result));
        condition_set(p->u->conditions, now_s, a->condition, "True", a->good, "%s of Repository %s/%s succeeded%s",
                      a->name, p->u->repository_ns, p->u->repository_name, result);
        if (a->run == update_status_retain)
            log_info(&p->u->job->log, "post-backup action succeeded", F_STR("action", a->name),
                     F_INT("snapshots", p->u->repository.snapshots), F_INT("removed", p->u->repository.removed));
        else
            log_info(&p->u->job->log, "post-backup action succeeded", F_STR("action", a->name));
        return;
    }
    condition_set(p->u->conditions, now_s, a->condition, "False", a->bad, "%s of Repository %s/%s failed. Reason: %s",
                  a->name, p->u->repository_ns, p->u->repository_name, e->msg);
    log_error(&p->u->job->log, "post-backup action failed", F_STR("action", a->name), F_ERR(e));
}

/* 0; else the first failure, already noted. */
static int run_all(struct post *p, const json_t *actions, int ready, struct error *e)
{
    for (size_t i = 0; i < N_ACTIONS; i++) {
        const struct action *a = &all_actions[i];
        int rc;

        if (!is_wanted(p, actions, a))
            continue;
        rc = ready < 0 ? ready : a->run(p, e);
        note(p, a, rc, e);
        if (rc < 0 && rc != ERR_GONE && !a->is_metrics)
            return rc;
    }
    return 0;
}

static int wait_for_others(struct post *p, struct error *e)
{
    struct update *u = p->u;
    uint64_t end = env_now_ns(u->job->env) + (uint64_t)OTHERS_WAIT_S * 1000000000u;
    int rc;

    while (!status_patch_others_done(u->session, &u->target, u->reported, status_patch_n_targets(u->invoker))) {
        json_t *now = NULL;

        if (env_now_ns(u->job->env) >= end)
            return error_set(e, ERR_TIMEOUT, "other targets or hosts of the session had not ended after %d s",
                             OTHERS_WAIT_S);
        if ((rc = job_sleep(u->job, OTHERS_POLL_MS, e)) < 0 ||
            (rc = apiserver_get(u->api, kind_get(KIND_BACKUPSESSION), json_text(u->session, "metadata.namespace"),
                                json_text(u->session, "metadata.name"), &now, e)) < 0)
            return rc;
        json_decref(u->session);
        u->session = now;
    }
    return 0;
}

static json_t *change_repository(void *ctx, const json_t *repository, struct error *e)
{
    struct update *u = ctx;
    const char *uid = repo_flags_env(u->envp, "STASH_REPOSITORY_UID");

    if (uid && *uid && !str_same(uid, json_text(repository, "metadata.uid"))) {
        (void)error_set(e, ERR_INVALID, "it was deleted and made anew: the backup is in the old one");
        return NULL;
    }
    return status_patch_repository(repository, u->session, &u->repository, env_wall_ms(u->job->env) / 1000);
}

static void write_repository(struct post *p)
{
    struct error e;

    if (apiserver_patch(p->u->api, kind_get(KIND_REPOSITORY), p->u->repository_ns, p->u->repository_name, "status",
                        change_repository, p->u, NULL, &e) == 0)
        return;
    p->u->status_failed = true;
    log_error(&p->u->job->log, "the Repository's status could not be written", F_ERR(&e));
}

static bool any_wanted(struct post *p, const json_t *actions)
{
    for (size_t i = 0; i < N_ACTIONS; i++)
        if (is_wanted(p, actions, &all_actions[i]))
            return true;
    return false;
}

static void log_unknown(struct post *p, const json_t *actions)
{
    json_t *item;
    size_t i, k;

    json_array_foreach (actions, i, item) {
        for (k = 0; k < N_ACTIONS; k++)
            if (str_same(json_string_value(item), all_actions[k].name))
                break;
        if (k == N_ACTIONS)
            log_error(&p->u->job->log, "unknown post-backup action", F_STR("action", json_string_value(item)));
    }
}

void update_status_post(struct update *u, const json_t *actions)
{
    struct post p = {.u = u};
    json_t *kept = json_incref((json_t *)(uintptr_t)actions); /* waiting replaces the session that holds it */
    struct error e = {0};
    int rc;

    log_unknown(&p, actions);
    if (any_wanted(&p, actions)) {
        rc = wait_for_others(&p, &e);
        if (rc == 0)
            rc = repo_flags_open(&u->flags->repo, u->job, u->envp, u->api, &p.key, &p.repo, &e);
        p.repo.holder_gone = holder_gone;
        p.repo.on_wait = tell_wait;
        p.repo.wait_ctx = &p;
        rc = run_all(&p, kept, rc, &e);
        if (rc == 0 && (u->repository.integrity >= 0 || u->repository.snapshots >= 0))
            write_repository(&p);
        repo_done(&p.repo);
        secrets_done(&p.key);
    }
    json_decref(kept);
}
