/*
 * tcp_open_uv: how a connection comes about: resolving a name, trying its addresses in turn, and listening.
 */
#include <stdio.h>

#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/tcp_impl_uv.h"

enum { ACCEPT_TIMEOUT_MS = 10000, BACKLOG = 511 };

/* Apart from the connection: a look-up in another thread can't be stopped and may outlive it. */
struct resolve {
    uv_getaddrinfo_t req;
    struct tcp *c; /* NULL: nobody waits any more */
};

static void connect_next(struct tcp *c);

/* ---- connecting ---- */

void tcp_impl_resolve_drop(struct resolve *r)
{
    r->c = NULL;
    (void)uv_cancel((uv_req_t *)&r->req); /* fails when it is running: it ends by itself then */
}

static void on_attempt_closed(uv_handle_t *h)
{
    struct tcp *c = h->data;

    if (c->state == CONN_CLOSING) { /* closed meanwhile */
        tcp_impl_handle_closed(h);
        return;
    }
    (void)uv_tcp_init(env_uv_loop(c->env), &c->handle);
    c->handle.data = c;
    connect_next(c);
}

static void on_connected(uv_connect_t *req, int rc)
{
    struct tcp *c = req->data;

    if (c->state == CONN_CLOSING || rc == UV_ECANCELED)
        return;
    if (rc == 0) {
        uv_freeaddrinfo(c->addresses);
        c->addresses = NULL;
        tcp_impl_connected(c);
    } else if (c->next) {
        uv_close((uv_handle_t *)&c->handle, on_attempt_closed); /* a socket can't try a second address */
    } else {
        tcp_impl_fail(c, ERR_NET, "connect", uv_strerror(rc));
    }
}

static void connect_next(struct tcp *c)
{
    struct addrinfo *a = c->next;
    int rc;

    c->state = CONN_CONNECTING;
    c->next = a->ai_next;
    c->connect.data = c;
    rc = uv_tcp_connect(&c->connect, &c->handle, a->ai_addr, on_connected);
    if (rc == 0)
        return;
    if (c->next)
        uv_close((uv_handle_t *)&c->handle, on_attempt_closed);
    else
        tcp_impl_fail(c, ERR_NET, "connect", uv_strerror(rc));
}

static void on_resolved(uv_getaddrinfo_t *req, int rc, struct addrinfo *found)
{
    struct resolve *r = LIST_ENTRY(req, struct resolve, req);
    struct tcp *c = r->c;

    mem_free(r);
    if (!c) {
        uv_freeaddrinfo(found); /* NULL is fine */
        return;
    }
    c->resolve = NULL;
    if (rc < 0) {
        tcp_impl_fail(c, ERR_NET, "resolve", uv_strerror(rc));
        return;
    }
    c->addresses = c->next = found;
    connect_next(c);
}

struct tcp *tcp_connect(struct env *env, const char *host, uint16_t port, struct tls_context *tls, uint32_t timeout_ms,
                        const struct tcp_callbacks *cb, void *data)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP, .ai_flags = AI_ADDRCONFIG};
    char *target = mem_printf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    struct tcp *c = tcp_impl_new(env, tls, timeout_ms, target);
    struct sockaddr_in6 a; /* big enough for both */
    char service[8];
    int rc;

    c->cb = cb;
    c->data = data;
    /* AI_ADDRCONFIG ignores loopback: without a network it would refuse 127.0.0.1. */
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)&a) == 0 || uv_ip6_addr(host, port, &a) == 0)
        hints.ai_flags = AI_NUMERICHOST;
    else if (strcmp(host, "localhost") == 0)
        hints.ai_flags = 0;
    (void)snprintf(service, sizeof(service), "%u", port);
    c->resolve = mem_zalloc(sizeof(*c->resolve));
    c->resolve->c = c;
    rc = uv_getaddrinfo(env_uv_loop(env), &c->resolve->req, on_resolved, host, service, &hints);
    if (rc < 0) { /* a name that is too long, say */
        mem_free(c->resolve);
        c->resolve = NULL;
        tcp_impl_fail(c, ERR_NET, "resolve", uv_strerror(rc));
    }
    return c;
}

/* ---- listening ---- */

static void on_connection(uv_stream_t *s, int rc)
{
    struct tcp_listen *l = s->data;
    struct tcp *c;

    if (rc < 0)
        return; /* that client is gone already; the listener goes on */
    c = tcp_impl_new(l->env, l->tls, ACCEPT_TIMEOUT_MS, mem_strdup("client"));
    if (uv_accept(s, (uv_stream_t *)&c->handle) < 0) {
        tcp_impl_enter_closing(c);
        return;
    }
    c->listener = l;
    list_add_tail(&l->handshakes, &c->link);
    tcp_impl_connected(c);
}

static void on_listen_closed(uv_handle_t *h)
{
    mem_free(h->data);
}

static int bind_to(struct tcp_listen *l, const char *address, uint16_t port)
{
    struct sockaddr_storage a = {0};
    int n = sizeof(a), rc;

    rc = uv_ip4_addr(address, port, (struct sockaddr_in *)(void *)&a);
    if (rc < 0)
        rc = uv_ip6_addr(address, port, (struct sockaddr_in6 *)(void *)&a);
    if (rc == 0)
        rc = uv_tcp_bind(&l->handle, (struct sockaddr *)&a, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&l->handle, BACKLOG, on_connection);
    if (rc == 0)
        rc = uv_tcp_getsockname(&l->handle, (struct sockaddr *)&a, &n);
    if (rc == 0)
        l->port = ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&a)->sin6_port
                                                : ((struct sockaddr_in *)(void *)&a)->sin_port);
    return rc;
}

struct tcp_listen *tcp_listen(struct env *env, const char *address, uint16_t port, struct tls_context *tls,
                              void (*on_accept)(struct tcp_listen *l, struct tcp *c), void *data, struct error *e)
{
    struct tcp_listen *l = mem_zalloc(sizeof(*l));
    int rc;

    *l = (struct tcp_listen){.env = env, .tls = tls, .on_accept = on_accept, .data = data};
    list_init(&l->handshakes);
    (void)uv_tcp_init(env_uv_loop(env), &l->handle);
    l->handle.data = l;
    rc = bind_to(l, address, port);
    if (rc == 0)
        return l;
    (void)error_set(e, rc == UV_EACCES ? ERR_DENIED : rc == UV_EADDRINUSE ? ERR_EXISTS : ERR_INVALID,
                    "listen on %s:%u: %s", address, port, uv_strerror(rc));
    tcp_listen_close(l);
    return NULL;
}

uint16_t tcp_listen_port(const struct tcp_listen *l)
{
    return l->port;
}

void *tcp_listen_data(const struct tcp_listen *l)
{
    return l->data;
}

void tcp_listen_close(struct tcp_listen *l)
{
    while (!list_empty(&l->handshakes))
        tcp_impl_enter_closing(LIST_ENTRY(l->handshakes.next, struct tcp, link)); /* takes itself off the list */
    uv_close((uv_handle_t *)&l->handle, on_listen_closed);
}
