/*
 * restore_logical: a dump through the database's client, in one session with one server. What the client had done
 * before it failed stays done: the error says so.
 */
#include "controllers/job/restore_parts.h"

#include <unistd.h>

#include "controllers/job/backup.h"
#include "controllers/job/restore_pump.h"
#include "controllers/job/words.h"
#include "controllers/podspec.h"
#include "core/base/mem.h"

enum { PROGRESS_MS = 10000 };

static int fetch(void *ctx, const char *ns, const char *name, struct secrets *out, struct error *e)
{
    struct restore *r = ctx;
    json_t *object = NULL;
    int rc = restore_api(r, e);

    if (rc == 0)
        rc = apiserver_get(r->api, &apiserver_secret_kind, ns, name, &object, e);
    if (rc == ERR_NOTFOUND)
        (void)error_set(e, ERR_NOTFOUND, "Secret %s/%s not found", ns, name);
    if (rc == 0)
        rc = secrets_read_object(out, object, e);
    json_decref(object);
    return rc;
}

static void note_secret(void *ctx, struct str value)
{
    job_redact(ctx, value);
}

static const char *folder(const struct restore *r, const char *variable, const char *fallback)
{
    const char *value = repo_flags_env(r->envp, variable);

    return value && *value ? value : fallback;
}

static int pump(struct restore *r, struct sql *s, const char *option_file, struct error *e)
{
    struct restore_pump p = {.repo = &r->repo,
                             .snapshot = r->snapshot,
                             .file = "/" BACKUP_DUMP_FILE,
                             .envp = job_environment(r->job),
                             .program = s->program,
                             .progress_every_ms = PROGRESS_MS,
                             .manifest_required = r->has_manifest,
                             .expected_bytes = r->bytes > 0 ? (uint64_t)r->bytes : 0};
    struct words w = {0};
    int rc;

    words_add(&w, s->program);
    words_addf(&w, "--defaults-extra-file=%s", option_file); /* must come first */
    words_add(&w, "--batch");
    rc = words_split(&w, str_of(r->flags->args), e);
    if (rc < 0) {
        (void)error_wrap(e, rc, "--xtradb-args");
    } else {
        p.argv = words_argv(&w);
        log_info(&r->job->log, "the dump goes into the database", F_STR("snapshot", r->snapshot));
        rc = restore_pump_run(&p, e);
        r->bytes = (int64_t)p.bytes;
        if (rc < 0 && p.bytes)
            (void)error_wrap(e, rc, "the database may be partly written: after %llu bytes of the dump",
                             (unsigned long long)p.bytes);
    }
    words_done(&w);
    return rc;
}

static int with_app(struct restore *r, const struct app *app, struct error *e)
{
    AUTO_FREE char *option_file = NULL;
    struct sql s;
    int rc = sql_init(&s, r->job, app, e);

    if (rc == 0)
        rc = sql_wait(&s, r->flags->wait_s, e);
    if (rc == 0)
        rc = sql_option_file(&s, "restore.cnf", NULL, 0, &option_file, e);
    if (rc == 0)
        rc = pump(r, &s, option_file, e);
    if (option_file)
        (void)unlink(option_file); /* in a folder that goes with the pod */
    sql_done(&s);
    return rc;
}

int restore_logical(struct restore *r, struct error *e)
{
    const struct restore_flags *f = r->flags;
    AUTO_FREE char *extra = mem_printf("%.*s", (int)strcspn(PODSPEC_APP_EXTRA_DIR, "%"), PODSPEC_APP_EXTRA_DIR);
    struct app_sources from = {.app_dir = folder(r, "STASH_APP_SECRET_DIR", PODSPEC_APP_DIR),
                               .tls_dir = folder(r, "STASH_APP_TLS_DIR", PODSPEC_APP_TLS_DIR),
                               .extra_dir = extra,
                               .fetch = fetch,
                               .ctx = r};
    json_t *object = NULL;
    struct app app = {0};
    int rc = restore_api(r, e);

    if (rc == 0)
        rc = apiserver_get(r->api, kind_get(KIND_APPBINDING), f->app_ns, f->app, &object, e);
    if (rc == 0)
        rc = app_init(&app, object, &from, e);
    app_each_secret(&app, note_secret, r->job);
    if (rc == 0)
        rc = with_app(r, &app, e);
    app_done(&app);
    json_decref(object);
    return rc;
}
