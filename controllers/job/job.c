/*
 * job: see job.h. A wait is a loop run until a flag is set; whatever can set the flag registers a job_op, so that a
 * SIGTERM reaches all of them in one place.
 */
#include "controllers/job/job.h"

#include <signal.h>
#include <stdio.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum { TAIL_MAX = 4096, KILL_AFTER_MS = 10000 };

void job_init(struct job *j, struct env *env, const char *scratch_dir, const char *credential_dir)
{
    *j = (struct job){.env = env, .scratch_dir = scratch_dir, .credential_dir = credential_dir};
    j->log = (struct log){.env = env, .min = LOG_INFO, .secrets = j->redact.views};
    list_init(&j->running);
}

void job_done(struct job *j)
{
    redact_done(&j->redact);
}

void job_redact(struct job *j, struct str value)
{
    redact_add(&j->redact, value);
    j->log.n_secrets = j->redact.n;
}

void job_op_add(struct job *j, struct job_op *op)
{
    list_add_tail(&j->running, &op->link);
}

void job_op_del(struct job_op *op)
{
    list_del(&op->link);
}

void job_cancel(struct job *j)
{
    struct list told;
    struct list *l;

    j->canceled = true;
    list_init(&told);
    list_move_all(&told, &j->running); /* their ends change the list */
    while ((l = list_pop(&told))) {
        struct job_op *op = LIST_ENTRY(l, struct job_op, link);

        list_add_tail(&j->running, l); /* it still runs, until it deletes itself */
        op->cancel(op);
    }
}

void job_wait(struct job *j, const bool *done)
{
    env_uv_run_until(j->env, done);
}

int job_check(const struct job *j, struct error *e)
{
    return j->canceled ? error_set(e, ERR_CANCELED, "ended by a signal (deadline, eviction or a person)") : 0;
}

/* ---- sleeping ---- */

struct nap {
    struct job_op op;
    struct timer timer;
    bool done;
};

static void on_nap_over(struct timer *t)
{
    struct nap *n = t->data;

    n->done = true;
}

static void cancel_nap(struct job_op *op)
{
    LIST_ENTRY(op, struct nap, op)->done = true;
}

int job_sleep(struct job *j, uint32_t ms, struct error *e)
{
    struct nap n = {.op.cancel = cancel_nap};

    if (job_check(j, e) < 0)
        return ERR_CANCELED;
    timer_init(&n.timer, on_nap_over, &n);
    timer_set_in(j->env, &n.timer, ms);
    job_op_add(j, &n.op);
    job_wait(j, &n.done);
    job_op_del(&n.op);
    timer_clear(j->env, &n.timer);
    return job_check(j, e);
}

/* ---- the end of a text ---- */

void job_tail_init(struct job_tail *t)
{
    buf_init(&t->text, 2 * TAIL_MAX + LIMIT_LINE + 1);
}

void job_tail_add(struct job_tail *t, struct str line)
{
    if (line.n > TAIL_MAX)
        line.n = TAIL_MAX;
    buf_add_str(&t->text, line);
    buf_putc(&t->text, '\n');
    if (t->text.len > 2 * TAIL_MAX)
        buf_consume(&t->text, t->text.len - TAIL_MAX);
}

void job_tail_done(struct job_tail *t)
{
    buf_done(&t->text);
}

/* ---- children ---- */

struct run {
    struct job *job;
    struct job_op op;
    struct proc proc;
    struct timer limit, kill;
    const struct job_command *command;
    struct job_result *result;
    bool done, timed_out;
};

static void run_stop(struct run *r)
{
    r->job->env->ops->proc_kill(r->job->env, &r->proc, r->command->stop_signal ? r->command->stop_signal : SIGTERM);
    if (!timer_is_set(&r->kill))
        timer_set_in(r->job->env, &r->kill, KILL_AFTER_MS);
}

static void on_run_limit(struct timer *t)
{
    struct run *r = t->data;

    r->timed_out = true;
    run_stop(r);
}

static void on_run_kill(struct timer *t)
{
    struct run *r = t->data;

    r->job->env->ops->proc_kill(r->job->env, &r->proc, SIGKILL);
}

static void cancel_run(struct job_op *op)
{
    run_stop(LIST_ENTRY(op, struct run, op));
}

static void on_run_stdout(struct proc *p, struct str bytes)
{
    struct run *r = p->data;

    if (r->command->on_line)
        r->command->on_line(r->command->ctx, bytes);
    else
        buf_add_str(&r->result->out, bytes);
}

static void on_run_stderr(struct proc *p, struct str line)
{
    struct run *r = p->data;

    job_tail_add(&r->result->err, line);
    if (!r->command->quiet && line.n)
        log_info(&r->job->log, "child says", F_STR("program", r->command->argv[0]), F_VIEW("line", line));
}

static void on_run_exit(struct proc *p, int status, int sig)
{
    struct run *r = p->data;

    r->result->status = status;
    r->result->sig = sig;
    r->done = true;
}

static int run_to_end(struct run *r, struct error *e)
{
    struct env *env = r->job->env;
    struct proc_spec spec = {.argv = r->command->argv,
                             .envp = r->command->envp,
                             .cwd = r->job->scratch_dir,
                             .has_stdin = r->command->input.p != NULL,
                             .raw_stdout = !r->command->on_line};
    int rc = env->ops->proc_start(env, &r->proc, &spec, e);

    if (rc < 0)
        return rc;
    if (spec.has_stdin) {
        (void)env->ops->proc_write(env, &r->proc, r->command->input.p, r->command->input.n);
        env->ops->proc_close_stdin(env, &r->proc);
    }
    if (r->command->timeout_ms)
        timer_set_in(env, &r->limit, r->command->timeout_ms);
    job_op_add(r->job, &r->op);
    job_wait(r->job, &r->done);
    job_op_del(&r->op);
    timer_clear(env, &r->limit);
    timer_clear(env, &r->kill);
    return 0;
}

int job_run(struct job *j, const struct job_command *c, struct job_result *out, struct error *e)
{
    struct run r = {.job = j, .command = c, .result = out, .op.cancel = cancel_run};
    int rc;

    *out = (struct job_result){0};
    buf_init(&out->out, c->out_max);
    job_tail_init(&out->err);
    timer_init(&r.limit, on_run_limit, &r);
    timer_init(&r.kill, on_run_kill, &r);
    r.proc = (struct proc){
        .on_stdout = on_run_stdout, .on_stderr = on_run_stderr, .on_exit = on_run_exit, .data = &r};
    if ((rc = job_check(j, e)) < 0 || (rc = run_to_end(&r, e)) < 0 || (rc = job_check(j, e)) < 0)
        return rc;
    if (r.timed_out)
        return error_set(e, ERR_TIMEOUT, "%s did not end within %u s", c->argv[0], c->timeout_ms / 1000);
    if (buf_error(&out->out) < 0)
        return error_set(e, ERR_TOOBIG, "%s printed over %zu bytes", c->argv[0], c->out_max);
    return 0;
}

void job_result_done(struct job_result *r)
{
    buf_done(&r->out);
    job_tail_done(&r->err);
}

static struct str last_line(struct str text)
{
    struct str line, last = STR_NONE;

    while (str_cut(&text, '\n', &line))
        if (str_trim(line).n)
            last = str_trim(line);
    return last;
}

int job_child_error(const struct job *j, const char *program, int status, int sig, const struct job_tail *err,
                    struct error *e)
{
    struct str line = last_line(buf_str(&err->text));
    char text[400];

    (void)snprintf(text, sizeof(text), "%.*s", (int)line.n, line.n ? line.p : "");
    redact_message(&j->redact, text, sizeof(text));
    if (sig)
        return error_set(e, ERR_INVALID, "%s was killed by signal %d%s%s", program, sig, *text ? ": " : "", text);
    return error_set(e, ERR_INVALID, "%s ended with status %d%s%s", program, status, *text ? ": " : "", text);
}

int job_run_ok(struct job *j, const struct job_command *c, struct job_result *out, struct error *e)
{
    int rc = job_run(j, c, out, e);

    if (rc == 0 && (out->status || out->sig))
        rc = job_child_error(j, c->argv[0], out->status, out->sig, &out->err, e);
    return rc;
}
