/* faults: see faults.h. */
#include "faults.h"

#include <assert.h>

#include "sim_env.h"
#include "core/base/list.h"
#include "core/base/mem.h"

enum fate {
    FATE_WELL,
    FATE_SLOW,         /* on its way for a while */
    FATE_LOST,         /* the server never saw it */
    FATE_ANSWER_LOST,  /* the server did it, nobody hears */
    FATE_THROTTLED,    /* 429 with Retry-After */
    FATE_BROKEN,       /* 500 */
    FATE_CUT,          /* a watch: ends with the connection, in the middle of what comes */
};

struct faults {
    struct http_peer peer; /* first */
    struct env *env;
    struct http_peer *inner;
    uint64_t state, count;
    unsigned percent;
    struct list calls;
};

struct faulty {
    struct list link;
    struct faults *faults;
    struct http_call *outer;
    struct http_call inner;
    struct timer timer;
    enum fate fate;
    bool inner_runs, canceled;
};

static struct faults *of(struct http_peer *p)
{
    return (struct faults *)(void *)p;
}

static unsigned throw(struct faults *f, unsigned sides)
{
    return (unsigned)(sim_random(&f->state) % sides);
}

static void done(struct faulty *c, int rc, const char *why)
{
    struct http_call *outer = c->outer;
    struct error e;

    list_del(&c->link);
    timer_clear(c->faults->env, &c->timer);
    mem_free(c);
    outer->impl = NULL;
    if (rc < 0)
        (void)error_set(&e, (enum err)rc, "%s", why);
    outer->on_done(outer, rc, rc < 0 ? &e : NULL);
}

/* ---- what the inner peer brings ---- */

static bool is_deaf(const struct faulty *c)
{
    return c->fate == FATE_ANSWER_LOST || c->canceled;
}

static void inner_head(struct http_call *call, int status, const struct http_header *headers, size_t n)
{
    struct faulty *c = call->data;

    if (!is_deaf(c) && c->outer->on_head)
        c->outer->on_head(c->outer, status, headers, n);
}

static void inner_data(struct http_call *call, struct str chunk)
{
    struct faulty *c = call->data;

    if (!is_deaf(c) && c->outer->on_data)
        c->outer->on_data(c->outer, chunk);
}

static void inner_done(struct http_call *call, int rc, const struct error *e)
{
    struct faulty *c = call->data;

    c->inner_runs = false;
    if (c->canceled)
        done(c, ERR_CANCELED, "canceled");
    else if (c->fate == FATE_ANSWER_LOST || (c->fate == FATE_CUT && rc == ERR_CANCELED))
        done(c, ERR_NET, "connection lost");
    else
        done(c, rc, e ? e->msg : "");
}

static void start_inner(struct faulty *c)
{
    const struct http_call *o = c->outer;

    c->inner = (struct http_call){.method = o->method, .path = o->path, .headers = o->headers,
                                  .n_headers = o->n_headers, .body = o->body, .timeout_ms = o->timeout_ms,
                                  .bulk = o->bulk, .on_head = inner_head, .on_data = inner_data,
                                  .on_done = inner_done, .data = c};
    c->inner_runs = true;
    http_start(c->faults->inner, &c->inner);
}

/* ---- answers that no server gave ---- */

static void refuse(struct faulty *c)
{
    static const struct http_header headers[] = {{STR("content-type"), STR("application/json")},
                                                 {STR("retry-after"), STR("2")}};
    bool throttled = c->fate == FATE_THROTTLED;
    struct str body = throttled ? STR("{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"code\":429}")
                                : STR("{\"kind\":\"Status\",\"reason\":\"InternalError\",\"code\":500}");

    if (c->outer->on_head)
        c->outer->on_head(c->outer, throttled ? 429 : 500, headers, throttled ? 2 : 1);
    if (c->outer->on_data)
        c->outer->on_data(c->outer, body);
    done(c, 0, "");
}

static void time_comes(struct timer *t)
{
    struct faulty *c = t->data;

    if (c->canceled) {
        done(c, ERR_CANCELED, "canceled");
        return;
    }
    switch (c->fate) {
    case FATE_WELL:
    case FATE_ANSWER_LOST:
        break;
    case FATE_SLOW:
        start_inner(c);
        break;
    case FATE_LOST:
        done(c, ERR_NET, "connection lost");
        break;
    case FATE_THROTTLED:
    case FATE_BROKEN:
        refuse(c);
        break;
    case FATE_CUT:
        http_cancel(c->faults->inner, &c->inner);
        break;
    }
}

/* ---- the peer ---- */

static enum fate throw_fate(struct faults *f, bool is_watch)
{
    static const enum fate fates[] = {FATE_SLOW, FATE_SLOW, FATE_LOST, FATE_ANSWER_LOST, FATE_THROTTLED, FATE_BROKEN};

    if (throw(f, 100) >= f->percent)
        return FATE_WELL;
    f->count++;
    return is_watch ? FATE_CUT : fates[throw(f, sizeof(fates) / sizeof(fates[0]))];
}

static void start(struct http_peer *peer, struct http_call *call)
{
    struct faults *f = of(peer);
    struct faulty *c = mem_zalloc(sizeof(*c));

    c->faults = f;
    c->outer = call;
    call->impl = c;
    list_add_tail(&f->calls, &c->link);
    timer_init(&c->timer, time_comes, c);
    c->fate = throw_fate(f, call->bulk);
    switch (c->fate) {
    case FATE_WELL:
    case FATE_ANSWER_LOST:
        start_inner(c);
        break;
    case FATE_CUT:
        start_inner(c);
        timer_set_in(f->env, &c->timer, throw(f, 60000));
        break;
    case FATE_SLOW:
    case FATE_LOST:
    case FATE_THROTTLED:
    case FATE_BROKEN:
        timer_set_in(f->env, &c->timer, throw(f, 3000));
        break;
    }
}

static void cancel(struct http_peer *peer, struct http_call *call)
{
    struct faulty *c = call->impl;

    (void)peer;
    if (!c || c->canceled)
        return;
    c->canceled = true;
    if (c->inner_runs)
        http_cancel(c->faults->inner, &c->inner);
    else
        timer_set_in(c->faults->env, &c->timer, 0);
}

static const struct http_peer_ops ops = {.start = start, .cancel = cancel};

struct faults *faults_new(struct env *env, struct http_peer *inner, uint64_t seed, unsigned percent)
{
    struct faults *f = mem_zalloc(sizeof(*f));

    f->peer.ops = &ops;
    f->env = env;
    f->inner = inner;
    f->state = seed;
    f->percent = percent;
    list_init(&f->calls);
    return f;
}

void faults_free(struct faults *f)
{
    assert(list_empty(&f->calls));
    mem_free(f);
}

struct http_peer *faults_peer(struct faults *f)
{
    return &f->peer;
}

void faults_set_percent(struct faults *f, unsigned percent)
{
    f->percent = percent;
}

uint64_t faults_count(const struct faults *f)
{
    return f->count;
}
