/*
 * driver: a backup without an API server: the AppBinding comes from a file, output.json goes to stdout. The rest is
 * what stash-job runs. Settings for tests come from the environment: DRIVER_SST_PORT, DRIVER_GROUP_PORT,
 * DRIVER_TOLD_PORT, DRIVER_FIRST_MS, DRIVER_GAP_MS, DRIVER_IDLE_MS, DRIVER_UNREADABLE_MS, DRIVER_STALL_MS,
 * DRIVER_REQUEST_MS, DRIVER_SYNCED_S.
 *
 * usage: galera_driver APPBINDING.json REPOSITORY_FOLDER SCRATCH
 */
#include <stdio.h>
#include <stdlib.h>

#include "controllers/job/backup.h"
#include "controllers/job/output.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/loop/tether.h"

static void number(const char *name, uint32_t *out)
{
    uint64_t n;

    if (getenv(name) && str_to_u64(str_of(getenv(name)), &n) == 0)
        *out = (uint32_t)n;
}

static void settings(struct backup_params *p)
{
    uint32_t sst = p->sst_port, group = p->group_port, told = 0;

    number("DRIVER_SST_PORT", &sst);
    number("DRIVER_GROUP_PORT", &group);
    number("DRIVER_TOLD_PORT", &told);
    number("DRIVER_FIRST_MS", &p->limits.first_ms);
    number("DRIVER_GAP_MS", &p->limits.gap_ms);
    number("DRIVER_IDLE_MS", &p->limits.idle_ms);
    number("DRIVER_UNREADABLE_MS", &p->limits.unreadable_ms);
    number("DRIVER_STALL_MS", &p->stall_ms);
    number("DRIVER_REQUEST_MS", &p->request_ms);
    if (getenv("DRIVER_SYNCED_S") && str_to_u64(str_of(getenv("DRIVER_SYNCED_S")), &p->synced_s) < 0)
        p->synced_s = 0;
    p->sst_port = (uint16_t)sst;
    p->group_port = (uint16_t)group;
    p->told_port = (uint16_t)told;
    p->wait_s = 20;
    number("DRIVER_PROGRESS_MS", &p->progress_ms);
    p->own_address = getenv("POD_IP");
    p->ns = "demo";
    p->session = "session-1";
}

static void on_signal(void *ctx, int sig)
{
    (void)sig;
    job_cancel(ctx);
}

static void note_secret(void *ctx, struct str value)
{
    job_redact(ctx, value);
}

static int run(struct job *j, struct repo *repo, struct app *app, struct secrets *storage, char **argv,
               struct backup_result *result, const json_t *appbinding, struct error *e)
{
    struct backend_params backend = {.provider = "local", .bucket = argv[2], .file_dir = j->credential_dir};
    struct app_sources sources = {.app_dir = getenv("STASH_APP_SECRET_DIR"), .tls_dir = getenv("STASH_APP_TLS_DIR")};
    struct backup_params p;
    bool created;
    int rc;

    backup_defaults(&p);
    settings(&p);
    if ((rc = secrets_read_dir(storage, getenv("STASH_STORAGE_SECRET_DIR"), e)) < 0 ||
        (rc = repo_init(repo, j, &backend, secrets_get, storage, e)) < 0 || (rc = repo_ensure(repo, &created, e)) < 0 ||
        (rc = app_init(app, appbinding, &sources, e)) < 0)
        return rc;
    app_each_secret(app, note_secret, j);
    return backup_run(j, repo, app, &p, result, e);
}

static void print_output(const struct backup_result *result, int rc, struct job *j, struct error *e)
{
    struct output_ref ref = {.kind = "AppBinding"};
    struct output_donor donor = {.name = result->donor,
                                 .seconds = result->transfer.donor_s,
                                 .flow_control_percent = result->transfer.flow_control_percent,
                                 .queue_max = (int64_t)result->transfer.queue_max,
                                 .stream_bytes = (int64_t)result->bytes};
    struct output_result r = {.hostname = "host-0",
                              .path = result->path,
                              .snapshot = &result->summary,
                              .donor = result->transfer.donor_s > 0 ? &donor : NULL};
    json_t *o;
    char *text;

    redact_message(&j->redact, e->msg, sizeof(e->msg));
    r.error = rc < 0 ? e->msg : NULL;
    o = output_make(&ref, &r);
    text = output_text(o);
    (void)puts(text);
    mem_free(text);
    json_decref(o);
}

int main(int argc, char **argv)
{
    struct backup_result result = {0};
    struct secrets storage = {0};
    struct repo repo = {0};
    struct app app = {0};
    struct error e = {0};
    struct env *env;
    struct job j;
    json_t *appbinding;
    int rc;

    tether_init(argc, argv);
    if (argc != 4)
        return 2;
    mem_install(1);
    job_harden();
    env = env_uv_new();
    job_init(&j, env, argv[3], argv[3]);
    env_uv_on_signal(env, on_signal, &j);
    appbinding = json_load_file(argv[1], 0, NULL);
    if (!appbinding)
        return 2;
    rc = run(&j, &repo, &app, &storage, argv, &result, appbinding, &e);
    print_output(&result, rc, &j, &e);
    app_done(&app);
    repo_done(&repo);
    secrets_done(&storage);
    json_decref(appbinding);
    env_uv_on_signal(env, NULL, NULL);
    job_done(&j);
    env_uv_free(env);
    return rc < 0 ? 1 : 0;
}
