/*
 * backup_main: see backup_main.h. Flags to parameters, the API objects that are needed, one backup, output.json.
 * Whatever fails before the output folder is known has nowhere to be reported but on stderr.
 */
#include "controllers/job/backup_main.h"

#include <stdio.h>
#include <sys/stat.h>

#include "controllers/job/backup.h"
#include "controllers/job/output.h"
#include "controllers/job/repo_flags.h"
#include "controllers/job/session.h"
#include "controllers/job/words.h"
#include "core/base/config.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum { REPOSITORY_WAIT_S = 1800, EXIT_TERMINATED = 143, EXIT_REQUIRED = 3, EXIT_USAGE = 2 };

struct flags {
    struct repo_flags repo;
    const char *appbinding, *appbinding_ns, *hostname, *args, *ns, *session, *output_dir, *master, *kubeconfig;
    const char *license, *keep_tags;
    uint64_t wait_s;
    int64_t socat_retry, keep[6];
    bool prune, dry_run, help;
};

#define F(member) offsetof(struct flags, member)

/* Rows without a text are accepted for Functions of the reference product and not used. */
static const struct config_item items[] = {
    {"appbinding", CFG_STRING, F(appbinding), NULL, 0, 0, "AppBinding of the database (required)"},
    {"appbinding-namespace", CFG_STRING, F(appbinding_ns), NULL, 0, 0, "its namespace; that of the session by default"},
    REPO_FLAGS(struct flags, repo),
    {"hostname", CFG_STRING, F(hostname), "host-0", 0, 0, "host of the snapshot"},
    {"xtradb-args", CFG_STRING, F(args), "--all-databases", 0, 0, "more arguments of the dump program, as in a shell"},
    {"wait-timeout", CFG_UINT, F(wait_s), "300", 0, 86400, "seconds to wait for the database"},
    {"namespace", CFG_STRING, F(ns), "default", 0, 0, "namespace of the BackupSession"},
    {"backupsession", CFG_STRING, F(session), NULL, 0, 0, "BackupSession of this run"},
    {"output-dir", CFG_STRING, F(output_dir), NULL, 0, 0, "folder for output.json; without it the status tells"},
    {"master", CFG_STRING, F(master), NULL, 0, 0, "address of the API server"},
    {"kubeconfig", CFG_STRING, F(kubeconfig), NULL, 0, 0, "file that says how to reach it"},
    {"help", CFG_BOOL, F(help), NULL, 0, 0, "this text"},
    {"socat-retry", CFG_INT, F(socat_retry), NULL, 0, 0, NULL},
    {"license-apiservice", CFG_STRING, F(license), NULL, 0, 0, NULL},
    {"retention-keep-last", CFG_INT, F(keep[0]), NULL, 0, 0, NULL},
    {"retention-keep-hourly", CFG_INT, F(keep[1]), NULL, 0, 0, NULL},
    {"retention-keep-daily", CFG_INT, F(keep[2]), NULL, 0, 0, NULL},
    {"retention-keep-weekly", CFG_INT, F(keep[3]), NULL, 0, 0, NULL},
    {"retention-keep-monthly", CFG_INT, F(keep[4]), NULL, 0, 0, NULL},
    {"retention-keep-yearly", CFG_INT, F(keep[5]), NULL, 0, 0, NULL},
    {"retention-keep-tags", CFG_STRING, F(keep_tags), NULL, 0, 0, NULL},
    {"retention-prune", CFG_BOOL, F(prune), NULL, 0, 0, NULL},
    {"retention-dry-run", CFG_BOOL, F(dry_run), NULL, 0, 0, NULL},
};

static const struct config_spec spec = {
    .program = "stash-job backup-percona-xtradb",
    .usage = "--appbinding=NAME --provider=PROVIDER --storage-secret-name=NAME [flags]",
    .about = "Backs up a MariaDB or Percona server: a Galera cluster by a state transfer, a single server by a dump.",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

struct run {
    struct job *job;
    const struct flags *flags;
    const char *const *envp;
    struct apiserver *api;
    struct session session;
    struct secrets storage;
    struct repo repo;
    json_t *appbinding;
    struct app app;
    struct backup_result result;
};

static int fetch_secret(void *ctx, const char *ns, const char *name, struct secrets *out, struct error *e)
{
    struct run *r = ctx;
    json_t *object = NULL;
    int rc = apiserver_get(r->api, &apiserver_secret_kind, ns, name, &object, e);

    if (rc == ERR_NOTFOUND)
        return error_set(e, ERR_NOTFOUND, "not found");
    if (rc == 0)
        rc = secrets_read_object(out, object, e);
    json_decref(object);
    return rc;
}

static void note_secret(void *ctx, struct str value)
{
    job_redact(ctx, value);
}

static const char *env_or(const struct run *r, const char *name, const char *fallback)
{
    const char *value = repo_flags_env(r->envp, name);

    return value && *value ? value : fallback;
}

static int read_app(struct run *r, struct error *e)
{
    const struct flags *f = r->flags;
    const char *ns = f->appbinding_ns && *f->appbinding_ns ? f->appbinding_ns : f->ns;
    struct app_sources from = {.app_dir = env_or(r, "STASH_APP_SECRET_DIR", "/stash-secrets/app"),
                               .tls_dir = env_or(r, "STASH_APP_TLS_DIR", "/stash-secrets/app-tls"),
                               .extra_dir = env_or(r, "STASH_APP_EXTRA_DIR", "/stash-secrets/app-extra-"),
                               .fetch = fetch_secret,
                               .ctx = r};
    int rc = apiserver_get(r->api, kind_get(KIND_APPBINDING), ns, f->appbinding, &r->appbinding, e);

    if (rc < 0)
        return error_wrap(e, rc, "AppBinding %s/%s", ns, f->appbinding);
    rc = app_init(&r->app, r->appbinding, &from, e);
    app_each_secret(&r->app, note_secret, r->job);
    return rc;
}

static void on_progress(void *ctx, const struct pipeline_progress *now)
{
    session_progress(ctx, now);
}

static int back_up(struct run *r, struct error *e)
{
    const struct flags *f = r->flags;
    struct backup_params p;

    backup_defaults(&p);
    p.hostname = f->hostname;
    p.args = f->args;
    p.wait_s = f->wait_s;
    p.ns = f->ns;
    p.session = f->session;
    p.invoker_kind = r->session.invoker_kind;
    p.invoker_name = r->session.invoker_name;
    p.own_address = repo_flags_env(r->envp, "POD_IP");
    /* The first connection has the time that the user gives the database, and never less than its own tools' limit. */
    if (f->wait_s * 1000 > p.limits.first_ms)
        p.limits.first_ms = (uint32_t)(f->wait_s * 1000);
    r->repo.holder_gone = session_holder_gone;
    r->repo.on_wait = f->session && *f->session ? session_waits : NULL;
    r->repo.wait_ctx = &r->session;
    p.on_progress = f->session && *f->session ? on_progress : NULL;
    p.ctx = &r->session;
    return backup_run(r->job, &r->repo, &r->app, &p, &r->result, e);
}

static int do_all(struct run *r, struct error *e)
{
    const struct flags *f = r->flags;
    int rc = job_set_priority(r->job, e);

    if (rc == 0)
        rc = apiserver_open(r->job, f->kubeconfig, f->master, r->envp, &r->api, e);
    if (rc < 0)
        return rc;
    r->session = (struct session){.job = r->job,
                                  .api = r->api,
                                  .ns = f->ns,
                                  .name = f->session,
                                  .target = {.kind = "AppBinding",
                                             .name = f->appbinding,
                                             .ns = f->appbinding_ns && *f->appbinding_ns ? f->appbinding_ns : f->ns},
                                  .wait_s = REPOSITORY_WAIT_S};
    rc = repo_flags_open(&f->repo, r->job, r->envp, r->api, &r->storage, &r->repo, e);
    if (rc == 0 && f->session && *f->session)
        rc = session_prepare(&r->session, &r->repo, e);
    if (rc == 0)
        rc = read_app(r, e);
    return rc == 0 ? back_up(r, e) : rc;
}

/* What does not make the backup fail, but should be known. */
static void add_conditions(struct run *r, json_t *output)
{
    const struct backup_transfer *t = &r->result.transfer;
    int64_t now_s = env_wall_ms(r->job->env) / 1000;

    if (t->tables_unreplicated > 0) {
        AUTO_FREE char *text = mem_printf("Galera does not replicate %lld tables of other engines than InnoDB: rows "
                                          "may be missing in this backup: %s",
                                          (long long)t->tables_unreplicated, t->tables);

        output_condition(output, now_s, "NonReplicatedTables", "True", "OtherStorageEngines", text);
    }
    if (t->unsynced[0])
        output_condition(output, now_s, "ClusterSynced", "False", "NodesNotSynced", t->unsynced);
}

/* output.json; 0 when it was written. */
static int write_output(struct run *r, int rc, uint64_t began_ns, struct error *why)
{
    const struct flags *f = r->flags;
    struct output_ref ref = {.api_version = "appcatalog.appscode.com/v1alpha1",
                             .kind = "AppBinding",
                             .name = f->appbinding,
                             .ns = f->appbinding_ns && *f->appbinding_ns ? f->appbinding_ns : f->ns};
    const struct backup_transfer *t = &r->result.transfer;
    struct output_donor donor = {.name = r->result.donor,
                                 .seconds = t->donor_s,
                                 .flow_control_percent = t->flow_control_percent,
                                 .queue_max = (int64_t)t->queue_max,
                                 .stream_bytes = (int64_t)r->result.bytes};
    struct output_result result = {.hostname = f->hostname,
                                   .error = rc < 0 ? why->msg : NULL,
                                   .duration_ns = (int64_t)(env_now_ns(r->job->env) - began_ns),
                                   .path = r->result.path,
                                   .snapshot = &r->result.summary,
                                   .donor = r->result.transfer.donor_s > 0 ? &donor : NULL};
    AUTO_FREE char *path = mem_printf("%s/output.json", f->output_dir);
    json_t *o = output_make(&ref, &result);
    AUTO_FREE char *text = NULL;
    struct error e;
    int written = job_make_dir(f->output_dir, 0777, &e);

    add_conditions(r, o);
    text = output_text(o);
    if (written == 0) {
        (void)chmod(f->output_dir, 0777); /* whatever the umask is: the next step may run as somebody else */
        written = env_uv_write_file(path, str_of(text), 0666, false, &e);
    }
    if (written < 0)
        log_error(&r->job->log, "output.json could not be written", F_ERR(&e));
    json_decref(o);
    return written;
}

static void release(struct run *r)
{
    app_done(&r->app);
    json_decref(r->appbinding);
    session_done(&r->session);
    repo_done(&r->repo);
    secrets_done(&r->storage);
    apiserver_free(r->api);
}

/* wrong: what is wrong with the flags; NULL: nothing is. */
static int run(struct job *j, const struct flags *f, const char *const *envp, const struct error *wrong)
{
    struct run r = {.job = j, .flags = f, .envp = envp};
    uint64_t began = env_now_ns(j->env);
    struct error e = wrong ? *wrong : (struct error){0};
    bool reported = false;
    int rc = wrong ? (int)wrong->code : repo_flags_dirs(&f->repo, j, envp, &e);

    if (rc == 0)
        rc = do_all(&r, &e);
    redact_message(&j->redact, e.msg, sizeof(e.msg));
    if (rc < 0)
        log_error(&j->log, "backup failed", F_ERR(&e));
    else
        log_info(&j->log, "backup succeeded", F_STR("snapshot", r.result.summary.snapshot_id),
                 F_INT("bytes", r.result.summary.bytes_processed), F_STR("donor", r.result.donor));
    if (f->output_dir && *f->output_dir)
        reported = write_output(&r, rc, began, &e) == 0;
    release(&r);
    if (j->canceled)
        return EXIT_TERMINATED;
    return reported ? 0 : rc < 0 || (f->output_dir && *f->output_dir) ? 1 : 0;
}

/* What cannot be done without, with the reference product's exit status. */
static int check_required(const struct flags *f, const char *const *envp, struct error *e)
{
    if (!f->appbinding || !*f->appbinding)
        return error_set(e, ERR_INVALID, "--appbinding is missing: give the name of the database's AppBinding");
    if (!f->repo.provider || !*f->repo.provider)
        return backend_check_name(NULL, e);
    return repo_flags_check_secret(&f->repo, envp, e);
}

static int check_values(const struct flags *f, const char *const *envp, struct error *e)
{
    int rc = repo_flags_check(&f->repo, envp, e);

    if (rc < 0)
        return rc;
    rc = words_check(str_of(f->args), e);
    return rc < 0 ? error_wrap(e, rc, "--xtradb-args") : 0;
}

static int judge(struct job *j, const struct flags *f, const char *const *envp)
{
    struct error e;
    int status = EXIT_USAGE;

    if (check_required(f, envp, &e) < 0)
        status = EXIT_REQUIRED;
    else if (check_values(f, envp, &e) == 0)
        return run(j, f, envp, NULL);
    else if (f->output_dir && *f->output_dir) /* which update-status publishes */
        return run(j, f, envp, &e);
    (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
    return status;
}

int backup_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    struct flags f;
    struct error e;
    int n, status;
    const char **words = repo_flags_argv(argc, argv, &n);

    if (config_parse(&spec, n, words, envp, &f, NULL, NULL, &e) < 0) {
        (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
        status = EXIT_USAGE;
    } else if (f.help) {
        config_help(&spec, stdout);
        status = 0;
    } else {
        status = judge(j, &f, envp);
    }
    config_done(&spec, &f);
    mem_free(words);
    return status;
}
