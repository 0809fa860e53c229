/*
 * receiver: a backup's data path alone, for bench/stream: what a donor sends goes through the checks and the hash into
 * restic, as in backup_cluster, with no group and no server around it.
 *
 * usage: galera_receiver REPOSITORY_FOLDER SCRATCH ADDRESS PORT
 */
#include <stdio.h>
#include <stdlib.h>

#include "controllers/job/backup.h"
#include "controllers/job/backup_manifest.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/loop/tether.h"

struct transfer {
    struct backup b;
    struct receive receive;
    bool receiving, piping, done;
};

static void settle(struct transfer *t)
{
    t->done = !t->receiving && !t->piping;
}

static void fail(struct transfer *t, const struct error *e)
{
    backup_note(&t->b, e);
    receive_stop(&t->receive);
    if (t->piping)
        pipeline_abort(&t->b.pipeline, e);
}

/* ---- the donor's side ---- */

static void on_info(struct receive *r, const struct sst_info *info)
{
    struct transfer *t = r->data;

    backup_manifest_info(&t->b, info);
}

static bool on_data_begin(struct receive *r, struct error *e)
{
    struct transfer *t = r->data;

    t->piping = backup_start_pipeline(&t->b, "mariabackup", 0, e) == 0;
    return t->piping;
}

static bool on_data(struct receive *r, struct str bytes)
{
    struct transfer *t = r->data;

    return backup_write(&t->b, bytes);
}

static void on_data_end(struct receive *r)
{
    struct transfer *t = r->data;

    t->b.result->files = xbstream_files(r->stream);
    t->b.result->chunks = xbstream_chunks(r->stream);
    backup_manifest_stream(&t->b, r->stream);
    log_info(&t->b.job->log, "stream is complete", F_INT("bytes", t->b.pipeline.bytes));
    backup_commit(&t->b);
    receive_stop(r);
}

static void on_failed(struct receive *r, const struct error *e)
{
    fail(r->data, e);
}

static void on_closed(struct receive *r)
{
    struct transfer *t = r->data;

    t->receiving = false;
    settle(t);
}

/* ---- restic's side ---- */

static void on_writable(struct pipeline *p)
{
    struct transfer *t = ((struct backup *)p->data)->mode;

    receive_resume(&t->receive);
}

static void on_abort(struct pipeline *p)
{
    fail(((struct backup *)p->data)->mode, &p->why);
}

static void on_end(struct pipeline *p, int rc, const struct error *e)
{
    struct transfer *t = ((struct backup *)p->data)->mode;

    t->piping = false;
    if (rc < 0)
        fail(t, e);
    settle(t);
}

/* ---- both ---- */

static int transfer(struct transfer *t, struct job *j, char **argv, struct error *e)
{
    struct receive_addresses donor = {.n = 1};
    uint64_t port;

    if (str_to_u64(str_of(argv[4]), &port) < 0 || port > UINT16_MAX)
        return error_set(e, ERR_INVALID, "%s is no port", argv[4]);
    t->b.pipeline.on_writable = on_writable;
    t->b.pipeline.on_abort = on_abort;
    t->b.pipeline.on_end = on_end;
    t->receive = (struct receive){.job = j,
                                  .address = argv[3],
                                  .port = (uint16_t)port,
                                  .complete = {.flavour = XBSTREAM_MARIADB, .galera = true},
                                  .limits = t->b.params->limits,
                                  .on_info = on_info,
                                  .on_data_begin = on_data_begin,
                                  .on_data = on_data,
                                  .on_data_end = on_data_end,
                                  .on_failed = on_failed,
                                  .on_closed = on_closed,
                                  .data = t};
    if (receive_start(&t->receive, e) < 0)
        return e->code;
    t->receiving = true;
    (void)snprintf(donor.items[0], sizeof(donor.items[0]), "%s", argv[3]);
    receive_expect(&t->receive, &donor);
    log_info(&j->log, "listening");
    job_wait(j, &t->done);
    *e = t->b.error;
    return e->code;
}

static int run(struct job *j, struct secrets *storage, char **argv, struct error *e)
{
    struct backend_params backend = {.provider = "local", .bucket = argv[1], .file_dir = j->credential_dir};
    struct app app = {.name = "db", .ns = "demo"};
    struct backup_result result = {.path = BACKUP_STREAM_FILE};
    struct backup_params params;
    struct repo repo = {.job = j};
    struct transfer t = {0};
    int rc;

    backup_defaults(&params);
    params.ns = "demo";
    params.session = "bench";
    t.b = (struct backup){.job = j, .repo = &repo, .app = &app, .params = &params, .result = &result, .mode = &t,
                          .began_s = env_wall_ms(j->env) / 1000};
    rc = secrets_read_dir(storage, getenv("STASH_STORAGE_SECRET_DIR"), e);
    if (rc == 0)
        rc = repo_init(&repo, j, &backend, secrets_get, storage, e);
    if (rc == 0)
        rc = transfer(&t, j, argv, e);
    manifest_hash_free(t.b.hash);
    restic_done(&t.b.command);
    repo_done(&repo);
    return rc;
}

int main(int argc, char **argv)
{
    struct secrets storage = {0};
    struct error e = {0};
    struct env *env;
    struct job j;
    int rc;

    tether_init(argc, argv);
    if (argc != 5)
        return 2;
    mem_install(1);
    env = env_uv_new();
    job_init(&j, env, argv[2], argv[2]);
    rc = run(&j, &storage, argv, &e);
    if (rc < 0)
        log_error(&j.log, "the transfer failed", F_ERR(&e));
    secrets_done(&storage);
    job_done(&j);
    env_uv_free(env);
    return rc < 0 ? 1 : 0;
}
