/*
 * env: the one door to the outside. All that differs from run to run comes through it: clocks, randomness, timers,
 * child processes, and (as struct http_peer, http.h) exchanges with servers. core/loop/env_uv has the real one;
 * test/sim has one where hours pass in a second.
 */
#ifndef STASHD_ENV_H
#define STASHD_ENV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/base/heap.h"
#include "core/base/str.h"

struct env;

/* A handle. Embed it, timer_init once; it may be freed whenever it is not set. Equal due times fire in the order of
 * setting. on_fire may set it again or free it. */
struct timer {
    struct heap_node node; /* private */
    void (*on_fire)(struct timer *t);
    void *data; /* the caller's */
};

/* What a child process gets. All borrowed for the call to proc_start. */
struct proc_spec {
    const char *const *argv; /* argv[0] is looked up in PATH of our own process; NULL-terminated */
    const char *const *envp; /* the child's whole environment: nothing is inherited; NULL-terminated */
    const char *cwd;         /* NULL: ours */
    bool has_stdin;          /* a pipe to write to; else /dev/null */
    bool raw_stdout;         /* deliver bytes as they come; else on_line per line */
    bool tethered;           /* killed by the kernel when we die; in programs that call tether_init */
};

/* A handle: a child process with pipes. Zeroed before proc_start; may be freed in on_exit or later. */
struct proc {
    /* The caller's; each may be NULL. Lines come without their line end, capped at LIMIT_LINE (the rest dropped). */
    void (*on_stdout)(struct proc *p, struct str bytes_or_line);
    void (*on_stderr)(struct proc *p, struct str line);
    void (*on_writable)(struct proc *p);                 /* what was written has gone out: write more */
    void (*on_exit)(struct proc *p, int status, int sig); /* once, after the pipes ended; last callback */
    void *data;
    void *impl; /* private */
};

struct env_ops {
    uint64_t (*now_ns)(struct env *);  /* monotonic; the same within a turn */
    int64_t (*wall_ms)(struct env *);  /* Unix time; may jump */
    uint64_t (*random)(struct env *);  /* seeds maps and jitter; not for keys */
    void (*timer_set)(struct env *, struct timer *, uint64_t due_ns); /* sets again when it is set */
    void (*timer_clear)(struct env *, struct timer *);                /* no-op when it is not set */

    /* 0, or an error and then no callback comes. */
    int (*proc_start)(struct env *, struct proc *, const struct proc_spec *, struct error *e);
    /* Writes n bytes to the child's stdin; what its pipe does not take is copied and waits: false, hold until
     * on_writable. A child that closed its stdin makes later writes vanish; its exit tells. */
    bool (*proc_write)(struct env *, struct proc *, const void *bytes, size_t n);
    void (*proc_close_stdin)(struct env *, struct proc *); /* after all that was written */
    void (*proc_kill)(struct env *, struct proc *, int sig);
    pid_t (*proc_pid)(struct env *, struct proc *);
    /* Stops or starts reading the child's stdout (back-pressure). */
    void (*proc_pause)(struct env *, struct proc *, bool paused);
};

struct env {
    const struct env_ops *ops;
};

static inline uint64_t env_now_ns(struct env *e)
{
    return e->ops->now_ns(e);
}

static inline int64_t env_wall_ms(struct env *e)
{
    return e->ops->wall_ms(e);
}

static inline uint64_t env_random(struct env *e)
{
    return e->ops->random(e);
}

static inline void timer_init(struct timer *t, void (*on_fire)(struct timer *), void *data)
{
    *t = (struct timer){.on_fire = on_fire, .data = data};
}

static inline void timer_set_in(struct env *e, struct timer *t, uint64_t in_ms)
{
    e->ops->timer_set(e, t, e->ops->now_ns(e) + in_ms * 1000000u);
}

static inline void timer_set_at(struct env *e, struct timer *t, uint64_t due_ns)
{
    e->ops->timer_set(e, t, due_ns);
}

static inline void timer_clear(struct env *e, struct timer *t)
{
    e->ops->timer_clear(e, t);
}

static inline bool timer_is_set(const struct timer *t)
{
    return heap_holds(&t->node);
}

#endif
