/*
 * create_session: see create_session.h. It does not ask whether a session may run now (paused, another one runs): that
 * is for the session's controller to say, in the session's status, where a user looks.
 */
#include "controllers/job/create_session.h"

#include <stdio.h>

#include "controllers/job/job.h"
#include "controllers/job/repo_flags.h"
#include "controllers/schedule.h"
#include "controllers/sessionspec.h"
#include "core/base/json.h"
#include "core/base/mem.h"

struct create_flags {
    const char *invoker_kind, *invoker_name, *ns, *master, *kubeconfig;
    bool help;
};

#define F(member) offsetof(struct create_flags, member)

static const struct config_item items[] = {
    {"invoker-name", CFG_STRING, F(invoker_name), NULL, 0, 0, "name of what is to be backed up (required)"},
    {"invoker-kind", CFG_STRING, F(invoker_kind), NULL, 0, 0, "BackupConfiguration (required)"},
    APISERVER_NAMESPACE_FLAG(struct create_flags, ns, "its namespace"),
    {"master", CFG_STRING, F(master), NULL, 0, 0, "address of the API server"},
    {"kubeconfig", CFG_STRING, F(kubeconfig), NULL, 0, 0, "file that says how to reach it"},
    {"help", CFG_BOOL, F(help), NULL, 0, 0, "this text"},
};

static const struct config_spec spec = {
    .program = "stash-job create-backupsession",
    .usage = "--invoker-kind=BackupConfiguration --invoker-name=NAME [flags]",
    .about = "Makes the BackupSession for the time that its Job was scheduled for: run by a CronJob.",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

/* A session of a BackupBatch could be made, but nobody would run it. */
static int check_invoker(const struct create_session *c, struct error *e)
{
    const char *kind = c->invoker_kind ? c->invoker_kind : "", *name = c->invoker_name ? c->invoker_name : "";

    if (str_same(kind, kind_get(KIND_BACKUPBATCH)->name))
        return error_set(e, ERR_INVALID, "--invoker-kind=%s: this operator runs no %s, make a BackupConfiguration",
                         kind, kind);
    if (*kind && !str_same(kind, kind_get(KIND_BACKUPCONFIGURATION)->name))
        return error_set(e, ERR_INVALID, "--invoker-kind=%.63s: expected BackupConfiguration", kind);
    if (!*kind || !*name)
        return error_set(e, ERR_INVALID, "--invoker-kind=BackupConfiguration and --invoker-name=NAME are required");
    return 0;
}

/* ---- reading ---- */

static int get_invoker(struct apiserver *api, const struct create_session *c, json_t **ret, struct error *e)
{
    int rc = check_invoker(c, e);

    return rc < 0 ? rc : apiserver_get(api, kind_get(KIND_BACKUPCONFIGURATION), c->ns, c->invoker_name, ret, e);
}

/* The second that the session is for. A Job of a control plane that does not write it down is taken by its creation:
 * all of its pods agree on that. */
static int find_due(struct apiserver *api, const struct create_session *c, int64_t *ret_s, struct error *e)
{
    json_t *job = NULL;
    int rc;

    *ret_s = c->now_s;
    if (!c->job || !*c->job)
        return 0;
    rc = apiserver_get(api, kind_get(KIND_JOB), c->ns, c->job, &job, e);
    if (rc < 0)
        return rc;
    rc = str_parse_time(str_of(json_meta(job, "annotations", SCHEDULED_ANNOTATION)), ret_s);
    if (rc < 0)
        rc = str_parse_time(str_of(json_text(job, "metadata.creationTimestamp")), ret_s);
    if (rc < 0)
        rc = error_set(e, ERR_INVALID, "Job %s/%s says no time that it was scheduled for", c->ns, c->job);
    json_decref(job);
    return rc;
}

/* ---- making ---- */

/* Who has the name? The UID too: a session of a namesake that was deleted is about to go, and to be tried after. */
static int check_existing(struct apiserver *api, const struct create_session *c, const char *name,
                          const json_t *invoker, struct error *e)
{
    json_t *have = NULL;
    int rc = apiserver_get(api, kind_get(KIND_BACKUPSESSION), c->ns, name, &have, e);

    if (rc < 0)
        return rc;
    if (!str_same(json_text(have, "spec.invoker.kind"), c->invoker_kind) ||
        !str_same(json_text(have, "spec.invoker.name"), c->invoker_name))
        rc = error_set(e, ERR_EXISTS,
                       "BackupSession %s/%s exists and is of %.63s %.253s, not of %s %s: rename one of the two or "
                       "delete that session",
                       c->ns, name, json_text(have, "spec.invoker.kind"), json_text(have, "spec.invoker.name"),
                       c->invoker_kind, c->invoker_name);
    else if (json_at(have, "metadata.ownerReferences.0") &&
             !str_same(json_text(have, "metadata.ownerReferences.0.uid"), json_text(invoker, "metadata.uid")))
        rc = error_set(e, ERR_EXISTS, "BackupSession %s/%s exists and is of an earlier %s %s that was deleted", c->ns,
                       name, c->invoker_kind, c->invoker_name);
    json_decref(have);
    return rc;
}

int create_session(struct apiserver *api, const struct create_session *c, char **ret_name, bool *ret_made,
                   struct error *e)
{
    const struct kind *k = kind_get(KIND_BACKUPSESSION);
    json_t *invoker = NULL, *session;
    struct kube_call call = {.verb = KUBE_CREATE, .kind = k, .ns = c->ns};
    const char *name;
    struct arena a;
    int64_t due_s;
    int rc = get_invoker(api, c, &invoker, e);

    if (rc == 0)
        rc = find_due(api, c, &due_s, e);
    if (rc < 0) {
        json_decref(invoker);
        return rc;
    }
    arena_init(&a);
    name = sessionspec_name(&a, c->invoker_name, due_s);
    session = sessionspec_make(&a, invoker, name, -1);
    call.body = session;
    rc = apiserver_call(api, &call, NULL, e);
    *ret_made = rc == 0;
    if (rc == ERR_EXISTS)
        rc = check_existing(api, c, name, invoker, e);
    else if (rc < 0)
        rc = error_wrap(e, rc, "create BackupSession %s/%s", c->ns, name);
    if (rc == 0)
        *ret_name = mem_strdup(name);
    json_decref(session);
    json_decref(invoker);
    arena_done(&a);
    return rc;
}

/* ---- the program ---- */

static int run(struct job *j, const struct create_flags *f, const char *const *envp, struct create_session *c,
               struct error *e)
{
    AUTO_FREE char *name = NULL;
    struct apiserver *api;
    bool made;
    int rc = apiserver_open(j, f->kubeconfig, f->master, envp, &api, e);

    if (rc < 0)
        return rc;
    c->ns = f->ns && *f->ns ? f->ns : apiserver_namespace(api);
    rc = create_session(api, c, &name, &made, e);
    if (rc == 0)
        log_info(&j->log, made ? "session created" : "the session is there already", F_STR("session", name));
    apiserver_free(api);
    return rc;
}

int create_session_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    struct create_session c = {.job = repo_flags_env(envp, CREATE_SESSION_JOB_ENV),
                               .now_s = env_wall_ms(j->env) / 1000};
    struct create_flags flags;
    struct error e;
    int status = 0, rc = config_parse(&spec, argc, argv, envp, &flags, NULL, NULL, &e);

    if (rc == 0 && !flags.help) {
        c.invoker_kind = flags.invoker_kind;
        c.invoker_name = flags.invoker_name;
        if ((rc = check_invoker(&c, &e)) == 0)
            rc = apiserver_check_namespace(flags.ns, &e);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
        status = 2;
    } else if (flags.help) {
        config_help(&spec, stdout);
    } else if (run(j, &flags, envp, &c, &e) < 0) {
        (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
        status = 1;
    }
    config_done(&spec, &flags);
    return status;
}
