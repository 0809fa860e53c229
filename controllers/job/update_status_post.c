/*
 * update_status_post: after the last target of a backup: retention, check, size. Retention forgets snapshots; that
 * their data is freed is the business of a Job of its own (repository_maintain.c), asked for in the Repository. Each
 * action leaves a condition in the session; after a failure the others are left out, but damage that a check found is a
 * result, not a failure: it goes to the Repository.
 */
#include "controllers/job/update_status_parts.h"

#include <stdio.h>

#include "controllers/condition.h"
#include "core/base/json.h"
#include "core/base/mem.h"

enum {
    LOCK_WAIT_S = 600,
    OUT_MAX = 16 * 1024 * 1024,
    OTHERS_POLL_MS = 5000,
    OTHERS_WAIT_S = 1800,
    CHECK_TRIES = 5,
    CHECK_PAUSE_MS = 10000,
};

struct post {
    struct update *u;
    struct repo repo;
    struct secrets key;
    const char *repository, *repository_ns;
};

struct action {
    const char *name, *condition, *good, *bad;
    /* 0: done; ERR_GONE: it ran and what it found is bad; else it failed */
    int (*run)(struct post *p, struct error *e);
    bool is_metrics; /* never changes the outcome */
};

/* ---- locks ---- */

/* Known to have ended: the pod is there and says so. An absent one may live in another cluster. */
static bool holder_gone(void *ctx, const char *host)
{
    struct post *p = ctx;
    const char *phase;
    struct error e;
    json_t *pod = NULL;
    bool gone;

    if (apiserver_get(p->u->api, kind_get(KIND_POD), apiserver_namespace(p->u->api), host, &pod, &e) < 0)
        return false;
    phase = json_text(pod, "status.phase");
    gone = str_same(phase, "Succeeded") || str_same(phase, "Failed");
    json_decref(pod);
    return gone;
}

static int wait_unlocked(struct post *p, struct error *e)
{
    return repo_wait_unlocked(&p->repo, true, LOCK_WAIT_S, holder_gone, p, e);
}

/* ---- retention ---- */

static size_t read_tags(const json_t *policy, const char *tags[33])
{
    json_t *tag;
    size_t i, n = 0;

    json_array_foreach (json_object_get(policy, "keepTags"), i, tag)
        if (n < 32 && json_is_string(tag))
            tags[n++] = json_string_value(tag);
    tags[n] = NULL;
    return n;
}

/* tag: "--tag=…", of those only; NULL: of all. */
static int forget_of(struct post *p, const struct restic_policy *policy, const json_t *hosts, const char *tag,
                     struct error *e)
{
    int64_t removed = 0;
    const json_t *host;
    struct restic_command c;
    struct buf out;
    int64_t kept = 0;
    size_t i;
    int rc;

    buf_init(&out, OUT_MAX);
    restic_begin(&c, &p->repo.backend, "forget");
    restic_add(&c, "--json");
    restic_add_retry_lock(&c, p->repo.version, p->repo.retry_lock_s);
    /* A repository may be shared: only snapshots of this session's hosts are judged by its policy. */
    json_array_foreach (hosts, i, host)
        restic_add_option(&c, "host", json_string_value(host));
    if (tag)
        restic_add(&c, tag);
    restic_add_policy(&c, policy);
    rc = repo_run_waiting(&p->repo, &c, true, LOCK_WAIT_S, holder_gone, p, &out, e);
    if (rc == 0)
        rc = restic_parse_forget(buf_str(&out), &kept, &removed, e);
    if (rc == 0 && !policy->dry_run)
        p->u->repository.removed += removed;
    restic_done(&c);
    buf_done(&out);
    return rc;
}

static bool is_one_of(const json_t *names, const char *name)
{
    const json_t *it;
    size_t i;

    json_array_foreach (names, i, it)
        if (str_is(json_str(it), name))
            return true;
    return false;
}

/* Databases have the host "host-0" unless they are given an alias: do others keep snapshots under our hosts here? */
static int find_others(struct post *p, const json_t *hosts, const char *target, bool *ret, struct error *e)
{
    struct restic_snapshots list;
    int rc = repo_snapshots(&p->repo, NULL, NULL, false, &list, e);

    *ret = false;
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < list.n; i++) {
        const char *whose = restic_tag(&list.items[i], "stash.target");

        *ret |= whose && !str_same(whose, target) && is_one_of(hosts, list.items[i].host);
    }
    restic_snapshots_done(&list);
    return 0;
}

/* With others under our hosts the policy goes by target, so that a busy database does not push out the only backups of
 * a quiet one; what no program of ours tagged is judged by itself. */
static int forget(struct post *p, const struct restic_policy *policy, struct error *e)
{
    const struct status_target *t = &p->u->target;
    AUTO_FREE char *target = mem_printf("%s/%s/%s", t->kind, t->ns, t->name), *tag = NULL;
    json_t *hosts = status_patch_hosts(p->u->session, p->u->reported);
    bool has_others;
    int rc = find_others(p, hosts, target, &has_others, e);

    tag = mem_printf("--tag=stash.target=%s", target);
    if (rc == 0)
        rc = forget_of(p, policy, hosts, has_others ? tag : NULL, e);
    if (rc == 0 && has_others)
        rc = forget_of(p, policy, hosts, "--tag=", e);
    json_decref(hosts);
    return rc;
}

static int count_snapshots(struct post *p, struct error *e)
{
    struct restic_snapshots list;
    int rc = repo_snapshots(&p->repo, NULL, NULL, false, &list, e);

    if (rc == 0) {
        p->u->repository.snapshots = (int64_t)list.n;
        restic_snapshots_done(&list);
    }
    return rc;
}

static int apply_retention(struct post *p, struct error *e)
{
    const json_t *o = json_at(p->u->invoker, "spec.retentionPolicy");
    const char *tags[33];
    struct restic_policy policy = {.keep_last = json_int(o, "keepLast", 0),
                                   .keep_hourly = json_int(o, "keepHourly", 0),
                                   .keep_daily = json_int(o, "keepDaily", 0),
                                   .keep_weekly = json_int(o, "keepWeekly", 0),
                                   .keep_monthly = json_int(o, "keepMonthly", 0),
                                   .keep_yearly = json_int(o, "keepYearly", 0),
                                   .keep_tags = tags,
                                   .dry_run = json_flag(o, "dryRun", false)};
    int rc = 0;

    (void)read_tags(o, tags);
    p->u->repository.removed = 0;
    p->u->repository.may_prune = json_flag(o, "prune", false) && !policy.dry_run;
    if (!restic_policy_is_empty(&policy)) /* with nothing to keep, forget would have no rule */
        rc = forget(p, &policy, e);
    return rc < 0 ? rc : count_snapshots(p, e);
}

/* ---- integrity and size ---- */

static int check_once(struct post *p, bool lock, enum restic_check *ret, enum restic_class *ret_class,
                      struct error *e)
{
    struct restic_command c;
    struct job_command command;
    struct job_result r;
    char text[400];
    int rc;

    restic_begin(&c, &p->repo.backend, "check");
    if (lock)
        restic_add_retry_lock(&c, p->repo.version, p->repo.retry_lock_s);
    else
        restic_add(&c, "--no-lock");
    command = (struct job_command){.argv = restic_argv(&c), .envp = p->repo.envp, .out_max = OUT_MAX,
                                   .stop_signal = REPO_STOP_SIGNAL};
    rc = job_run(p->u->job, &command, &r, e);
    if (rc == 0) {
        *ret = r.sig ? RESTIC_CHECK_FAILED
                     : restic_parse_check(r.status, buf_str(&r.out), buf_str(&r.err.text));
        *ret_class = restic_classify(p->repo.version, r.status, r.sig, buf_str(&r.err.text));
        restic_error_text(buf_str(&r.err.text), text, sizeof(text));
        redact_message(&p->u->job->redact, text, sizeof(text));
        if (*ret != RESTIC_CHECK_GOOD)
            (void)error_set(e, ERR_INVALID, "restic check: %s", *text ? text : "it failed without a word");
    }
    job_result_done(&r);
    restic_done(&c);
    return rc;
}

static int check(struct post *p, bool lock, enum restic_check *ret, struct error *e)
{
    enum restic_class class;
    int rc;

    for (int try = 1;; try++) {
        rc = check_once(p, lock, ret, &class, e);
        if (rc < 0 || *ret != RESTIC_CHECK_FAILED || (class != RESTIC_BUSY && class != RESTIC_LOCKED) ||
            try == CHECK_TRIES)
            return rc;
        rc = class == RESTIC_LOCKED ? wait_unlocked(p, e) : job_sleep(p->u->job, CHECK_PAUSE_MS, e);
        if (rc < 0)
            return rc;
    }
}

/* Without a lock first: a repository may be readable only. Then with one, so that nobody's prune takes away what is
 * being read. */
static int ask_size(struct post *p, int tries, struct error *e)
{
    struct restic_command c;
    struct buf out;
    int rc = -1;

    buf_init(&out, OUT_MAX);
    for (int try = 0; try < tries && rc < 0; try++) {
        restic_begin(&c, &p->repo.backend, "stats");
        restic_add(&c, "--json");
        restic_add(&c, "--mode=raw-data");
        if (try == 0)
            restic_add(&c, "--no-lock");
        rc = repo_run_waiting(&p->repo, &c, false, LOCK_WAIT_S, holder_gone, p, &out, e);
        restic_done(&c);
        if (rc == ERR_CANCELED)
            break;
    }
    if (rc == 0)
        rc = restic_parse_stats(buf_str(&out), &p->u->repository.size_bytes, e);
    buf_done(&out);
    return rc;
}

static int verify_integrity(struct post *p, struct error *e)
{
    enum restic_check result;
    struct error damage;
    int rc = check(p, false, &result, e);

    /* Without a lock somebody's prune looks like damage, or takes away what is being read: alone with the repository
     * it counts. */
    if (rc == 0 && result != RESTIC_CHECK_GOOD)
        if ((rc = wait_unlocked(p, e)) == 0)
            rc = check(p, true, &result, e);
    if (rc < 0 || result == RESTIC_CHECK_FAILED)
        return rc < 0 ? rc : ERR_INVALID;
    p->u->repository.integrity = result == RESTIC_CHECK_GOOD;
    damage = *e;
    if ((rc = ask_size(p, result == RESTIC_CHECK_GOOD ? 2 : 1, e)) < 0 && result == RESTIC_CHECK_GOOD)
        return rc;
    if (result == RESTIC_CHECK_GOOD)
        return 0;
    *e = damage;
    return ERR_GONE;
}

static int send_metrics(struct post *p, struct error *e)
{
    return update_status_push_repository(p->u, p->repository, p->repository_ns, e);
}

/* ---- all of them ---- */

static const struct action all_actions[] = {
    {"ApplyRetentionPolicy", "RetentionPolicyApplied", "SuccessfullyAppliedRetentionPolicy",
     "FailedToApplyRetentionPolicy", apply_retention, false},
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

    *text = '\0';
    if (a->run == apply_retention)
        (void)snprintf(text, size, ": %lld snapshots, %lld removed", (long long)r->snapshots, (long long)r->removed);
}

static void note(struct post *p, const struct action *a, int rc, const struct error *e)
{
    int64_t now_s = env_wall_ms(p->u->job->env) / 1000;
    char result[80];

    if (rc == 0) {
        say_result(p, a, result, sizeof(result));
        condition_set(p->u->conditions, now_s, a->condition, "True", a->good, "%s of Repository %s/%s succeeded%s",
                      a->name, p->repository_ns, p->repository, result);
        if (a->run == apply_retention)
            log_info(&p->u->job->log, "post-backup action succeeded", F_STR("action", a->name),
                     F_INT("snapshots", p->u->repository.snapshots), F_INT("removed", p->u->repository.removed));
        else
            log_info(&p->u->job->log, "post-backup action succeeded", F_STR("action", a->name));
        return;
    }
    condition_set(p->u->conditions, now_s, a->condition, "False", a->bad, "%s of Repository %s/%s failed. Reason: %s",
                  a->name, p->repository_ns, p->repository, e->msg);
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

    (void)e;
    return status_patch_repository(repository, u->session, &u->repository, env_wall_ms(u->job->env) / 1000);
}

static void write_repository(struct post *p)
{
    struct error e;

    if (apiserver_patch(p->u->api, kind_get(KIND_REPOSITORY), p->repository_ns, p->repository, "status",
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
    const char *ns = json_text(u->invoker, "spec.repository.namespace");
    struct post p = {.u = u,
                     .repository = json_text(u->invoker, "spec.repository.name"),
                     .repository_ns = *ns ? ns : json_text(u->invoker, "metadata.namespace")};
    json_t *kept = json_incref((json_t *)(uintptr_t)actions); /* waiting replaces the session that holds it */
    struct error e = {0};
    int rc;

    log_unknown(&p, actions);
    if (any_wanted(&p, actions)) {
        rc = wait_for_others(&p, &e);
        if (rc == 0)
            rc = repo_flags_open(&u->flags->repo, u->job, u->envp, u->api, &p.key, &p.repo, &e);
        rc = run_all(&p, kept, rc, &e);
        if (rc == 0 && u->repository.integrity >= 0)
            write_repository(&p);
        repo_done(&p.repo);
        secrets_done(&p.key);
    }
    json_decref(kept);
}
