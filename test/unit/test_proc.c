/* test_proc: child processes: their environment, pipes, lines, end. */
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/loop/tether.h"

struct child {
    struct proc proc;
    struct env *env;
    struct buf out, err; /* lines end with '|' */
    size_t raw_bytes;
    uint64_t raw_sum;
    int status, sig;
    bool exited, raw, paused_once, sum_only;
    size_t to_write, written;
    unsigned holds, wakes;
    struct timer resume;
};

struct world {
    struct env *env;
    size_t live;
    struct child c;
};

static void on_stdout(struct proc *p, struct str s)
{
    struct child *c = p->data;

    assert_false(c->exited);
    if (c->sum_only) {
        for (size_t i = 0; i < s.n; i++)
            c->raw_sum = c->raw_sum * 31 + (unsigned char)s.p[i];
        c->raw_bytes += s.n;
        if (!c->paused_once && c->raw_bytes > 1000000) {
            c->paused_once = true;
            c->env->ops->proc_pause(c->env, p, true);
            timer_set_in(c->env, &c->resume, 20);
        }
        return;
    }
    buf_add_str(&c->out, s);
    if (!c->raw)
        buf_putc(&c->out, '|');
}

static void on_stderr(struct proc *p, struct str s)
{
    struct child *c = p->data;

    buf_add_str(&c->err, s);
    buf_putc(&c->err, '|');
}

static void on_exit_of(struct proc *p, int status, int sig)
{
    struct child *c = p->data;

    assert_false(c->exited);
    c->exited = true;
    c->status = status;
    c->sig = sig;
}

static void on_resume(struct timer *t)
{
    struct child *c = t->data;

    c->env->ops->proc_pause(c->env, &c->proc, false);
}

static int world_new(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));
    struct child *c = &w->c;

    w->live = live;
    c->env = w->env = env_uv_new();
    c->proc = (struct proc){.on_stdout = on_stdout, .on_stderr = on_stderr, .on_exit = on_exit_of, .data = c};
    buf_init(&c->out, 1 << 20);
    buf_init(&c->err, 1 << 20);
    timer_init(&c->resume, on_resume, c);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    buf_done(&w->c.out);
    buf_done(&w->c.err);
    env_uv_free(w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static const char *const no_env[] = {NULL};

static int start(struct world *w, const struct proc_spec *spec, struct error *e)
{
    return w->env->ops->proc_start(w->env, &w->c.proc, spec, e);
}

static void run_shell(struct world *w, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct error e;

    assert_int_equal(start(w, &(struct proc_spec){.argv = argv, .envp = no_env, .raw_stdout = w->c.raw}, &e), 0);
    assert_false(w->c.exited);
    env_uv_run_until(w->env, &w->c.exited);
    assert_true(w->c.exited);
}

static void lines_and_the_exit_status_arrive(void **state)
{
    struct world *w = *state;

    run_shell(w, "echo one; echo; printf 'two\\r\\nthree'; echo problem >&2; exit 7");
    assert_string_equal(w->c.out.data, "one||two|three|");
    assert_string_equal(w->c.err.data, "problem|");
    assert_int_equal(w->c.status, 7);
    assert_int_equal(w->c.sig, 0);
    assert_null(w->c.proc.impl);
}

static void a_child_has_exactly_the_environment_it_was_given(void **state)
{
    struct world *w = *state;
    const char *const argv[] = {"env", NULL};
    const char *const envp[] = {"A=1", "PATH=/nowhere", NULL};
    struct error e;

    /* `env` is found by our PATH, not by the child's. */
    assert_int_equal(start(w, &(struct proc_spec){.argv = argv, .envp = envp, .cwd = "/"}, &e), 0);
    env_uv_run_until(w->env, &w->c.exited);
    assert_string_equal(w->c.out.data, "A=1|PATH=/nowhere|");
    assert_int_equal(w->c.status, 0);
}

static void the_working_folder_is_the_one_asked_for(void **state)
{
    struct world *w = *state;
    const char *const argv[] = {"/bin/sh", "-c", "pwd; cat", NULL};
    struct error e;

    assert_int_equal(start(w, &(struct proc_spec){.argv = argv, .envp = no_env, .cwd = "/usr"}, &e), 0);
    env_uv_run_until(w->env, &w->c.exited); /* cat ends at once: stdin is /dev/null */
    assert_string_equal(w->c.out.data, "/usr|");
}

static void a_program_that_is_not_there_is_told_at_once(void **state)
{
    struct world *w = *state;
    const char *argv[] = {"no-such-program-here", NULL};
    struct proc_spec spec = {.argv = argv, .envp = no_env, .has_stdin = true};
    struct error e;

    assert_int_equal(start(w, &spec, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.msg, "no-such-program-here"));
    argv[0] = "/no/such/program";
    assert_int_equal(start(w, &spec, &e), ERR_NOTFOUND);
    argv[0] = "/etc/passwd";
    assert_int_equal(start(w, &spec, &e), ERR_DENIED);
    argv[0] = "true";
    spec.cwd = "/no/such/folder";
    assert_true(start(w, &spec, &e) < 0);
    env_uv_run(w->env);
    assert_false(w->c.exited); /* no callback came */
    assert_null(w->c.proc.impl);
}

static void a_line_over_the_cap_is_cut_and_the_next_one_is_whole(void **state)
{
    struct world *w = *state;

    run_shell(w, "head -c 200000 /dev/zero | tr '\\0' x; echo; echo next");
    assert_int_equal(w->c.out.len, LIMIT_LINE + 1 + strlen("next|"));
    assert_string_equal(w->c.out.data + LIMIT_LINE, "|next|");
}

static void raw_output_is_not_split(void **state)
{
    struct world *w = *state;

    w->c.raw = true;
    run_shell(w, "printf 'a\\n\\nb\\000c'");
    assert_true(str_eq(buf_str(&w->c.out), STR("a\n\nb\0c")));
}

static void the_outputs_can_be_opened_by_name(void **state)
{
    struct world *w = *state;

    run_shell(w, "echo a > /dev/stderr; echo b > /dev/stdout");
    assert_string_equal(w->c.err.data, "a|");
    assert_string_equal(w->c.out.data, "b|");
}

enum { BIG = 12 * 1024 * 1024 };

static void write_on(struct proc *p)
{
    struct child *c = p->data;
    static char block[100000];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)(i * 7 + i / 251);
    while (c->written < c->to_write) {
        size_t n = c->to_write - c->written < sizeof(block) ? c->to_write - c->written : sizeof(block);

        c->written += n;
        if (!c->env->ops->proc_write(c->env, p, block, n)) {
            c->holds++;
            return;
        }
    }
    c->env->ops->proc_close_stdin(c->env, p);
}

static void on_writable(struct proc *p)
{
    struct child *c = p->data;

    c->wakes++;
    write_on(p);
}

static void big_data_goes_through_a_slow_child_unchanged(void **state)
{
    struct world *w = *state;
    const char *const argv[] = {"sh", "-c", "sleep 0.05; exec cat", NULL};
    struct error e;
    uint64_t sum = 0;

    w->c.sum_only = true;
    w->c.to_write = BIG;
    w->c.proc.on_writable = on_writable;
    for (size_t k = 0; k < BIG; k++) {
        size_t i = k % 100000;

        sum = sum * 31 + (unsigned char)(char)(i * 7 + i / 251);
    }
    assert_int_equal(
        start(w, &(struct proc_spec){.argv = argv, .envp = no_env, .has_stdin = true, .raw_stdout = true}, &e), 0);
    write_on(&w->c.proc);
    env_uv_run_until(w->env, &w->c.exited);
    assert_int_equal(w->c.raw_bytes, BIG);
    assert_int_equal(w->c.raw_sum, sum);
    assert_true(w->c.holds >= 1); /* we were told to wait, and woken each time */
    assert_int_equal(w->c.wakes, w->c.holds);
    assert_true(w->c.paused_once);
}

static void writes_to_a_child_that_closed_its_stdin_vanish(void **state)
{
    struct world *w = *state;
    const char *const argv[] = {"sh", "-c", "exec <&-; sleep 0.05; exit 3", NULL};
    struct error e;

    w->c.to_write = BIG;
    w->c.proc.on_writable = on_writable;
    assert_int_equal(start(w, &(struct proc_spec){.argv = argv, .envp = no_env, .has_stdin = true}, &e), 0);
    write_on(&w->c.proc);
    env_uv_run_until(w->env, &w->c.exited);
    assert_int_equal(w->c.status, 3);
    assert_int_equal(w->c.written, BIG);
}

static void on_first_line_kill(struct proc *p, struct str s)
{
    struct child *c = p->data;

    on_stdout(p, s);
    assert_true(c->env->ops->proc_pid(c->env, p) > 0);
    c->env->ops->proc_kill(c->env, p, SIGKILL);
}

static void kill_reaches_what_the_child_started(void **state)
{
    struct world *w = *state;
    pid_t grandchild;
    int fd;

    w->c.proc.on_stdout = on_first_line_kill;
    run_shell(w, "sleep 1000 & echo $!; wait");
    assert_int_equal(w->c.sig, SIGKILL);
    grandchild = (pid_t)strtol(w->c.out.data, NULL, 10);
    assert_true(grandchild > 0);
    /* Both pipes ended before on_exit, so the one that also held them is ending, or is gone. */
    fd = (int)syscall(SYS_pidfd_open, grandchild, 0);
    if (fd >= 0) {
        assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 60000), 1);
        (void)close(fd);
    }
}

static void a_grandchild_that_holds_the_pipes_does_not_hold_us(void **state)
{
    struct world *w = *state;
    pid_t grandchild;

    run_shell(w, "sleep 1000 & echo $!; exit 4"); /* would be 1000 s */
    assert_int_equal(w->c.status, 4);
    grandchild = (pid_t)strtol(w->c.out.data, NULL, 10);
    assert_int_equal(kill(grandchild, SIGKILL), 0); /* it was alive */
}

static void output_before_the_exit_comes_before_on_exit_though_reading_was_paused(void **state)
{
    struct world *w = *state;
    const char *const argv[] = {"sh", "-c", "echo late", NULL};
    struct error e;

    assert_int_equal(start(w, &(struct proc_spec){.argv = argv, .envp = no_env}, &e), 0);
    w->env->ops->proc_pause(w->env, &w->c.proc, true);
    timer_set_in(w->env, &w->c.resume, 100);
    env_uv_run_until(w->env, &w->c.exited);
    assert_string_equal(w->c.out.data, "late|");
}

/* A process of its own that starts a reader of its pipe, tells its pid, and is killed. The reader needs a while after
 * the end of its input, as restic does: the kernel closes the pipes of who is killed before it tells his children. */
static void be_killed(int tell, bool tethered)
{
    static const char *const argv[] = {"sh", "-c", "cat; sleep 1", NULL};
    struct env *env = env_uv_new();
    struct proc reader = {0};
    pid_t pid = 0;

    if (env->ops->proc_start(
            env, &reader, &(struct proc_spec){.argv = argv, .envp = no_env, .has_stdin = true, .tethered = tethered},
            NULL) == 0)
        pid = env->ops->proc_pid(env, &reader);
    if (write(tell, &pid, sizeof(pid)) == (ssize_t)sizeof(pid))
        (void)kill(getpid(), SIGKILL);
    _exit(1);
}

static int status_of_orphan(bool tethered)
{
    int fds[2], status = -1;
    pid_t middle, reader = 0;

    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* the orphan becomes ours */
    assert_int_equal(pipe(fds), 0);
    middle = fork();
    if (middle == 0)
        be_killed(fds[1], tethered);
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &reader, sizeof(reader)), sizeof(reader));
    (void)close(fds[0]);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    assert_true(reader > 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    return status;
}

static void a_tethered_child_is_killed_when_we_are(void **state)
{
    int status = status_of_orphan(true);

    (void)state;
    /* Killed, or, when we died before it could ask for that, ended without having been the program. Never: an end in
     * order. */
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 127);
    status = status_of_orphan(false);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_new, world_end)

int main(int argc, char **argv)
{
    tether_init(argc, argv);
    const struct CMUnitTest tests[] = {
        T(lines_and_the_exit_status_arrive),
        T(a_child_has_exactly_the_environment_it_was_given),
        T(the_working_folder_is_the_one_asked_for),
        T(a_program_that_is_not_there_is_told_at_once),
        T(a_line_over_the_cap_is_cut_and_the_next_one_is_whole),
        T(raw_output_is_not_split),
        T(the_outputs_can_be_opened_by_name),
        T(big_data_goes_through_a_slow_child_unchanged),
        T(writes_to_a_child_that_closed_its_stdin_vanish),
        T(kill_reaches_what_the_child_started),
        T(a_grandchild_that_holds_the_pipes_does_not_hold_us),
        T(a_tethered_child_is_killed_when_we_are),
        T(output_before_the_exit_comes_before_on_exit_though_reading_was_paused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
