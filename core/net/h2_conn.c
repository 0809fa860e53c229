/*
 * h2_conn: see h2_conn.h.
 *
 * Output is pumped once a turn, from a timer of 0: what several callers add in one turn goes out in one write. While
 * the kernel takes no more, frames stay in the session, where a small answer may still overtake a big one.
 */
#include "core/net/h2_conn.h"

#include <assert.h>

#include "core/base/mem.h"

enum {
    PING_AFTER_MS = 30000, /* of silence (multitenancy.md 6) */
    PONG_WITHIN_MS = 15000,
    OUT_HIGH = 256 * 1024, /* bytes handed to tcp and not yet taken by the kernel */
    OUT_CAP = 1024 * 1024,
};

static void lose(struct h2_conn *c, const struct error *e)
{
    if (c->lost)
        return;
    c->lost = true;
    if (c->on_lost)
        c->on_lost(c, e);
}

static void drop(struct h2_conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    timer_clear(c->env, &c->pump);
    timer_clear(c->env, &c->ping);
    if (c->open)
        tcp_shutdown(c->tcp); /* close_notify, as far as the kernel takes it */
    tcp_close(c->tcp);
}

/* Frames to the wire, as many as are wanted there now. */
static void push(struct h2_conn *c)
{
    struct buf out;
    bool more = true;

    buf_init(&out, OUT_CAP);
    while (more && tcp_pending(c->tcp) < OUT_HIGH) {
        c->in_session = true;
        more = h2_session_pull(c->session, &out);
        c->in_session = false;
        if (!out.len)
            break;
        tcp_write(c->tcp, buf_str(&out));
        buf_clear(&out);
    }
    buf_done(&out);
}

static void pump(struct h2_conn *c)
{
    struct error e;

    if (!c->open || c->closing || c->in_session)
        return;
    push(c);
    if (c->closing || !h2_session_over(c->session))
        return;
    (void)error_set(&e, ERR_NET, "HTTP/2: the connection has ended");
    lose(c, &e);
    drop(c);
}

static void on_pump(struct timer *t)
{
    pump(t->data);
}

void h2_conn_wake(struct h2_conn *c)
{
    if (c->open && !c->closing && !c->in_session && !timer_is_set(&c->pump))
        timer_set_in(c->env, &c->pump, 0);
}

static void on_ping(struct timer *t)
{
    struct h2_conn *c = t->data;
    uint64_t now = env_now_ns(c->env), quiet_until = c->last_in_ns + PING_AFTER_MS * 1000000ull;
    struct error e;

    if (c->waits_for_pong) {
        (void)error_set(&e, ERR_NET, "HTTP/2: no answer to PING within %d s", PONG_WITHIN_MS / 1000);
        lose(c, &e);
        drop(c);
    } else if (now < quiet_until) {
        timer_set_at(c->env, t, quiet_until);
    } else {
        h2_session_ping(c->session);
        h2_conn_wake(c);
        c->waits_for_pong = true;
        timer_set_in(c->env, t, PONG_WITHIN_MS);
    }
}

static void opened(struct h2_conn *c)
{
    struct tls *tls = tcp_tls(c->tcp);
    struct error e;

    if (tls && strcmp(tls_alpn(tls), "h2") != 0) {
        (void)error_set(&e, ERR_NET, "the other side does not speak HTTP/2 (ALPN \"%s\")", tls_alpn(tls));
        lose(c, &e);
        c->open = true; /* for an orderly end of TLS */
        drop(c);
        return;
    }
    c->open = true;
    c->last_in_ns = env_now_ns(c->env);
    timer_set_in(c->env, &c->ping, PING_AFTER_MS);
    if (c->on_open)
        c->on_open(c);
    h2_conn_wake(c);
}

static void on_tcp_open(struct tcp *t)
{
    opened(tcp_data(t));
}

static void on_tcp_data(struct tcp *t, struct str bytes)
{
    struct h2_conn *c = tcp_data(t);
    struct error e;
    int rc;

    c->last_in_ns = env_now_ns(c->env);
    if (c->waits_for_pong) { /* any byte is a sign of life */
        c->waits_for_pong = false;
        timer_set_in(c->env, &c->ping, PING_AFTER_MS);
    }
    c->in_session = true;
    rc = h2_session_feed(c->session, bytes, &e);
    c->in_session = false;
    if (c->closing)
        return;
    if (rc < 0)
        lose(c, &e);
    pump(c); /* answers to SETTINGS and PING, window updates, and what the events brought */
    if (rc < 0)
        drop(c);
}

static void on_tcp_eof(struct tcp *t)
{
    struct h2_conn *c = tcp_data(t);
    struct error e;

    (void)error_set(&e, ERR_NET, "HTTP/2: the other side closed the connection");
    lose(c, &e);
    drop(c);
}

static void on_tcp_drain(struct tcp *t)
{
    pump(tcp_data(t));
}

static void on_tcp_closed(struct tcp *t, int rc, const struct error *e)
{
    struct h2_conn *c = tcp_data(t);
    struct h2_session *session = c->session;

    (void)rc;
    c->closing = true;
    timer_clear(c->env, &c->pump);
    timer_clear(c->env, &c->ping);
    lose(c, e);
    h2_session_free(session); /* on_close for what is left */
    c->session = NULL;
    c->on_gone(c);
}

const struct tcp_callbacks h2_conn_tcp = {
    .on_open = on_tcp_open,
    .on_data = on_tcp_data,
    .on_eof = on_tcp_eof,
    .on_drain = on_tcp_drain,
    .on_closed = on_tcp_closed,
};

void h2_conn_start(struct h2_conn *c, struct tcp *tcp, bool is_open)
{
    assert(c->session && c->on_gone);
    c->tcp = tcp;
    timer_init(&c->pump, on_pump, c);
    timer_init(&c->ping, on_ping, c);
    if (is_open)
        opened(c);
}

void h2_conn_close(struct h2_conn *c)
{
    if (c->closing)
        return;
    if (c->open && !c->in_session) {
        h2_session_goaway(c->session);
        push(c);
    }
    drop(c);
}
