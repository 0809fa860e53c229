/* repo: see repo.h. */
#include "controllers/job/repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum {
    OUT_MAX = 64 * 1024 * 1024, /* snapshots of a big repository: 1 kB each */
    TRIES = 5,
    FIRST_PAUSE_MS = 5000,
    PAUSE_MAX_MS = 60000,
};

static int write_files(struct repo *r, struct error *e)
{
    for (size_t i = 0; i < r->backend.n_files; i++) {
        int rc = env_uv_write_file(r->backend.files[i].path, secret_str(&r->backend.files[i].bytes), 0600, false, e);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static void note_secret(void *ctx, struct str value)
{
    job_redact(ctx, value);
}

/* restic gets a TMPDIR of its own, which goes with us. */
static int make_environment(struct repo *r, struct error *e)
{
    const char *const *base = job_environment(r->job);
    const char *extra[12];
    size_t n = 0;
    int rc;

    r->tmp_dir = mem_printf("%s/restic-tmp-%ld", r->job->scratch_dir, (long)getpid());
    if ((rc = job_make_dir(r->tmp_dir, 0700, e)) < 0)
        return rc;
    for (; *base && n < 10; base++)
        if (!str_starts(str_of(*base), STR("TMPDIR=")))
            extra[n++] = *base;
    extra[n] = NULL;
    r->envp = restic_environment(&r->backend, extra);
    for (n = 0; r->envp[n]; n++)
        ;
    r->envp = mem_realloc(r->envp, (n + 2) * sizeof(*r->envp));
    r->envp[n] = mem_printf("TMPDIR=%s", r->tmp_dir);
    r->envp[n + 1] = NULL;
    return 0;
}

static int ask_version(struct repo *r, struct error *e)
{
    static const char *const argv[] = {"restic", "version", NULL};
    struct job_command c = {.argv = argv, .envp = r->envp, .out_max = 4096, .timeout_ms = 30000};
    struct job_result out;
    int rc = job_run_ok(r->job, &c, &out, e);

    if (rc == 0)
        r->version = restic_parse_version(buf_str(&out.out));
    job_result_done(&out);
    if (rc == 0 && r->version < RESTIC_VERSION(0, 14, 0))
        rc = error_set(e, ERR_INVALID, "restic 0.14 or newer is needed");
    return rc;
}

int repo_init(struct repo *r, struct job *j, const struct backend_params *p, backend_key *key, void *ctx,
              struct error *e)
{
    int rc;

    *r = (struct repo){.job = j, .retry_lock_s = 600};
    backend_each_secret(key, ctx, note_secret, j);
    rc = backend_init(&r->backend, p, key, ctx, e);
    if (rc == 0 && p->cache)
        rc = job_make_dir(p->cache_dir, 0755, e);
    if (rc == 0)
        rc = write_files(r, e);
    if (rc == 0)
        rc = make_environment(r, e);
    return rc == 0 ? ask_version(r, e) : rc;
}

void repo_done(struct repo *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->backend.n_files; i++)
        (void)unlink(r->backend.files[i].path); /* it may never have been written */
    if (r->tmp_dir)
        job_remove(r->tmp_dir);
    while (r->envp && r->envp[n])
        n++;
    if (n && str_starts(str_of(r->envp[n - 1]), STR("TMPDIR=")))
        mem_free((char *)(uintptr_t)r->envp[n - 1]);
    mem_free(r->envp);
    mem_free(r->tmp_dir);
    backend_done(&r->backend);
}

/* ---- one command ---- */

static int run_once(struct repo *r, const struct restic_command *c, enum restic_class *ret, struct buf *out,
                    struct error *e)
{
    struct job_command command = {
        .argv = restic_argv(c), .envp = r->envp, .out_max = out ? out->max : OUT_MAX, .quiet = true,
        .timeout_ms = r->timeout_ms, .stop_signal = REPO_STOP_SIGNAL};
    struct job_result result;
    char text[400];
    int rc = job_run(r->job, &command, &result, e);

    if (rc == 0) {
        struct str err = buf_str(&result.err.text);

        *ret = restic_classify(r->version, result.status, result.sig, err);
        restic_error_text(err, text, sizeof(text));
        redact_message(&r->job->redact, text, sizeof(text));
        if (*ret != RESTIC_ABSENT && result.err.text.len)
            log_info(&r->job->log, "restic says", F_STR("command", command.argv[1]), F_VIEW("text", err));
        if (*ret != RESTIC_OK && result.sig)
            (void)error_set(e, ERR_INVALID, "restic %s was killed by signal %d%s", command.argv[1], result.sig,
                            result.sig == SIGKILL ? "; is the container's memory limit too small?" : "");
        else if (*ret != RESTIC_OK)
            (void)error_set(e, ERR_INVALID, "restic %s: %s", command.argv[1],
                            *text ? text : "it failed without a word");
        if (out)
            buf_add_str(out, buf_str(&result.out));
    }
    job_result_done(&result);
    return rc;
}

int repo_run(struct repo *r, const struct restic_command *c, enum restic_class *ret, struct buf *out, struct error *e)
{
    uint32_t pause = FIRST_PAUSE_MS;
    int rc;

    for (int try = 1;; try++) {
        if (out)
            buf_clear(out);
        rc = run_once(r, c, ret, out, e);
        if (rc < 0 || *ret != RESTIC_BUSY || try == TRIES)
            return rc;
        log_warn(&r->job->log, "restic could not reach the backend", F_ERR(e), F_INT("try", try));
        if ((rc = job_sleep(r->job, pause, e)) < 0)
            return rc;
        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
}

int repo_run_ok(struct repo *r, const struct restic_command *c, struct buf *out, struct error *e)
{
    enum restic_class class;
    int rc = repo_run(r, c, &class, out, e);

    return rc < 0 ? rc : class == RESTIC_OK ? 0 : ERR_INVALID;
}

/* ---- does it exist ---- */

int repo_ask(struct repo *r, enum restic_class *ret, struct error *e)
{
    struct restic_command c;
    int rc;

    restic_begin(&c, &r->backend, "cat config");
    restic_add(&c, "--no-lock");
    rc = repo_run(r, &c, ret, NULL, e);
    restic_done(&c);
    if (rc == 0 && *ret == RESTIC_UNREADABLE)
        (void)error_set(e, ERR_INVALID,
                        "the repository %.300s does not open with the key that is found in it: its configuration is "
                        "damaged, or two clusters made it at the same moment. If it is new it holds no data: remove "
                        "its config and keys, and let one of them make a backup before the other",
                        r->backend.location);
    return rc;
}

int repo_ensure(struct repo *r, bool *ret_created, struct error *e)
{
    struct restic_command c;
    enum restic_class class;
    int rc = repo_ask(r, &class, e);

    *ret_created = false;
    if (rc < 0 || class == RESTIC_OK)
        return rc;
    if (class != RESTIC_ABSENT)
        return ERR_INVALID; /* a wrong password, a refused connection: never a reason to make a new one */
    restic_begin(&c, &r->backend, "init");
    rc = repo_run(r, &c, &class, NULL, e);
    restic_done(&c);
    if (rc < 0 || class == RESTIC_OK) {
        *ret_created = rc == 0;
        return rc;
    }
    if (class != RESTIC_PRESENT)
        return ERR_INVALID;
    rc = repo_ask(r, &class, e); /* somebody else made it at the same time */
    return rc < 0 ? rc : class == RESTIC_OK ? 0 : ERR_INVALID;
}

/* ---- snapshots ---- */

int repo_snapshots(struct repo *r, const char *host, const char *path, bool latest, struct restic_snapshots *out,
                   struct error *e)
{
    struct restic_command c;
    struct buf text;
    int rc;

    *out = (struct restic_snapshots){0};
    buf_init(&text, OUT_MAX);
    restic_begin(&c, &r->backend, "snapshots");
    restic_add(&c, "--json");
    restic_add(&c, "--no-lock");
    restic_add_option(&c, "host", host);
    restic_add_option(&c, "path", path);
    if (latest)
        restic_add(&c, "--latest=1");
    rc = repo_run_ok(r, &c, &text, e);
    if (rc == 0)
        rc = restic_parse_snapshots(buf_str(&text), out, e);
    restic_done(&c);
    buf_done(&text);
    return rc;
}

bool repo_is_own(const struct repo *r, const struct restic_snapshot *s)
{
    const char *cluster = restic_tag(s, REPO_CLUSTER_TAG);

    return str_same(cluster ? cluster : "", r->cluster ? r->cluster : "");
}

int repo_find_tagged(struct repo *r, const char *host, const char *path, const char *tag, const char *value,
                     char id[65], struct error *e)
{
    struct restic_snapshots list;
    int rc = repo_snapshots(r, host, path, false, &list, e);

    id[0] = 0;
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < list.n; i++)
        if (str_same(restic_tag(&list.items[i], tag), value))
            (void)snprintf(id, 65, "%s", list.items[i].id);
    restic_snapshots_done(&list);
    return 0;
}

/* Of "restic ls --json": one node a line; the file is the only one. */
static void take_size(void *ctx, struct str line)
{
    json_t *o = json_loadb(line.n ? line.p : "", line.n, 0, NULL);
    uint64_t *size = ctx;

    if (str_same(json_text(o, "type"), "file"))
        *size += (uint64_t)json_int(o, "size", 0);
    json_decref(o);
}

static uint64_t size_of(struct repo *r, const char *id)
{
    struct restic_command c;
    struct job_command command;
    struct job_result result;
    struct error e;
    uint64_t size = 0;

    restic_begin(&c, &r->backend, "ls");
    restic_add(&c, "--json");
    restic_add(&c, "--no-lock");
    restic_add(&c, id);
    command = (struct job_command){
        .argv = restic_argv(&c), .envp = r->envp, .timeout_ms = 60000, .on_line = take_size, .ctx = &size,
        .stop_signal = REPO_STOP_SIGNAL};
    if (job_run_ok(r->job, &command, &result, &e) < 0)
        size = 0;
    job_result_done(&result);
    restic_done(&c);
    return size;
}

uint64_t repo_last_size(struct repo *r, const char *host, const char *path)
{
    struct restic_snapshots list;
    struct error e;
    uint64_t size = 0;

    if (repo_snapshots(r, host, path, true, &list, &e) < 0)
        return 0;
    if (list.n) {
        const struct restic_snapshot *last = &list.items[list.n - 1];

        size = last->bytes >= 0 ? (uint64_t)last->bytes : size_of(r, last->id);
    }
    restic_snapshots_done(&list);
    return size;
}

int repo_forget_one(struct repo *r, const char *id, uint64_t wait_s, struct error *e)
{
    struct restic_command c;
    int rc;

    restic_begin(&c, &r->backend, "forget");
    restic_add_retry_lock(&c, r->version, (int64_t)wait_s);
    restic_add(&c, id);
    rc = repo_run_waiting(r, &c, true, wait_s, NULL, e);
    restic_done(&c);
    return rc;
}
