/* restore_pump: see restore_pump.h. */
#include "controllers/job/restore_pump.h"

#include <signal.h>
#include <stdio.h>

enum { KILL_AFTER_MS = 10000 };

struct run {
    struct restore_pump *p;
    struct env *env;
    struct job_op op;
    struct proc from, to;
    struct job_tail from_err, to_err;
    struct timer kill, tick;
    struct restore_check check;
    struct error error; /* the first failure; code 0: none */
    uint64_t bytes_at_tick;
    bool from_runs, to_runs, closed, done;
};

static void note_end(struct run *r)
{
    if (!r->from_runs && !r->to_runs)
        r->done = true;
}

/* The first failure ends both. The program goes before its input ends, so that it takes no part for the whole. */
static void fail(struct run *r, const struct error *e)
{
    if (r->error.code)
        return;
    r->error = *e;
    if (r->to_runs)
        r->env->ops->proc_kill(r->env, &r->to, SIGTERM);
    if (r->from_runs) {
        r->env->ops->proc_pause(r->env, &r->from, false);
        r->env->ops->proc_kill(r->env, &r->from, SIGINT); /* restic removes its lock then */
    }
    timer_set_in(r->env, &r->kill, KILL_AFTER_MS);
}

static void on_kill(struct timer *t)
{
    struct run *r = t->data;

    if (r->to_runs)
        r->env->ops->proc_kill(r->env, &r->to, SIGKILL);
    if (r->from_runs)
        r->env->ops->proc_kill(r->env, &r->from, SIGKILL);
}

static void cancel(struct job_op *op)
{
    struct run *r = LIST_ENTRY(op, struct run, op);
    struct error e;

    (void)error_set(&e, ERR_CANCELED, "ended by a signal (deadline, eviction or a person)");
    fail(r, &e);
}

static void on_tick(struct timer *t)
{
    struct run *r = t->data;
    struct restore_pump *p = r->p;
    uint64_t rate = (p->bytes - r->bytes_at_tick) * 1000 / p->progress_every_ms;

    if (p->expected_bytes)
        log_info(&p->repo->job->log, "restore runs", F_INT("bytes", p->bytes), F_INT("bytes_per_second", rate),
                 F_INT("percent", p->bytes >= p->expected_bytes ? 99 : p->bytes * 100 / p->expected_bytes));
    else
        log_info(&p->repo->job->log, "restore runs", F_INT("bytes", p->bytes), F_INT("bytes_per_second", rate));
    r->bytes_at_tick = p->bytes;
    timer_set_in(r->env, &r->tick, p->progress_every_ms);
}

/* ---- restic ---- */

static void on_from_data(struct proc *proc, struct str bytes)
{
    struct run *r = proc->data;
    struct error e;

    if (r->error.code)
        return;
    r->p->bytes += bytes.n;
    if (restore_check_feed(&r->check, bytes, &e) < 0) {
        fail(r, &e);
    } else if (r->to_runs && !r->env->ops->proc_write(r->env, &r->to, bytes.p, bytes.n)) {
        r->env->ops->proc_pause(r->env, &r->from, true);
    }
}

static void log_line(struct run *r, const char *program, struct job_tail *tail, struct str line)
{
    job_tail_add(tail, line);
    if (line.n)
        log_info(&r->p->repo->job->log, "child says", F_STR("program", program), F_VIEW("line", line));
}

static void on_from_stderr(struct proc *proc, struct str line)
{
    struct run *r = proc->data;

    log_line(r, "restic", &r->from_err, line);
}

static int from_verdict(struct run *r, int status, int sig, struct error *e)
{
    char text[400];

    if (status || sig) {
        restic_error_text(buf_str(&r->from_err.text), text, sizeof(text));
        redact_message(&r->p->repo->job->redact, text, sizeof(text));
        return error_set(e, ERR_INVALID, "restic dump: %s",
                         *text ? text
                         : sig ? "it was killed"
                               : "it failed without a word");
    }
    if (!r->p->check && !r->p->bytes)
        return error_set(e, ERR_INVALID, "the snapshot's dump is empty");
    return restore_check_end(&r->check, e);
}

static void tell_manifest(const struct run *r)
{
    const struct manifest *m = &r->check.manifest;
    struct log *log = &r->p->repo->job->log;

    if (!r->check.manifest_found)
        log_warn(log, "the snapshot has no manifest to compare with: it is of an older version");
    else
        log_info(log, "the snapshot is what its manifest says", F_INT("bytes", m->bytes),
                 F_STR("sha256", m->sha256), F_STR("server", m->server), F_STR("donor", m->donor),
                 F_STR("position", m->position));
}

static void on_from_exit(struct proc *proc, int status, int sig)
{
    struct run *r = proc->data;
    struct error e;

    r->from_runs = false;
    if (!r->error.code && from_verdict(r, status, sig, &e) < 0)
        fail(r, &e);
    if (!r->error.code) {
        tell_manifest(r);
        r->closed = true;
        if (r->to_runs)
            r->env->ops->proc_close_stdin(r->env, &r->to);
    }
    note_end(r);
}

/* ---- the program ---- */

static void on_to_stderr(struct proc *proc, struct str line)
{
    struct run *r = proc->data;

    log_line(r, r->p->program, &r->to_err, line);
}

static void on_to_stdout(struct proc *proc, struct str line)
{
    struct run *r = proc->data;

    if (line.n)
        log_info(&r->p->repo->job->log, "child says", F_STR("program", r->p->program), F_VIEW("line", line));
}

static void on_to_writable(struct proc *proc)
{
    struct run *r = proc->data;

    if (r->from_runs)
        r->env->ops->proc_pause(r->env, &r->from, false);
}

static void on_to_exit(struct proc *proc, int status, int sig)
{
    struct run *r = proc->data;
    struct error e;

    r->to_runs = false;
    if (!r->error.code && (status || sig)) {
        (void)job_child_error(r->p->repo->job, r->p->program, status, sig, &r->to_err, &e);
        fail(r, &e);
    } else if (!r->error.code && !r->closed) {
        (void)error_set(&e, ERR_INVALID, "%s ended before its input did", r->p->program);
        fail(r, &e);
    }
    note_end(r);
}

/* ---- both ---- */

static int start(struct run *r, const struct restic_command *c, struct error *e)
{
    struct proc_spec from = {.argv = restic_argv(c),
                             .envp = r->p->repo->envp,
                             .cwd = r->p->repo->job->scratch_dir,
                             .raw_stdout = true};
    struct proc_spec to = {
        .argv = r->p->argv, .envp = r->p->envp, .cwd = r->p->repo->job->scratch_dir, .has_stdin = true};
    int rc = to.argv ? r->env->ops->proc_start(r->env, &r->to, &to, e) : 0;

    if (rc < 0)
        return rc;
    r->to_runs = to.argv != NULL;
    rc = r->env->ops->proc_start(r->env, &r->from, &from, e);
    r->from_runs = rc == 0;
    if (rc < 0 && r->to_runs)
        fail(r, e);
    return r->to_runs ? 0 : rc; /* once one runs, its end is waited for */
}

static void init(struct run *r, struct restore_pump *p)
{
    *r = (struct run){.p = p, .env = p->repo->job->env, .op.cancel = cancel};
    r->check = (struct restore_check){
        .stream = p->check, .options = p->options, .manifest_required = p->manifest_required};
    restore_check_init(&r->check);
    r->from = (struct proc){
        .on_stdout = on_from_data, .on_stderr = on_from_stderr, .on_exit = on_from_exit, .data = r};
    r->to = (struct proc){.on_stdout = on_to_stdout,
                          .on_stderr = on_to_stderr,
                          .on_writable = on_to_writable,
                          .on_exit = on_to_exit,
                          .data = r};
    job_tail_init(&r->from_err);
    job_tail_init(&r->to_err);
    timer_init(&r->kill, on_kill, r);
    timer_init(&r->tick, on_tick, r);
}

int restore_pump_run(struct restore_pump *p, struct error *e)
{
    struct restic_command c;
    struct run r;
    int rc = job_check(p->repo->job, e);

    if (rc < 0)
        return rc;
    init(&r, p);
    restic_begin(&c, &p->repo->backend, "dump");
    restic_add_retry_lock(&c, p->repo->version, p->repo->retry_lock_s);
    restic_add(&c, p->snapshot);
    restic_add(&c, p->file);
    if ((rc = start(&r, &c, e)) == 0) {
        if (p->progress_every_ms)
            timer_set_in(r.env, &r.tick, p->progress_every_ms);
        job_op_add(p->repo->job, &r.op);
        job_wait(p->repo->job, &r.done);
        job_op_del(&r.op);
        timer_clear(r.env, &r.tick);
        timer_clear(r.env, &r.kill);
        rc = (int)r.error.code;
        if (rc < 0)
            *e = r.error;
    }
    restic_done(&c);
    restore_check_done(&r.check);
    job_tail_done(&r.from_err);
    job_tail_done(&r.to_err);
    return rc;
}
