/*
 * update_status: see update_status.h. In order: read output.json, read the session and its invoker, after a good backup
 * the post-backup actions, then one write of the session's status, then events and metrics. The operator takes a target
 * for ended when its hosts are in the status, so that write comes after everything that the session's phase depends on.
 */
#include "controllers/job/update_status.h"

#include <stdio.h>

#include "controllers/job/output.h"
#include "controllers/job/update_status_parts.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

#define F(member) offsetof(struct update_flags, member)

static const struct config_item items[] = {
    REPO_FLAGS_WITH(struct update_flags, repo, "", "", ""),
    {"namespace", CFG_STRING, F(ns), "default", 0, 0, "namespace of the session"},
    {"output-dir", CFG_STRING, F(output_dir), NULL, 0, 0, "folder with output.json (required)"},
    {"backupsession", CFG_STRING, F(session), NULL, 0, 0, "BackupSession; without it the result is a restore's"},
    {"invoker-kind", CFG_STRING, F(invoker_kind), NULL, 0, 0, "kind of the invoker"},
    {"invoker-name", CFG_STRING, F(invoker_name), NULL, 0, 0, "its name"},
    {"target-kind", CFG_STRING, F(target_kind), NULL, 0, 0, "kind of the target"},
    {"target-name", CFG_STRING, F(target_name), NULL, 0, 0, "its name"},
    {"target-namespace", CFG_STRING, F(target_ns), NULL, 0, 0, "its namespace"},
    {"metrics-enabled", CFG_BOOL, F(metrics), "false", 0, 0, "push metrics"},
    {"metrics-pushgateway-url", CFG_STRING, F(push_url), NULL, 0, 0, "where to; empty: nowhere"},
    {"metrics-labels", CFG_LIST, F(labels), NULL, 0, 0, "more labels, as name=value"},
    {"master", CFG_STRING, F(master), NULL, 0, 0, "address of the API server"},
    {"kubeconfig", CFG_STRING, F(kubeconfig), NULL, 0, 0, "file that says how to reach it"},
    {"help", CFG_BOOL, F(help), NULL, 0, 0, "this text"},
};

static const struct config_spec spec = {
    .program = "stash-job update-status",
    .usage = "--output-dir=FOLDER [flags]",
    .about = "Publishes the result of a backup or restore: the last step of its Job.",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

/* ---- reading ---- */

static int read_output(struct update *u, struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/output.json", u->flags->output_dir);
    struct buf text;
    int rc;

    buf_init(&text, LIMIT_DOCUMENT);
    rc = env_uv_read_file(path, &text, e);
    if (rc == 0)
        rc = output_parse(buf_str(&text), &u->output, e);
    buf_done(&text);
    if (rc < 0)
        return error_wrap(e, rc, "the result of the step before");
    u->reported = json_at(u->output, "targetStatus");
    if (!json_array_size(json_at(u->reported, "stats")))
        return error_set(e, ERR_INVALID, "%s holds no host", path);
    return 0;
}

static const struct kind *kind_of(const char *name)
{
    static const enum kind_id ids[] = {KIND_BACKUPCONFIGURATION, KIND_BACKUPBATCH, KIND_RESTORESESSION,
                                       KIND_RESTOREBATCH};

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (str_same(kind_get(ids[i])->name, name))
            return kind_get(ids[i]);
    return NULL;
}

/* A flag, else what the session says. */
static int read_invoker(struct update *u, const char *kind_name, const char *name, struct error *e)
{
    const struct kind *k = kind_of(kind_name);

    if (!k || !*name)
        return error_set(e, ERR_INVALID, "--invoker-kind and --invoker-name are needed; got \"%s\" and \"%s\"",
                         kind_name, name);
    return apiserver_get(u->api, k, u->flags->ns, name, &u->invoker, e);
}

static const char *or(const char *a, const char *b)
{
    return a && *a ? a : b;
}

/* As the Job has it, where the operator says so: the invoker may name another one by now. */
static void find_repository(struct update *u)
{
    const json_t *o = json_at(u->invoker, "spec.repository");
    const char *ns = or(json_text(o, "namespace"), json_text(u->invoker, "metadata.namespace"));

    u->repository_name = or(repo_flags_env(u->envp, "STASH_REPOSITORY_NAME"), json_text(o, "name"));
    u->repository_ns = or(repo_flags_env(u->envp, "STASH_REPOSITORY_NAMESPACE"), ns);
}

static int read_objects(struct update *u, struct error *e)
{
    const struct update_flags *f = u->flags;
    int rc;

    if (f->session && *f->session) {
        rc = apiserver_get(u->api, kind_get(KIND_BACKUPSESSION), f->ns, f->session, &u->session, e);
        if (rc == 0)
            rc = read_invoker(u, or(f->invoker_kind, json_text(u->session, "spec.invoker.kind")),
                              or(f->invoker_name, json_text(u->session, "spec.invoker.name")), e);
    } else {
        rc = read_invoker(u, or(f->invoker_kind, ""), or(f->invoker_name, ""), e);
        u->session = json_incref(u->invoker);
    }
    if (rc < 0)
        return rc;
    find_repository(u);
    u->target = (struct status_target){.kind = or(f->target_kind, json_text(u->reported, "ref.kind")),
                                       .name = or(f->target_name, json_text(u->reported, "ref.name")),
                                       .ns = or(or(f->target_ns, json_text(u->reported, "ref.namespace")), f->ns)};
    u->invoker_target = status_patch_find_ref(u->invoker, &u->target);
    if (!u->invoker_target)
        return error_set(e, ERR_INVALID, "%s %s/%s has no target %s %s/%s", json_text(u->invoker, "kind"), f->ns,
                         json_text(u->invoker, "metadata.name"), u->target.kind, u->target.ns, u->target.name);
    return 0;
}

/* What can be said of the flags before anybody is asked. A repository that cannot be used is no reason not to publish
 * what was done: a condition tells of it. */
static int check_flags(const struct update_flags *f, struct error *e)
{
    const char *kind = or(f->invoker_kind, "");
    bool is_backup = f->session && *f->session;

    if (!f->output_dir || !*f->output_dir)
        return error_set(e, ERR_INVALID,
                         "--output-dir is missing: give the folder with the output.json of the step before");
    if (*kind && !kind_of(kind))
        return error_set(e, ERR_INVALID, "--invoker-kind=%.63s: expected BackupConfiguration or RestoreSession", kind);
    if (is_backup)
        return 0;
    if (!*kind)
        return error_set(e, ERR_INVALID, "--backupsession (of a backup), or --invoker-kind=RestoreSession and "
                                         "--invoker-name (of a restore), is missing: it says whose result it is");
    if (kind_of(kind)->id == KIND_BACKUPCONFIGURATION || kind_of(kind)->id == KIND_BACKUPBATCH)
        return error_set(e, ERR_INVALID, "--invoker-kind=%s needs --backupsession: give the name of the session", kind);
    if (!*or(f->invoker_name, ""))
        return error_set(e, ERR_INVALID, "--invoker-name is missing: give the name of the %s", kind);
    return 0;
}

/* ---- writing ---- */

static bool is_restore(const struct update *u)
{
    return u->session == u->invoker;
}

static json_t *change_session(void *ctx, const json_t *session, struct error *e)
{
    struct update *u = ctx;

    if (!str_same(json_text(session, "metadata.uid"), json_text(u->session, "metadata.uid"))) {
        (void)error_set(e, ERR_INVALID, "it was deleted and made anew: the result is of the old one");
        return NULL;
    }
    return is_restore(u) ? status_patch_restore(session, &u->target, u->invoker_target, u->reported)
                         : status_patch_backup(session, &u->target, u->invoker_target, u->reported, u->conditions);
}

static int write_session(struct update *u, struct error *e)
{
    const struct kind *k = is_restore(u) ? kind_of(json_text(u->session, "kind")) : kind_get(KIND_BACKUPSESSION);

    return apiserver_patch(u->api, k, u->flags->ns, json_text(u->session, "metadata.name"), "status", change_session, u,
                           NULL, e);
}

static void send_events(struct update *u)
{
    const char *what = is_restore(u) ? "Restore" : "Backup";
    json_t *host;
    size_t i;

    json_array_foreach (json_at(u->reported, "stats"), i, host) {
        bool good = str_same(json_text(host, "phase"), "Succeeded");
        AUTO_FREE char *reason = mem_printf("Host %s %s", what, good ? "Succeeded" : "Failed");
        AUTO_FREE char *message =
            good ? mem_printf("%s of host %s of %s %s/%s succeeded in %s", what, json_text(host, "hostname"),
                              u->target.kind, u->target.ns, u->target.name, json_text(host, "duration"))
                 : mem_printf("%s of host %s of %s %s/%s failed. Reason: %s", what, json_text(host, "hostname"),
                              u->target.kind, u->target.ns, u->target.name, json_text(host, "error"));

        apiserver_event(u->api, u->session, "Status Updater", good ? "Normal" : "Warning", reason, message);
    }
}

/* Conditions that a backup reports are warnings: a good one says nothing. */
static void warn_of_conditions(struct update *u)
{
    json_t *condition;
    size_t i;

    if (is_restore(u))
        return;
    json_array_foreach (json_at(u->reported, "conditions"), i, condition)
        apiserver_event(u->api, u->session, "Status Updater", "Warning", json_text(condition, "reason"),
                        json_text(condition, "message"));
}

static const json_t *actions_of(const struct update *u)
{
    const json_t *entry = status_patch_find_entry(json_at(u->session, "status.targets"), &u->target, u->flags->ns);

    return json_object_get(entry, "postBackupActions");
}

/* Hours of work are told by nobody else: a Job does not run twice, and a restore is not begun again. */
static int bring(struct update *u, struct error *e)
{
    int rc = read_objects(u, e);

    if (rc < 0)
        return rc;
    if (!is_restore(u) && output_succeeded(u->output))
        update_status_post(u, actions_of(u));
    return write_session(u, e);
}

static int publish(struct update *u, struct error *e)
{
    int rc;

    apiserver_be_patient(u->api, true);
    rc = bring(u, e);
    apiserver_be_patient(u->api, false);
    if (rc == 0) {
        log_info(&u->job->log, "result published", F_STR("kind", json_text(u->session, "kind")),
                 F_STR("name", json_text(u->session, "metadata.name")),
                 F_STR("result", output_succeeded(u->output) ? "Succeeded" : "Failed"));
        send_events(u);
        warn_of_conditions(u);
        update_status_push_hosts(u);
    }
    return rc;
}

static int run(struct update *u, struct error *e)
{
    int rc = repo_flags_dirs(&u->flags->repo, u->job, u->envp, e);

    if (rc == 0)
        rc = job_set_priority(u->job, e);
    if (rc == 0)
        rc = read_output(u, e);
    if (rc == 0 && !u->api)
        rc = apiserver_open(u->job, u->flags->kubeconfig, u->flags->master, u->envp, &u->api, e);
    return rc == 0 ? publish(u, e) : rc;
}

static int finish(struct update *u, int rc, const struct error *e)
{
    if (rc < 0)
        log_error(&u->job->log, "the result could not be published", F_ERR(e));
    json_decref(u->output);
    json_decref(u->session);
    json_decref(u->invoker);
    json_decref(u->conditions);
    apiserver_free(u->api);
    if (u->job->canceled)
        return 143;
    return rc < 0 || u->status_failed ? 1 : 0;
}

int update_status_with(struct job *j, struct apiserver *api, int argc, const char *const *argv, const char *const *envp)
{
    struct update_flags flags;
    struct update u = {.job = j, .api = api, .flags = &flags, .envp = envp};
    struct error e;
    int n, rc;
    const char **words = repo_flags_argv(argc, argv, &n);

    u.repository = (struct status_repository){-1, -1, -1, -1, false};
    rc = config_parse(&spec, n, words, envp, &flags, NULL, NULL, &e);
    if (rc == 0 && !flags.help)
        rc = check_flags(&flags, &e);
    if (rc < 0 || flags.help) {
        if (rc < 0)
            (void)fprintf(stderr, "stash-job update-status: %s\n", e.msg);
        else
            config_help(&spec, stdout);
        apiserver_free(api);
        rc = rc < 0 ? 2 : 0;
    } else {
        u.conditions = json_array();
        rc = run(&u, &e);
        rc = finish(&u, rc, &e);
    }
    config_done(&spec, &flags);
    mem_free(words);
    return rc;
}

int update_status_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    return update_status_with(j, NULL, argc, argv, envp);
}
