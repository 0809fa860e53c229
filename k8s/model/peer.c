/*
 * peer: the client's end of model_serve in one process. The model answers inside the call; the caller hears it in later
 * turns, by a timer that is due at once, so that callbacks never run inside http_start.
 */
#include <stdio.h>

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "k8s/model/internal.h"

struct model_peer {
    struct http_peer peer; /* first */
    struct model *m;
    struct env *env;
    char *subject;
    struct list exchanges;
};

/* One exchange. It ends when both ends have: the model's by on_close, the caller's by on_done. */
struct exchange {
    struct http_serve serve; /* first */
    struct list link;
    struct model_peer *peer;
    struct http_call *call; /* NULL after on_done */
    struct timer timer;
    struct buf request, out;
    struct http_header *headers; /* of the answer, copied */
    size_t n_headers;
    struct http_header *request_headers;
    int status;
    bool started, told_head, ended, reset, canceled;
    bool undrained; /* written to since on_drain */
};

static struct http_header *headers_copy(const struct http_header *from, size_t n)
{
    struct http_header *to = mem_alloc((n + 1) * sizeof(*to));

    for (size_t i = 0; i < n; i++) {
        to[i].name = (struct str){mem_strndup(from[i].name.p, from[i].name.n), from[i].name.n};
        to[i].value = (struct str){mem_strndup(from[i].value.n ? from[i].value.p : "", from[i].value.n),
                                   from[i].value.n};
    }
    return to;
}

static void headers_free(struct http_header *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_free((void *)(uintptr_t)h[i].name.p);
        mem_free((void *)(uintptr_t)h[i].value.p);
    }
    mem_free(h);
}

static void exchange_free(struct exchange *x)
{
    list_del(&x->link);
    timer_clear(x->peer->env, &x->timer);
    headers_free(x->headers, x->n_headers);
    headers_free(x->request_headers, x->serve.n_headers);
    buf_done(&x->request);
    buf_done(&x->out);
    mem_free((void *)(uintptr_t)x->serve.method.p);
    mem_free((void *)(uintptr_t)x->serve.path.p);
    mem_free(x);
}

/* ---- the model's side ---- */

static struct exchange *of_serve(struct http_serve *s)
{
    return (struct exchange *)(void *)s;
}

static void wake(struct exchange *x)
{
    timer_set_in(x->peer->env, &x->timer, 0);
}

static void peer_head(struct http_serve *s, int status, const struct http_header *headers, size_t n)
{
    struct exchange *x = of_serve(s);

    x->status = status;
    x->headers = headers_copy(headers, n);
    x->n_headers = n;
    x->undrained = true;
    wake(x);
}

static void peer_write(struct http_serve *s, struct str bytes)
{
    struct exchange *x = of_serve(s);

    if (x->call)
        buf_add_str(&x->out, bytes);
    x->undrained |= bytes.n > 0;
    wake(x);
}

static void peer_end(struct http_serve *s)
{
    of_serve(s)->ended = true;
    wake(of_serve(s));
}

static void peer_reset(struct http_serve *s)
{
    of_serve(s)->ended = of_serve(s)->reset = true;
    wake(of_serve(s));
}

static size_t peer_pending(struct http_serve *s)
{
    return of_serve(s)->out.len;
}

static const struct http_serve_ops serve_ops = {
    .head = peer_head, .write = peer_write, .end = peer_end, .reset = peer_reset, .pending = peer_pending,
};

/* ---- the caller's side ---- */

/* The model hears that the stream is over; then nobody has it any more. */
static void exchange_close(struct exchange *x)
{
    if (x->started && x->serve.on_close)
        x->serve.on_close(&x->serve);
    exchange_free(x);
}

static void exchange_done(struct exchange *x, int rc, const char *why)
{
    struct http_call *c = x->call;
    struct error e = {.msg = ""};

    x->call = NULL;
    c->impl = NULL;
    if (rc < 0)
        (void)error_set(&e, (enum err)rc, "%s", why);
    exchange_close(x);
    c->on_done(c, rc, &e);
}

static void exchange_serve(struct exchange *x)
{
    x->started = true;
    model_serve(x->peer->m, &x->serve);
}

static void exchange_due(struct timer *t)
{
    struct exchange *x = t->data;
    struct http_call *c = x->call;
    struct buf chunk;

    if (x->canceled) {
        exchange_done(x, ERR_CANCELED, "canceled");
        return;
    }
    if (!x->started) {
        exchange_serve(x); /* its answer sets the timer again */
        return;
    }
    if (x->headers && !x->told_head) {
        x->told_head = true;
        wake(x); /* one step a turn, for a callback may cancel */
        if (c->on_head)
            c->on_head(c, x->status, x->headers, x->n_headers);
        return;
    }
    if (x->out.len && !x->reset) {
        chunk = x->out;
        buf_init(&x->out, chunk.max);
        wake(x);
        if (c->on_data)
            c->on_data(c, buf_str(&chunk));
        buf_done(&chunk);
        return;
    }
    if (x->ended) {
        exchange_done(x, x->reset ? ERR_NET : 0, "the stream was reset");
    } else if (x->undrained) {
        x->undrained = false;
        if (x->serve.on_drain)
            x->serve.on_drain(&x->serve);
    }
}

static void peer_start(struct http_peer *p, struct http_call *c)
{
    struct model_peer *peer = (struct model_peer *)(void *)p;
    struct exchange *x = mem_zalloc(sizeof(*x));
    struct str rest = str_of(c->path), path;

    x->peer = peer;
    x->call = c;
    c->impl = x;
    buf_init(&x->request, SIZE_MAX / 4);
    buf_init(&x->out, SIZE_MAX / 4);
    buf_add_str(&x->request, c->body);
    (void)str_cut(&rest, '?', &path);
    x->serve.ops = &serve_ops;
    x->serve.method = (struct str){mem_strdup(c->method), strlen(c->method)};
    /* One copy of the whole, cut at the '?'. */
    x->serve.path = (struct str){mem_strdup(c->path), path.n};
    x->serve.query = rest.n ? (struct str){x->serve.path.p + path.n + 1, rest.n} : STR_NONE;
    x->serve.n_headers = c->n_headers;
    x->request_headers = headers_copy(c->headers, c->n_headers);
    x->serve.headers = x->request_headers;
    x->serve.body = buf_str(&x->request);
    x->serve.client_subject = str_of(peer->subject);
    x->serve.remote = STR("in-process");
    timer_init(&x->timer, exchange_due, x);
    list_add_tail(&peer->exchanges, &x->link);
    wake(x);
}

static void peer_cancel(struct http_peer *p, struct http_call *c)
{
    struct exchange *x = c->impl;

    (void)p;
    if (!x)
        return;
    x->canceled = true;
    wake(x);
}

static const struct http_peer_ops peer_ops = {.start = peer_start, .cancel = peer_cancel};

struct http_peer *model_peer_new(struct model *m, const char *user, const char *groups)
{
    struct model_peer *p = mem_zalloc(sizeof(*p));
    struct str rest = str_of(groups), group;
    struct buf subject;

    buf_init(&subject, 64 * 1024);
    buf_printf(&subject, "CN=%s", user);
    while (str_cut(&rest, ',', &group))
        buf_printf(&subject, ",O=%.*s", (int)group.n, group.p);
    p->peer.ops = &peer_ops;
    p->m = m;
    p->env = m->env;
    p->subject = buf_take(&subject);
    list_init(&p->exchanges);
    return &p->peer;
}

void model_peer_free(struct http_peer *p)
{
    struct model_peer *peer = (struct model_peer *)(void *)p;
    struct list *l;

    if (!p)
        return;
    while ((l = list_pop(&peer->exchanges)))
        exchange_done(LIST_ENTRY(l, struct exchange, link), ERR_CANCELED, "the peer was freed");
    mem_free(peer->subject);
    mem_free(peer);
}
