/* backup: see backup.h: what both modes have in common. */
#include "controllers/job/backup.h"

#include <stdio.h>

#include "core/base/mem.h"

#define RUN_TAG "stash.run"

enum {
    CANCELED_WAIT_S = 20, /* of a pod's grace of 60 s */
    DUMP_TRIES = 5,
};

void backup_defaults(struct backup_params *p)
{
    *p = (struct backup_params){
        .hostname = "host-0",
        .args = "--all-databases",
        .wait_s = 300,
        .sst_port = 4444,
        .group_port = 4567,
        .request_ms = 300000,
        .synced_s = 120,
        /* 8.0's donors give up after 120 s without progress and call it success: we stop well before. */
        .limits = {.first_ms = 100000, .gap_ms = 60000, .idle_ms = 120000, .unreadable_ms = 15000},
        .stall_ms = 60000,
        .lock_wait_s = REPO_LOCK_WAIT_S,
        .progress_ms = 30000,
    };
}

void backup_note(struct backup *b, const struct error *e)
{
    if (!b->error.code)
        b->error = *e;
}

static void add_tag(struct restic_command *c, const char *name, const char *value)
{
    AUTO_FREE char *tag = NULL;

    if (!value || !*value)
        return;
    tag = mem_printf("%s=%s", name, value);
    for (char *p = tag; *p; p++)
        if (*p == ',') /* restic splits its --tag there */
            *p = '_';
    restic_add(c, "--tag");
    restic_add(c, tag);
}

static void build_command(struct backup *b, const char *method)
{
    const struct backup_params *p = b->params;
    AUTO_FREE char *target = mem_printf("AppBinding/%s/%s", b->app->ns, b->app->name);
    AUTO_FREE char *invoker =
        p->invoker_name && *p->invoker_name ? mem_printf("%s/%s", p->invoker_kind, p->invoker_name) : NULL;
    struct restic_command *c = &b->command;

    restic_begin(c, &b->repo->backend, "backup");
    restic_add(c, "--stdin");
    restic_add(c, "--json");
    restic_add_option(c, "stdin-filename", b->result->path);
    restic_add_option(c, "host", p->hostname);
    restic_add_retry_lock(c, b->repo->version, b->repo->retry_lock_s);
    add_tag(c, REPO_CLUSTER_TAG, b->repo->cluster);
    add_tag(c, "stash.namespace", p->ns);
    add_tag(c, "stash.invoker", invoker);
    add_tag(c, "stash.session", p->session);
    add_tag(c, RUN_TAG, b->id);
    add_tag(c, "stash.target", target);
    add_tag(c, "stash.method", method);
    add_tag(c, "stash.donor", b->result->donor);
    add_tag(c, "stash.server", b->result->version);
    add_tag(c, "stash.position", b->result->manifest.requested);
    add_tag(c, MANIFEST_TAG, "1"); /* from the first: what has the tag and no manifest is not whole */
}

static void on_progress(struct pipeline *pl, const struct pipeline_progress *now)
{
    struct backup *b = pl->data;

    if (now->percent >= 0)
        log_info(&b->job->log, "backup runs", F_INT("bytes", now->bytes),
                 F_INT("bytes_per_second", now->bytes_per_second), F_INT("percent", now->percent));
    else
        log_info(&b->job->log, "backup runs", F_INT("bytes", now->bytes),
                 F_INT("bytes_per_second", now->bytes_per_second));
    b->progress = *now;
    b->progress_due = true;
    backup_wake(b);
}

void backup_wake(struct backup *b)
{
    b->wake = true;
}

void backup_wait(struct backup *b, const bool *done)
{
    while (!*done) {
        b->wake = false;
        job_wait(b->job, &b->wake);
        if (b->progress_due && !*done && b->params->on_progress)
            b->params->on_progress(b->params->ctx, &b->progress);
        b->progress_due = false;
    }
}

int backup_start_pipeline(struct backup *b, const char *method, uint64_t expected_bytes, struct error *e)
{
    struct buf line;

    manifest_hash_free(b->hash); /* of an earlier try */
    b->hash = manifest_hash_new();
    build_command(b, method);
    buf_init(&line, 16384);
    redact_argv(&b->job->redact, &line, restic_argv(&b->command));
    log_info(&b->job->log, "restic starts", F_VIEW("command", buf_str(&line)));
    buf_done(&line);
    b->pipeline.repo = b->repo;
    b->pipeline.command = &b->command;
    b->pipeline.expected_bytes = expected_bytes;
    b->pipeline.stall_limit_ms = b->params->stall_ms;
    b->pipeline.progress_every_ms = b->params->progress_ms;
    b->pipeline.on_progress = on_progress;
    b->pipeline.data = b;
    return pipeline_start(&b->pipeline, e);
}

bool backup_write(struct backup *b, struct str bytes)
{
    manifest_hash_feed(b->hash, bytes);
    return pipeline_write(&b->pipeline, bytes);
}

static void fill_manifest(struct backup *b, struct manifest *m)
{
    const struct backup_result *r = b->result;

    manifest_hash_hex(b->hash, m->sha256);
    m->bytes = b->pipeline.bytes;
    m->began_s = b->began_s;
    m->seconds = (uint64_t)(env_wall_ms(b->job->env) / 1000 - b->began_s);
    m->files = r->files;
    m->chunks = r->chunks;
    (void)snprintf(m->server, sizeof(m->server), "%s", r->version);
    (void)snprintf(m->donor, sizeof(m->donor), "%s", r->donor);
}

void backup_commit(struct backup *b)
{
    struct manifest *m = &b->result->manifest;
    struct buf record;

    fill_manifest(b, m);
    buf_init(&record, MANIFEST_BYTES);
    manifest_format(m, &record);
    if (!pipeline_write(&b->pipeline, buf_str(&record)))
        log_debug(&b->job->log, "restic is behind"); /* nothing has to be held back: it is the last */
    buf_done(&record);
    log_info(&b->job->log, "manifest is written", F_INT("bytes", m->bytes), F_STR("sha256", m->sha256),
             F_STR("position", m->position));
    pipeline_commit(&b->pipeline);
}

/* restic was told that its input is good, then ended without a word: it may have made the snapshot all the same. */
static void find_unseen_snapshot(struct backup *b)
{
    AUTO_FREE char *path = mem_printf("/%s", b->result->path);
    struct error e;

    /* By what nobody else has: sessions of one due time have the same name in each cluster and namespace, and theirs
     * may be a good snapshot. */
    if (!b->pipeline.committed || b->pipeline.summary.snapshot_id[0])
        return;
    if (repo_find_tagged(b->repo, b->params->hostname, path, RUN_TAG, b->id, b->pipeline.summary.snapshot_id, &e) < 0)
        log_warn(&b->job->log, "whether a snapshot was made could not be seen", F_ERR(&e));
}

/* A snapshot that restic made although the backup failed: it must not become somebody's "latest". */
static void forget_bad_snapshot(struct backup *b, uint64_t wait_s, struct error *e)
{
    const char *id = b->pipeline.summary.snapshot_id;
    struct error why;

    if (!id[0])
        return;
    if (repo_forget_one(b->repo, id, wait_s, &why) < 0)
        (void)error_wrap(e, e->code, "snapshot %s was made and could NOT be removed (%s), do not use it", id, why.msg);
    else
        (void)error_wrap(e, e->code, "snapshot %s was made and has been removed again", id);
}

/* What is still done in the repository after a failure, a SIGTERM included. */
static void clean_up(struct backup *b, struct error *e)
{
    bool canceled = b->job->canceled;

    b->job->canceled = false;
    b->repo->is_hurried = canceled;
    if (b->pipeline.lock_stayed) /* first: it would be in the way of forgetting */
        repo_unlock_stale(b->repo);
    find_unseen_snapshot(b);
    forget_bad_snapshot(b, canceled ? CANCELED_WAIT_S : b->params->lock_wait_s, e);
    b->job->canceled = canceled;
}

/* Somebody may lock the repository between our look and restic's start: a dump can begin again. */
static int dump_unlocked(struct backup *b, struct error *e)
{
    const struct backup_params *p = b->params;
    int rc = backup_dump(b, e);

    for (int try = 1; rc == ERR_CONFLICT && try < DUMP_TRIES; try++) {
        log_warn(&b->job->log, "the repository was locked meanwhile", F_ERR(e), F_INT("try", try));
        if ((rc = repo_wait_unlocked(b->repo, false, p->lock_wait_s, e)) < 0)
            return rc;
        restic_done(&b->command);
        b->command = (struct restic_command){0};
        b->pipeline = (struct pipeline){0};
        b->error = (struct error){0};
        rc = backup_dump(b, e);
    }
    return rc;
}

int backup_run(struct job *j, struct repo *repo, const struct app *app, const struct backup_params *p,
               struct backup_result *out, struct error *e)
{
    bool cluster = *app->group;
    struct backup b = {.job = j, .repo = repo, .app = app, .params = p, .result = out,
                       .began_s = env_wall_ms(j->env) / 1000};
    int rc = sql_init(&b.sql, j, app, e);

    (void)snprintf(b.id, sizeof(b.id), "%016llx", (unsigned long long)env_random(j->env));
    *out = (struct backup_result){.path = cluster ? BACKUP_STREAM_FILE : BACKUP_DUMP_FILE,
                                  .manifest.is_dump = !cluster};
    if (rc == 0)
        rc = sql_wait(&b.sql, p->wait_s, e);
    if (rc == 0)
        rc = repo_wait_unlocked(repo, false, p->lock_wait_s, e);
    if (rc == 0)
        rc = cluster ? backup_cluster(&b, e) : dump_unlocked(&b, e);
    if (rc < 0)
        clean_up(&b, e);
    out->summary = b.pipeline.summary;
    manifest_hash_free(b.hash);
    restic_done(&b.command);
    sql_done(&b.sql);
    return rc;
}
