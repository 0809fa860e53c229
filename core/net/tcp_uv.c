/*
 * tcp_uv: see tcp_uv.h.
 *
 * A connection goes resolving -> connecting (each address in turn) -> handshake -> open -> closing; tcp_open_uv.c does
 * the first two. tcp_impl_enter_closing is the only way out; the memory goes in libuv's close callback, so a connection
 * outlives every callback of its own turn and `c->state` may be looked at after each of them.
 *
 * Writing: as much as the kernel takes goes out at once, without a copy; only the rest is copied and waits.
 */
#include <stdio.h>

#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/tcp_impl_uv.h"

enum {
    CHUNK = 64 * 1024,
    EARLY_MAX = 1024 * 1024, /* written before the connection is there */
    KEEPALIVE_S = 60,
};

struct write {
    uv_write_t req;
    struct tcp *c;
    size_t n;
    char bytes[];
};

static void deliver(struct tcp *c);
static void adjust_reading(struct tcp *c);

/* ---- the end ---- */

void tcp_impl_handle_closed(uv_handle_t *h)
{
    struct tcp *c = h->data;

    if (c->cb && c->cb->on_closed)
        c->cb->on_closed(c, c->rc, &c->error);
    tls_free(c->tls);
    buf_done(&c->early);
    mem_free(c->target);
    mem_free(c);
}

void tcp_impl_enter_closing(struct tcp *c)
{
    if (c->state == CONN_CLOSING)
        return;
    c->state = CONN_CLOSING;
    timer_clear(c->env, &c->timer);
    timer_clear(c->env, &c->kick);
    list_del(&c->link);
    c->listener = NULL;
    if (c->resolve)
        tcp_impl_resolve_drop(c->resolve);
    if (c->addresses)
        uv_freeaddrinfo(c->addresses);
    c->addresses = NULL;
    if (!uv_is_closing((uv_handle_t *)&c->handle))
        uv_close((uv_handle_t *)&c->handle, tcp_impl_handle_closed);
    /* else an address failed just now: on_attempt_closed looks at the state. */
}

void tcp_impl_fail(struct tcp *c, enum err code, const char *what, const char *why)
{
    if (c->state == CONN_CLOSING)
        return;
    c->rc = error_set(&c->error, code, "%s: %s%s%s", c->target, what, *what && *why ? ": " : "", why);
    tcp_impl_enter_closing(c);
}

/* e: from tls. */
static void fail_tls(struct tcp *c, const struct error *e)
{
    tcp_impl_fail(c, e->code, "", e->msg);
}

static void end_if_both_ended(struct tcp *c)
{
    if (c->state == CONN_OPEN && c->shut_done && c->told_eof)
        tcp_impl_enter_closing(c);
}

/* ---- writing ---- */

static void on_written(uv_write_t *req, int rc)
{
    struct write *w = LIST_ENTRY(req, struct write, req);
    struct tcp *c = w->c;

    c->pending -= w->n;
    mem_free(w);
    if (c->state == CONN_CLOSING)
        return;
    if (rc < 0) {
        tcp_impl_fail(c, ERR_NET, "write", uv_strerror(rc));
        return;
    }
    if (!c->pending && c->state == CONN_OPEN && c->cb->on_drain)
        c->cb->on_drain(c);
}

/* Bytes for the wire. An error is told in a later turn: by the failed write's callback, or by reading. */
static void send_wire(struct tcp *c, struct str s)
{
    struct write *w;
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)s.p, (unsigned)s.n);

    if (!c->pending) {
        int done = uv_try_write((uv_stream_t *)&c->handle, &b, 1);

        if (done > 0) {
            s.p += done;
            s.n -= (size_t)done;
        }
    }
    if (!s.n)
        return;
    w = mem_alloc(sizeof(*w) + s.n);
    w->c = c;
    w->n = s.n;
    memcpy(w->bytes, s.p, s.n);
    b = uv_buf_init(w->bytes, (unsigned)s.n);
    if (uv_write(&w->req, (uv_stream_t *)&c->handle, &b, 1, on_written) < 0) {
        mem_free(w); /* not writable any more: the callback of an earlier write or a read says why */
        return;
    }
    c->pending += s.n;
}

static void flush_tls(struct tcp *c)
{
    struct buf wire;

    buf_init(&wire, SIZE_MAX / 2);
    tls_pull(c->tls, &wire);
    if (wire.len)
        send_wire(c, buf_str(&wire));
    buf_done(&wire);
}

void tcp_write(struct tcp *c, struct str bytes)
{
    struct error e;

    if (c->state == CONN_CLOSING || c->shut_wanted || !bytes.n)
        return;
    if (c->state < CONN_OPEN) {
        buf_add_str(&c->early, bytes);
        if (buf_error(&c->early) < 0)
            tcp_impl_fail(c, ERR_TOOBIG, "write", "too much before the connection is there");
        return;
    }
    if (!c->tls) {
        send_wire(c, bytes);
        return;
    }
    if (tls_write(c->tls, bytes, &e) < 0)
        fail_tls(c, &e);
    else
        flush_tls(c);
}

static void on_shut(uv_shutdown_t *req, int rc)
{
    struct tcp *c = req->data;

    if (c->state == CONN_CLOSING)
        return;
    if (rc < 0 && rc != UV_ENOTCONN) {
        tcp_impl_fail(c, ERR_NET, "shutdown", uv_strerror(rc));
        return;
    }
    c->shut_done = true;
    end_if_both_ended(c);
}

static void shut_now(struct tcp *c)
{
    int rc;

    if (c->tls) {
        tls_close(c->tls);
        flush_tls(c);
    }
    c->shutdown.data = c;
    rc = uv_shutdown(&c->shutdown, (uv_stream_t *)&c->handle, on_shut); /* waits for the writes by itself */
    if (rc < 0)
        tcp_impl_fail(c, ERR_NET, "shutdown", uv_strerror(rc));
}

void tcp_shutdown(struct tcp *c)
{
    if (c->state == CONN_CLOSING || c->shut_wanted)
        return;
    c->shut_wanted = true;
    if (c->state == CONN_OPEN)
        shut_now(c);
}

/* ---- opening ---- */

static void enter_open(struct tcp *c)
{
    struct buf early = c->early;
    bool shut = c->shut_wanted;

    timer_clear(c->env, &c->timer);
    c->state = CONN_OPEN;
    if (c->listener) {
        struct tcp_listen *l = c->listener;

        list_del(&c->link);
        c->listener = NULL;
        l->on_accept(l, c);
        if (!c->cb)
            tcp_impl_enter_closing(c);
        return;
    }
    buf_init(&c->early, EARLY_MAX);
    c->shut_wanted = false;
    tcp_write(c, buf_str(&early));
    buf_done(&early);
    if (shut)
        tcp_shutdown(c);
    if (c->state == CONN_OPEN && c->cb->on_open)
        c->cb->on_open(c);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    struct tcp *c = h->data;

    (void)suggested;
    /* TLS takes a copy. A receiver of plain bytes gets memory of their own, so that one who keeps them is found out. */
    *ret = c->tls ? uv_buf_init(env_uv_room(c->env), ENV_UV_ROOM) : uv_buf_init(mem_alloc(CHUNK), CHUNK);
}

static void eof(struct tcp *c)
{
    if (c->told_eof)
        return;
    c->told_eof = true;
    if (c->cb && c->cb->on_eof)
        c->cb->on_eof(c);
    end_if_both_ended(c);
}

static void wire_eof(struct tcp *c)
{
    c->got_eof = true;
    if (c->state == CONN_HANDSHAKE)
        tcp_impl_fail(c, ERR_NET, "TLS handshake", "the other side closed the connection");
    else if (c->tls && !c->told_eof)
        tcp_impl_fail(c, ERR_NET, "TLS", "the connection ended without close_notify: data may be missing");
    else
        eof(c);
}

static void wire_data(struct tcp *c, struct str bytes)
{
    struct error e;
    int rc;

    if (!c->tls) {
        if (c->cb->on_data)
            c->cb->on_data(c, bytes);
        return;
    }
    if (c->told_eof)
        return; /* after close_notify nothing counts */
    rc = tls_feed(c->tls, bytes, &e);
    flush_tls(c); /* also the alert that tells the other side why */
    if (rc < 0) {
        fail_tls(c, &e);
        return;
    }
    if (c->state == CONN_HANDSHAKE && tls_ready(c->tls)) {
        enter_open(c);
        adjust_reading(c); /* it may have been paused before */
    }
    deliver(c);
}

/* Hands on what TLS has decrypted, until the receiver pauses. */
static void deliver(struct tcp *c)
{
    struct buf plain;
    struct error e;
    int rc = 0;

    buf_init(&plain, CHUNK);
    while (c->state == CONN_OPEN && !c->paused) {
        buf_clear(&plain);
        rc = tls_read(c->tls, &plain, &e);
        if (plain.len && c->cb->on_data)
            c->cb->on_data(c, buf_str(&plain));
        if (rc < 0 || !plain.len)
            break;
    }
    buf_done(&plain);
    if (rc < 0) {
        flush_tls(c);
        fail_tls(c, &e);
    } else if (c->state == CONN_OPEN && !c->paused && tls_closed(c->tls)) {
        eof(c);
    }
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct tcp *c = s->data;

    if (c->state == CONN_CLOSING)
        ;
    else if (n == UV_EOF)
        wire_eof(c);
    else if (n < 0)
        tcp_impl_fail(c, ERR_NET, "read", uv_strerror((int)n));
    else if (n > 0)
        wire_data(c, (struct str){b->base, (size_t)n});
    if (!c->tls)
        mem_free(b->base);
}

/* Starts or stops reading as the state asks: the only place that does. */
static void adjust_reading(struct tcp *c)
{
    bool want = !c->got_eof && (c->state == CONN_HANDSHAKE || (c->state == CONN_OPEN && !c->paused));

    if (c->state == CONN_CLOSING || want == c->reading)
        return;
    c->reading = want;
    if (!want)
        (void)uv_read_stop((uv_stream_t *)&c->handle);
    else if (uv_read_start((uv_stream_t *)&c->handle, on_alloc, on_read) < 0)
        tcp_impl_fail(c, ERR_NET, "read", "not connected");
}

static void on_kick(struct timer *t)
{
    struct tcp *c = t->data;

    deliver(c);
    adjust_reading(c);
}

void tcp_pause(struct tcp *c, bool paused)
{
    if (c->paused == paused || c->state == CONN_CLOSING)
        return;
    c->paused = paused;
    if (paused)
        timer_clear(c->env, &c->kick);
    else if (c->tls && c->state == CONN_OPEN)
        timer_set_in(c->env, &c->kick, 0); /* what TLS holds comes first, and not inside this call */
    if (paused || !c->tls)
        adjust_reading(c);
}

/* ---- the beginning ---- */

static void note_remote(struct tcp *c)
{
    struct sockaddr_storage a;
    int n = sizeof(a);
    char ip[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;

    if (uv_tcp_getpeername(&c->handle, (struct sockaddr *)&a, &n) < 0)
        return;
    if (a.ss_family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&a;

        (void)uv_ip6_name(v6, ip, sizeof(ip));
        port = ntohs(v6->sin6_port);
        (void)snprintf(c->remote, sizeof(c->remote), "[%s]:%u", ip, port);
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&a;

        (void)uv_ip4_name(v4, ip, sizeof(ip));
        port = ntohs(v4->sin_port);
        (void)snprintf(c->remote, sizeof(c->remote), "%s:%u", ip, port);
    }
}

/* The TCP connection is there, on either side. */
void tcp_impl_connected(struct tcp *c)
{
    (void)uv_tcp_nodelay(&c->handle, 1);
    (void)uv_tcp_keepalive(&c->handle, 1, KEEPALIVE_S);
    note_remote(c);
    if (c->listener) {
        mem_free(c->target);
        c->target = mem_strdup(c->remote);
    }
    if (c->tls) {
        c->state = CONN_HANDSHAKE;
        flush_tls(c); /* a client's first flight */
    } else {
        enter_open(c);
    }
    adjust_reading(c);
}

static void on_limit(struct timer *t)
{
    struct tcp *c = t->data;
    static const char *const doing[] = {"resolve", "connect", "TLS handshake", "", ""};

    tcp_impl_fail(c, ERR_TIMEOUT, doing[c->state], "no answer in time");
}

struct tcp *tcp_impl_new(struct env *env, struct tls_context *tls, uint32_t timeout_ms, char *target_take)
{
    struct tcp *c = mem_zalloc(sizeof(*c));

    c->env = env;
    c->target = target_take;
    list_init(&c->link);
    buf_init(&c->early, EARLY_MAX);
    timer_init(&c->timer, on_limit, c);
    timer_init(&c->kick, on_kick, c);
    (void)uv_tcp_init(env_uv_loop(env), &c->handle); /* makes no socket: can't fail */
    c->handle.data = c;
    if (tls)
        c->tls = tls_new(tls);
    timer_set_in(env, &c->timer, timeout_ms);
    return c;
}

void *tcp_data(const struct tcp *c)
{
    return c->data;
}

void tcp_set_data(struct tcp *c, const struct tcp_callbacks *cb, void *data)
{
    c->cb = cb;
    c->data = data;
}

size_t tcp_pending(const struct tcp *c)
{
    return c->pending + c->early.len;
}

void tcp_close(struct tcp *c)
{
    if (c->state != CONN_CLOSING)
        c->rc = 0;
    tcp_impl_enter_closing(c);
}

const char *tcp_remote(const struct tcp *c)
{
    return c->remote;
}

struct tls *tcp_tls(const struct tcp *c)
{
    return c->tls;
}

