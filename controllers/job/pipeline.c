/*
 * pipeline: see pipeline.h.
 *
 * Aborting: SIGINT lets restic remove its lock; SIGKILL follows after 10 s. Its stdin stays open until it has ended: an
 * end of input, even then, could still be taken for the end of the data.
 */
#include "controllers/job/pipeline.h"

#include <signal.h>
#include <stdio.h>

enum { KILL_AFTER_MS = 10000, FIRST_TICK_MS = 1000 };

static struct env *env_of(struct pipeline *p)
{
    return p->repo->job->env;
}

static void on_stdout(struct proc *proc, struct str line)
{
    struct pipeline *p = proc->data;

    restic_parse_line(line, &p->line);
    if (p->line.type == RESTIC_LINE_SUMMARY) {
        p->summary = p->line.summary;
        p->summary_seen = true;
    }
}

static void on_stderr(struct proc *proc, struct str line)
{
    struct pipeline *p = proc->data;

    job_tail_add(&p->err, line);
    if (line.n)
        log_info(&p->repo->job->log, "child says", F_STR("program", "restic"), F_VIEW("line", line));
}

static void on_writable(struct proc *proc)
{
    struct pipeline *p = proc->data;

    p->held = false;
    timer_clear(env_of(p), &p->stall);
    if (!p->aborting)
        p->on_writable(p);
}

/* restic's own story of a failure. */
static int restic_failed(struct pipeline *p, int status, int sig, struct error *e)
{
    struct str err = buf_str(&p->err.text);
    char text[400];

    restic_error_text(err, text, sizeof(text));
    redact_message(&p->repo->job->redact, text, sizeof(text));
    if (sig)
        return error_set(e, ERR_INVALID, "restic was killed by signal %d%s%s%s", sig, *text ? ": " : "", text,
                         sig == SIGKILL ? "; is the container's memory limit too small?" : "");
    if (status)
        return error_set(e, restic_classify(p->repo->version, status, 0, err) == RESTIC_LOCKED ? ERR_CONFLICT
                                                                                               : ERR_INVALID,
                         "restic backup ended with status %d: %s", status, *text ? text : "without a word");
    if (!p->summary_seen || !p->summary.snapshot_id[0])
        return error_set(e, ERR_INVALID, "restic backup ended well but told of no snapshot");
    if (!p->committed)
        return error_set(e, ERR_INVALID, "restic backup ended before its input did");
    if (p->summary.bytes_processed >= 0 && (uint64_t)p->summary.bytes_processed != p->bytes)
        return error_set(e, ERR_INVALID, "restic stored %lld bytes, %llu were given to it",
                         (long long)p->summary.bytes_processed, (unsigned long long)p->bytes);
    return 0;
}

static void on_exit_cb(struct proc *proc, int status, int sig)
{
    struct pipeline *p = proc->data;
    struct error e = p->why;
    int rc;

    timer_clear(env_of(p), &p->kill);
    timer_clear(env_of(p), &p->stall);
    timer_clear(env_of(p), &p->tick);
    p->running = false;
    rc = p->aborting ? (int)e.code : restic_failed(p, status, sig, &e);
    job_tail_done(&p->err);
    p->lock_stayed = sig != 0 || p->aborting; /* interrupted while it makes its lock, restic leaves it */
    p->on_end(p, rc, &e);
}

static void on_kill(struct timer *t)
{
    struct pipeline *p = t->data;

    env_of(p)->ops->proc_kill(env_of(p), &p->proc, SIGKILL);
}

static void on_stall(struct timer *t)
{
    struct pipeline *p = t->data;
    struct error e;

    (void)error_set(&e, ERR_TIMEOUT, "restic took no data for %u s: the backend is too slow or locked",
                    p->stall_limit_ms / 1000);
    pipeline_abort(p, &e);
    if (p->on_abort)
        p->on_abort(p);
}

/* Soon after the start, then ever more seldom: a short backup shows how far it is, a long one costs few writes. */
static void set_tick(struct pipeline *p)
{
    if (!p->tick_ms)
        p->tick_ms = FIRST_TICK_MS;
    else
        p->tick_ms *= 2;
    if (p->tick_ms > p->progress_every_ms)
        p->tick_ms = p->progress_every_ms;
    timer_set_in(env_of(p), &p->tick, p->tick_ms);
}

static void on_tick(struct timer *t)
{
    struct pipeline *p = t->data;
    struct pipeline_progress now = {.bytes = p->bytes, .percent = -1};

    now.bytes_per_second = (p->bytes - p->bytes_at_tick) * 1000 / p->tick_ms;
    if (p->expected_bytes)
        now.percent = p->bytes >= p->expected_bytes ? 99 : (int)(p->bytes * 100 / p->expected_bytes);
    p->bytes_at_tick = p->bytes;
    set_tick(p);
    if (p->on_progress)
        p->on_progress(p, &now);
}

int pipeline_start(struct pipeline *p, struct error *e)
{
    struct proc_spec spec = {.argv = restic_argv(p->command),
                             .envp = p->repo->envp,
                             .cwd = p->repo->job->scratch_dir,
                             .has_stdin = true,
                             .tethered = true};
    int rc;

    timer_init(&p->kill, on_kill, p);
    timer_init(&p->stall, on_stall, p);
    timer_init(&p->tick, on_tick, p);
    p->proc = (struct proc){.on_stdout = on_stdout,
                            .on_stderr = on_stderr,
                            .on_writable = on_writable,
                            .on_exit = on_exit_cb,
                            .data = p};
    job_tail_init(&p->err);
    rc = env_of(p)->ops->proc_start(env_of(p), &p->proc, &spec, e);
    if (rc < 0) {
        job_tail_done(&p->err);
        return rc;
    }
    p->running = true;
    return 0;
}

bool pipeline_write(struct pipeline *p, struct str bytes)
{
    if (!p->running || p->aborting)
        return true; /* on_end or on_abort tells; until then the bytes go nowhere */
    if (!p->bytes && p->progress_every_ms)
        set_tick(p);
    p->bytes += bytes.n;
    if (env_of(p)->ops->proc_write(env_of(p), &p->proc, bytes.p, bytes.n))
        return true;
    if (!p->held && p->stall_limit_ms)
        timer_set_in(env_of(p), &p->stall, p->stall_limit_ms);
    p->held = true;
    return false;
}

void pipeline_commit(struct pipeline *p)
{
    if (!p->running || p->aborting)
        return;
    p->committed = true;
    timer_clear(env_of(p), &p->stall);
    env_of(p)->ops->proc_close_stdin(env_of(p), &p->proc);
}

void pipeline_abort(struct pipeline *p, const struct error *why)
{
    if (!p->running || p->aborting)
        return;
    p->aborting = true;
    p->why = *why;
    timer_clear(env_of(p), &p->stall);
    env_of(p)->ops->proc_kill(env_of(p), &p->proc, SIGINT);
    timer_set_in(env_of(p), &p->kill, KILL_AFTER_MS);
}
