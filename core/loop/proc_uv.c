/*
 * proc_uv: child processes with pipes.
 *
 * Real pipes, not the socket pairs that uv_spawn would make: a shell that says `> /dev/stderr` cannot open a socket.
 *
 * The end: a child is over when it exited and its stdout and stderr have ended. A grandchild that inherited a pipe may
 * hold it for ever, so after the exit we wait GRACE_MS for the ends, and not while our own reader has paused stdout.
 *
 * Each child leads a group (and session) of its own: proc_kill reaches what it started, and a Ctrl-C at our terminal
 * reaches only us.
 */
#include "core/loop/proc_uv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/loop/tether.h"

enum {
    GRACE_MS = 2000,
    CHUNK = 64 * 1024,
    PIPE_SIZE = 1024 * 1024, /* the kernel's buffer of pipes that carry data; its default is 64 kB */
};

/* One of the child's outputs. */
struct output {
    uv_pipe_t pipe;
    struct impl *impl;
    struct buf line; /* the unfinished one */
    bool lines;      /* split; else raw */
    bool skipping;   /* in the rest of a line that was too long */
    bool open;       /* not ended */
};

struct impl {
    struct env *env;
    struct proc *p;
    uv_process_t process;
    uv_pipe_t in;
    struct output out, err;
    struct timer grace;
    size_t waiting;       /* bytes for stdin that are not in the pipe */
    unsigned n_handles;   /* not yet closed */
    pid_t pid;
    int status, sig;
    bool in_open, in_ending, held, paused, exited;
    char chunk[CHUNK];
};

struct write {
    uv_write_t req;
    struct impl *impl;
    size_t n;
    char bytes[];
};

/* ---- the end ---- */

static void on_handle_closed(uv_handle_t *h)
{
    struct impl *i = h->data;
    struct proc *p = i->p;

    if (--i->n_handles)
        return;
    buf_done(&i->out.line);
    buf_done(&i->err.line);
    if (p) {
        int status = i->status, sig = i->sig;

        p->impl = NULL;
        mem_free(i);
        if (p->on_exit)
            p->on_exit(p, status, sig);
        return;
    }
    mem_free(i); /* it never started */
}

static void close_handle(uv_handle_t *h)
{
    if (!uv_is_closing(h))
        uv_close(h, on_handle_closed);
}

static void close_in(struct impl *i)
{
    i->in_open = false;
    close_handle((uv_handle_t *)&i->in);
}

static void close_all(struct impl *i)
{
    timer_clear(i->env, &i->grace);
    close_in(i);
    close_handle((uv_handle_t *)&i->out.pipe);
    close_handle((uv_handle_t *)&i->err.pipe);
    close_handle((uv_handle_t *)&i->process);
}

/* Looks whether the child is over: the only place that decides it. */
static void settle(struct impl *i)
{
    if (!i->exited)
        return;
    if (!i->out.open && !i->err.open)
        close_all(i);
    else if (i->paused && i->out.open)
        timer_clear(i->env, &i->grace);
    else if (!timer_is_set(&i->grace))
        timer_set_in(i->env, &i->grace, GRACE_MS);
}

/* ---- the child's outputs ---- */

static void deliver(struct output *o, struct str bytes)
{
    struct proc *p = o->impl->p;

    if (o == &o->impl->out) {
        if (p->on_stdout)
            p->on_stdout(p, bytes);
    } else if (p->on_stderr) {
        p->on_stderr(p, bytes);
    }
}

static void deliver_line(struct output *o, struct str line)
{
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    deliver(o, line);
}

static void keep_part(struct output *o, struct str part)
{
    size_t room = o->line.max - o->line.len;

    if (o->skipping)
        return;
    if (part.n > room) {
        part.n = room;
        o->skipping = true;
    }
    buf_add_str(&o->line, part);
}

static void flush_line(struct output *o)
{
    if (o->line.len || o->skipping)
        deliver_line(o, buf_str(&o->line));
    buf_clear(&o->line);
    o->skipping = false;
}

static void split(struct output *o, struct str bytes)
{
    while (bytes.n) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        size_t n = end ? (size_t)(end - bytes.p) : bytes.n;

        if (end && !o->line.len && !o->skipping && n <= o->line.max) {
            deliver_line(o, (struct str){bytes.p, n}); /* most lines: no copy */
        } else {
            keep_part(o, (struct str){bytes.p, n});
            if (end)
                flush_line(o);
        }
        n += end != NULL;
        bytes.p += n;
        bytes.n -= n;
    }
}

static void output_end(struct output *o)
{
    if (!o->open)
        return;
    o->open = false;
    if (o->lines)
        flush_line(o);
    close_handle((uv_handle_t *)&o->pipe);
    settle(o->impl);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    struct impl *i = h->data;

    (void)suggested;
    *ret = uv_buf_init(i->chunk, sizeof(i->chunk)); /* shared: libuv reads and calls back before the next read */
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct output *o = LIST_ENTRY(s, struct output, pipe);

    if (n < 0) {
        output_end(o);
        return;
    }
    if (o->lines)
        split(o, (struct str){b->base, (size_t)n});
    else if (n > 0)
        deliver(o, (struct str){b->base, (size_t)n});
}

static void on_exit_cb(uv_process_t *process, int64_t status, int sig)
{
    struct impl *i = process->data;

    i->exited = true;
    i->status = (int)status;
    i->sig = sig;
    settle(i);
}

/* Somebody else holds the pipes: what came so far is what there is. */
static void on_grace(struct timer *t)
{
    struct impl *i = t->data;

    output_end(&i->out);
    output_end(&i->err);
}

/* ---- stdin ---- */

static void on_written(uv_write_t *req, int rc)
{
    struct write *w = LIST_ENTRY(req, struct write, req);
    struct impl *i = w->impl;

    i->waiting -= w->n;
    mem_free(w);
    if (rc < 0 && i->in_open)
        close_in(i); /* the child closed it, or is gone: its exit tells */
    if (i->in_open && i->in_ending && !i->waiting)
        close_in(i);
    if (i->held && !i->waiting) {
        i->held = false;
        if (i->p->on_writable)
            i->p->on_writable(i->p);
    }
}

bool proc_uv_write(struct env *e, struct proc *p, const void *bytes, size_t n)
{
    struct impl *i = p->impl;
    struct write *w;
    uv_buf_t b;

    (void)e;
    if (!i || !i->in_open || i->in_ending)
        return true;
    if (!i->waiting) {
        int done;

        b = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)n);
        done = uv_try_write((uv_stream_t *)&i->in, &b, 1);
        if (done < 0 && done != UV_EAGAIN) {
            close_in(i);
            return true;
        }
        if (done > 0) {
            bytes = (const char *)bytes + done;
            n -= (size_t)done;
        }
    }
    if (!n)
        return true;
    w = mem_alloc(sizeof(*w) + n);
    w->impl = i;
    w->n = n;
    memcpy(w->bytes, bytes, n);
    b = uv_buf_init(w->bytes, (unsigned)n);
    i->waiting += n;
    if (uv_write(&w->req, (uv_stream_t *)&i->in, &b, 1, on_written) < 0) {
        i->waiting -= n;
        mem_free(w);
        close_in(i);
        return true;
    }
    /* The pipe is a megabyte and full: what its owner holds back needs no copy here. */
    i->held = true;
    return false;
}

void proc_uv_close_stdin(struct env *e, struct proc *p)
{
    struct impl *i = p->impl;

    (void)e;
    if (!i || !i->in_open)
        return;
    i->in_ending = true;
    if (!i->waiting)
        close_in(i);
}

/* ---- the start ---- */

/* The child's program from our own PATH: uv_spawn would look in the PATH of the child's environment. */
static char *look_up(const char *name)
{
    struct str rest, folder;

    if (strchr(name, '/'))
        return mem_strdup(name);
    rest = str_of(getenv("PATH"));
    while (str_cut(&rest, ':', &folder)) {
        char *path = folder.n ? mem_printf("%.*s/%s", (int)folder.n, folder.p, name) : mem_printf("./%s", name);
        struct stat st;

        if (access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            return path;
        mem_free(path);
    }
    return NULL;
}

/* One pipe: our end is given to *pipe, the child's is returned; -errno on failure. */
static int make_pipe(uv_pipe_t *pipe_handle, bool child_reads, bool big)
{
    int fds[2], rc, ours = child_reads ? 1 : 0;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    if (big)
        (void)fcntl(fds[ours], F_SETPIPE_SZ, PIPE_SIZE); /* the system may allow less: only slower */
    rc = uv_pipe_open(pipe_handle, fds[ours]);
    if (rc < 0) {
        (void)close(fds[ours]);
        (void)close(fds[!ours]);
        return rc;
    }
    return fds[!ours];
}

static void output_init(struct output *o, struct impl *i, bool lines)
{
    o->impl = i;
    o->lines = lines;
    buf_init(&o->line, LIMIT_LINE);
    (void)uv_pipe_init(env_uv_loop(i->env), &o->pipe, 0);
    o->pipe.data = i;
}

static struct impl *impl_new(struct env *e, const struct proc_spec *spec)
{
    struct impl *i = mem_zalloc(sizeof(*i));

    i->env = e;
    timer_init(&i->grace, on_grace, i);
    output_init(&i->out, i, !spec->raw_stdout);
    output_init(&i->err, i, true);
    (void)uv_pipe_init(env_uv_loop(e), &i->in, 0);
    i->in.data = i->process.data = i;
    i->n_handles = 4;
    return i;
}

static int spawn(struct impl *i, const struct proc_spec *spec, const char *file, int fds[3])
{
    char pid[16];
    bool tethered = spec->tethered && tether_ready();
    const char **words = tethered ? tether_argv(file, spec->argv, pid) : NULL;
    uv_stdio_container_t stdio[3];
    uv_process_options_t o = {
        .exit_cb = on_exit_cb,
        .file = tethered ? "/proc/self/exe" : file,
        .args = (char **)(uintptr_t)(tethered ? words : spec->argv), /* libuv only reads them */
        .env = (char **)(uintptr_t)spec->envp,
        .cwd = spec->cwd,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };
    int rc;

    for (int n = 0; n < 3; n++) {
        stdio[n].flags = fds[n] < 0 ? UV_IGNORE : UV_INHERIT_FD; /* UV_IGNORE: /dev/null */
        stdio[n].data.fd = fds[n];
    }
    rc = uv_spawn(env_uv_loop(i->env), &i->process, &o);
    mem_free(words);
    return rc;
}

static int start(struct impl *i, const struct proc_spec *spec, const char *file)
{
    int rc = 0, fds[3] = {-1, -1, -1};

    if (spec->has_stdin)
        rc = fds[0] = make_pipe(&i->in, true, true);
    if (rc >= 0)
        rc = fds[1] = make_pipe(&i->out.pipe, false, spec->raw_stdout);
    if (rc >= 0)
        rc = fds[2] = make_pipe(&i->err.pipe, false, false);
    if (rc >= 0)
        rc = spawn(i, spec, file, fds);
    for (int n = 0; n < 3; n++)
        if (fds[n] >= 0)
            (void)close(fds[n]);
    return rc;
}

static int start_failed(const struct proc_spec *spec, int rc, struct error *e)
{
    enum err code = rc == UV_ENOENT ? ERR_NOTFOUND : rc == UV_EACCES || rc == UV_EPERM ? ERR_DENIED : ERR_NET;

    return error_set(e, code, "start %s: %s", spec->argv[0], uv_strerror(rc));
}

int proc_uv_start(struct env *e, struct proc *p, const struct proc_spec *spec, struct error *err)
{
    AUTO_FREE char *file = look_up(spec->argv[0]);
    struct impl *i;
    int rc;

    if (!file)
        return start_failed(spec, UV_ENOENT, err);
    i = impl_new(e, spec);
    rc = start(i, spec, file);
    if (rc < 0) {
        if (i->process.loop)
            close_handle((uv_handle_t *)&i->process);
        else
            i->n_handles--; /* uv_spawn was not reached: that handle does not exist */
        close_in(i);
        close_handle((uv_handle_t *)&i->out.pipe);
        close_handle((uv_handle_t *)&i->err.pipe);
        return start_failed(spec, rc, err);
    }
    i->p = p;
    i->pid = uv_process_get_pid(&i->process);
    i->in_open = spec->has_stdin;
    if (!spec->has_stdin)
        close_handle((uv_handle_t *)&i->in);
    i->out.open = i->err.open = true;
    p->impl = i;
    rc = uv_read_start((uv_stream_t *)&i->out.pipe, on_alloc, on_read);
    assert(rc == 0);
    rc = uv_read_start((uv_stream_t *)&i->err.pipe, on_alloc, on_read);
    assert(rc == 0);
    return 0;
}

void proc_uv_kill(struct env *e, struct proc *p, int sig)
{
    struct impl *i = p->impl;

    (void)e;
    /* Also after the child itself has exited: what it left behind holds the pipes. */
    if (i && i->pid > 0)
        (void)kill(-i->pid, sig); /* ESRCH: all gone already */
}

pid_t proc_uv_pid(struct env *e, struct proc *p)
{
    struct impl *i = p->impl;

    (void)e;
    return i ? i->pid : 0;
}

void proc_uv_pause(struct env *e, struct proc *p, bool paused)
{
    struct impl *i = p->impl;

    (void)e;
    if (!i || !i->out.open || i->paused == paused)
        return;
    i->paused = paused;
    if (paused)
        (void)uv_read_stop((uv_stream_t *)&i->out.pipe);
    else
        (void)uv_read_start((uv_stream_t *)&i->out.pipe, on_alloc, on_read);
    settle(i);
}
