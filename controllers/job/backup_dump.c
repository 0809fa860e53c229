/*
 * backup_dump: a standalone server by its dump program. restic hears of the end only when the program exited with 0 and
 * its last line says that the dump is whole: a client that was cut off by a proxy may still end in order.
 */
#include <signal.h>
#include <unistd.h>

#include "controllers/job/backup.h"
#include "controllers/job/backup_manifest.h"
#include "controllers/job/dump_scan.h"
#include "controllers/job/sst.h"
#include "controllers/job/words.h"
#include "core/base/mem.h"

enum { LAST_MAX = 512, KILL_AFTER_MS = 10000 };

struct dump {
    struct backup *b;
    struct words argv;
    char *option_file;
    struct proc proc;
    struct timer kill;
    struct job_tail err;
    struct dump_scan scan;
    char last[LAST_MAX]; /* the last bytes of the dump */
    size_t n_last;
    bool running, pipeline_over, done, no_trailer;
};

static struct env *env_of(struct dump *d)
{
    return d->b->job->env;
}

static void settle(struct dump *d)
{
    d->done = !d->running && d->pipeline_over;
    if (d->done)
        backup_wake(d->b);
}

/* Ends both sides; the first failure is the one that counts. */
static void fail(struct dump *d, const struct error *e)
{
    backup_note(d->b, e);
    pipeline_abort(&d->b->pipeline, &d->b->error);
    if (d->running) {
        env_of(d)->ops->proc_pause(env_of(d), &d->proc, false); /* a paused child's end is not seen */
        env_of(d)->ops->proc_kill(env_of(d), &d->proc, SIGTERM);
        if (!timer_is_set(&d->kill))
            timer_set_in(env_of(d), &d->kill, KILL_AFTER_MS);
    }
}

static void on_kill(struct timer *t)
{
    struct dump *d = t->data;

    env_of(d)->ops->proc_kill(env_of(d), &d->proc, SIGKILL);
}

static void cancel(struct job_op *op)
{
    struct backup *b = LIST_ENTRY(op, struct backup, op);
    struct error e;

    if (job_check(b->job, &e) < 0)
        fail(b->mode, &e);
}

/* ---- the dump program ---- */

static void keep_last(struct dump *d, struct str bytes)
{
    size_t keep;

    if (bytes.n >= LAST_MAX) {
        memcpy(d->last, bytes.p + bytes.n - LAST_MAX, LAST_MAX);
        d->n_last = LAST_MAX;
        return;
    }
    keep = d->n_last + bytes.n > LAST_MAX ? LAST_MAX - bytes.n : d->n_last;
    memmove(d->last, d->last + d->n_last - keep, keep);
    memcpy(d->last + keep, bytes.p, bytes.n);
    d->n_last = keep + bytes.n;
}

static bool has_trailer(const struct dump *d)
{
    struct str rest = {d->last, d->n_last}, line, last = STR_NONE;

    while (str_cut(&rest, '\n', &line))
        if (line.n)
            last = line;
    return str_starts(last, STR("-- Dump completed"));
}

static void on_stdout(struct proc *p, struct str bytes)
{
    struct dump *d = p->data;

    if (d->b->error.code)
        return;
    keep_last(d, bytes);
    dump_scan_feed(&d->scan, bytes);
    if (!backup_write(d->b, bytes))
        env_of(d)->ops->proc_pause(env_of(d), &d->proc, true);
}

static void on_stderr(struct proc *p, struct str line)
{
    struct dump *d = p->data;

    job_tail_add(&d->err, line);
    if (line.n)
        log_info(&d->b->job->log, "child says", F_STR("program", d->argv.items[0]), F_VIEW("line", line));
}

static void on_exit_cb(struct proc *p, int status, int sig)
{
    struct dump *d = p->data;
    struct error e;

    d->running = false;
    timer_clear(env_of(d), &d->kill);
    if (status || sig) {
        (void)job_child_error(d->b->job, d->argv.items[0], status, sig, &d->err, &e);
        fail(d, &e);
    } else if (!d->b->error.code && !d->no_trailer && !has_trailer(d)) {
        (void)error_set(&e, ERR_INVALID, "%s ended well, but the dump has no last line '-- Dump completed'",
                        d->argv.items[0]);
        fail(d, &e);
    } else if (!d->b->error.code) {
        d->b->result->manifest.tables = d->scan.tables;
        d->b->result->manifest.rows = d->scan.rows;
        backup_manifest_tool(d->b, d->argv.items[0]);
        backup_commit(d->b);
    }
    settle(d);
}

/* ---- restic ---- */

static void on_writable(struct pipeline *p)
{
    struct dump *d = ((struct backup *)p->data)->mode;

    if (d->running)
        env_of(d)->ops->proc_pause(env_of(d), &d->proc, false);
}

static void on_abort(struct pipeline *p)
{
    struct dump *d = ((struct backup *)p->data)->mode;

    fail(d, &p->why);
}

static void on_end(struct pipeline *p, int rc, const struct error *e)
{
    struct dump *d = ((struct backup *)p->data)->mode;

    d->pipeline_over = true;
    if (rc < 0)
        fail(d, e); /* restic first: nobody would drain the dump */
    settle(d);
}

/* ---- the run ---- */

static int build_argv(struct dump *d, struct error *e)
{
    static const char *const mariadb[] = {"mariadb-dump", "mysqldump", NULL};
    static const char *const mysql[] = {"mysqldump", "mariadb-dump", NULL};
    static const char *const options[] = {"--single-transaction", "--quick",    "--routines",        "--events",
                                          "--triggers",           "--hex-blob", "--skip-lock-tables"};
    struct backup *b = d->b;
    const char *program = job_find_program(b->sql.client == APP_CLIENT_MARIADB ? mariadb : mysql);
    struct words own = {0};
    int rc;

    if (!program)
        return error_set(e, ERR_NOTFOUND, "this image has no dump program (mariadb-dump or mysqldump)");
    if ((rc = sql_option_file(&b->sql, "dump.cnf", NULL, 0, &d->option_file, e)) < 0)
        return rc;
    words_add(&d->argv, program);
    words_addf(&d->argv, "--defaults-extra-file=%s", d->option_file);
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        words_add(&d->argv, options[i]);
    if (!strstr(b->result->version, "MariaDB") && b->sql.client == APP_CLIENT_MYSQL) {
        words_add(&d->argv, "--set-gtid-purged=OFF");
        words_add(&d->argv, "--skip-add-locks"); /* Percona's strict mode refuses LOCK TABLES when it is read back */
    }
    /* The user's words come last and win. */
    rc = words_split(&own, str_of(b->params->args), e);
    for (size_t i = 0; i < own.n; i++) {
        d->no_trailer |= str_same(own.items[i], "--skip-comments") || str_same(own.items[i], "--compact");
        words_add(&d->argv, own.items[i]);
    }
    words_done(&own);
    return rc < 0 ? error_wrap(e, rc, "--xtradb-args") : 0;
}

static int start_dump(struct dump *d, struct error *e)
{
    struct proc_spec spec = {.argv = words_argv(&d->argv),
                             .envp = job_environment(d->b->job),
                             .cwd = d->b->job->scratch_dir,
                             .raw_stdout = true};
    struct buf line;
    int rc;

    buf_init(&line, 16384);
    redact_argv(&d->b->job->redact, &line, spec.argv);
    log_info(&d->b->job->log, "dump starts", F_VIEW("command", buf_str(&line)));
    buf_done(&line);
    d->proc = (struct proc){.on_stdout = on_stdout, .on_stderr = on_stderr, .on_exit = on_exit_cb, .data = d};
    rc = env_of(d)->ops->proc_start(env_of(d), &d->proc, &spec, e);
    d->running = rc == 0;
    return rc;
}

static int run_both(struct dump *d, struct error *e)
{
    struct backup *b = d->b;
    int rc;

    b->pipeline.on_writable = on_writable;
    b->pipeline.on_abort = on_abort;
    b->pipeline.on_end = on_end;
    rc = backup_start_pipeline(b, "dump", repo_last_size(b->repo, b->params->hostname, "/" BACKUP_DUMP_FILE), e);
    if (rc < 0)
        return rc;
    b->op.cancel = cancel;
    job_op_add(b->job, &b->op);
    if (start_dump(d, e) < 0)
        fail(d, e);
    if (b->job->canceled)
        cancel(&b->op);
    backup_wait(b, &d->done);
    job_op_del(&b->op);
    if (b->error.code) {
        *e = b->error;
        return e->code;
    }
    return 0;
}

static int ask_version(struct backup *b, struct error *e)
{
    struct buf out;
    int rc;

    buf_init(&out, 4096);
    rc = sql_query(&b->sql, NULL, 0, "SELECT VERSION()", &out, e);
    if (rc == 0) {
        struct str v = str_trim(buf_str(&out));

        if (v.n >= sizeof(b->result->version))
            v.n = sizeof(b->result->version) - 1;
        memcpy(b->result->version, v.n ? v.p : "", v.n);
    }
    buf_done(&out);
    return rc;
}

int backup_dump(struct backup *b, struct error *e)
{
    struct dump d = {.b = b};
    int rc;

    b->mode = &d;
    timer_init(&d.kill, on_kill, &d);
    job_tail_init(&d.err);
    rc = ask_version(b, e);
    if (rc == 0)
        rc = build_argv(&d, e);
    if (rc == 0)
        rc = run_both(&d, e);
    if (d.option_file)
        (void)unlink(d.option_file); /* it may be gone */
    mem_free(d.option_file);
    words_done(&d.argv);
    job_tail_done(&d.err);
    b->mode = NULL;
    return rc;
}
