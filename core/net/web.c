/*
 * web: see web.h.
 *
 * libwebsockets gets a loop of its own inside ours: we wait for its epoll descriptor and its next due time, and run a
 * round of it then. So what it leaves in a loop (idle handles, timers, closing sockets) never reaches ours, and it can
 * be taken down in one go: run its loop empty, then free.
 */
#include "core/net/web.h"

#include <assert.h>
#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/web_request.h"

enum {
    CONNECTIONS_MAX = 512,
    READ_SIZE = 32 * 1024,
    QUIET_ROUNDS = 16,         /* on end of the inner loop without an event: it spins */
    QUIET_GAP_MS = 5,
    REST_MS = 10,
    TIMEOUT_S = 30,            /* for a request to arrive */
    KEEPALIVE_S = 60,
};

struct web {
    struct env *env;
    struct web_site site;
    uv_loop_t inner;
    uv_poll_t poll; /* on our loop: the inner one has something */
    struct timer tick;
    struct lws_context *context;
    struct tls_context *tls; /* of the certificate for new connections; NULL: none yet */
    uint16_t port;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
    unsigned events; /* from libwebsockets, ever */
    unsigned quiet_rounds;
    uint64_t last_ns;
    bool kicked, stopping;
};

/* ---- the inner loop ---- */

static void on_poll(uv_poll_t *p, int status, int events);

/* libwebsockets does not read while an answer is due, but asks epoll all the same: a client that has more to say, or
 * has hung up, would keep us busy. So after some rounds in which nothing came of it we rest a little. */
static bool spins(struct web *w, bool quiet)
{
    uint64_t now = env_now_ns(w->env);

    if (!quiet || now - w->last_ns > QUIET_GAP_MS * 1000000ull)
        w->quiet_rounds = 0;
    else
        w->quiet_rounds++;
    w->last_ns = now;
    return w->quiet_rounds > QUIET_ROUNDS;
}

static void service(struct web *w)
{
    unsigned before = w->events;
    int wait_ms;

    w->kicked = false;
    /* Twice: the first round may add descriptors, which only the start of the next hands to epoll. */
    (void)uv_run(&w->inner, UV_RUN_NOWAIT);
    (void)uv_run(&w->inner, UV_RUN_NOWAIT);
    uv_update_time(&w->inner);
    wait_ms = uv_backend_timeout(&w->inner);
    if (spins(w, w->events == before && !w->kicked)) {
        (void)uv_poll_stop(&w->poll);
        timer_set_in(w->env, &w->tick, REST_MS);
        return;
    }
    (void)uv_poll_start(&w->poll, UV_READABLE, on_poll);
    if (wait_ms < 0 && !w->kicked)
        timer_clear(w->env, &w->tick);
    else
        timer_set_in(w->env, &w->tick, w->kicked ? 0 : (uint64_t)wait_ms);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
    (void)status, (void)events;
    service(p->data);
}

static void on_poll_closed(uv_handle_t *h)
{
    struct web *w = h->data;
    void (*on_stopped)(void *ctx) = w->on_stopped;
    void *ctx = w->stopped_ctx;

    tls_context_free(w->tls);
    mem_free(w);
    if (on_stopped)
        on_stopped(ctx);
}

static void destroy(struct web *w)
{
    int rc;

    timer_clear(w->env, &w->tick);
    if (w->context) {
        lws_context_destroy(w->context); /* closes what is open */
        for (int i = 0; i < 1000 && uv_loop_alive(&w->inner); i++)
            (void)uv_run(&w->inner, UV_RUN_NOWAIT);
        lws_context_destroy(w->context); /* frees: nothing of it may be in the loop any more */
    }
    while (uv_run(&w->inner, UV_RUN_NOWAIT))
        ;
    uv_close((uv_handle_t *)&w->poll, on_poll_closed);
    rc = uv_loop_close(&w->inner);
    assert(rc == 0);
    (void)rc;
}

static void on_tick(struct timer *t)
{
    struct web *w = t->data;

    if (w->stopping)
        destroy(w);
    else
        service(w);
}

static void kick(struct web *w)
{
    w->kicked = true; /* for when we are inside service */
    timer_set_in(w->env, &w->tick, 0);
}

static void kick_site(struct web_site *site)
{
    kick(LIST_ENTRY(site, struct web, site));
}

/* ---- TLS ---- */

/* libwebsockets reads a certificate once. So its own context has none, and each session moves, when the client has
 * said hello, to the one that is valid now. */
static int on_hello(SSL *ssl, int *alert, void *ctx)
{
    struct web *w = ctx;

    if (!w->tls) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    tls_context_use(w->tls, ssl);
    return SSL_TLSEXT_ERR_OK;
}

static void set_up_tls(struct web *w, SSL_CTX *ssl)
{
    (void)SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_tlsext_servername_callback(ssl, on_hello); /* is called without a server name too */
    (void)SSL_CTX_set_tlsext_servername_arg(ssl, w);
}

int web_set_certificate(struct web *w, struct str cert_pem, struct str key_pem, struct error *e)
{
    struct tls_context *tls =
        tls_context_new(&(struct tls_options){.server = true, .cert_pem = cert_pem, .key_pem = key_pem}, e);

    if (!tls)
        return e->code;
    tls_context_free(w->tls);
    w->tls = tls;
    return 0;
}

/* ---- libwebsockets ---- */

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct web *w = wsi ? lws_context_user(lws_get_context(wsi)) : NULL;
    struct web_request *r;

    if (!w)
        return 0;
    w->events++;
    r = lws_get_opaque_user_data(wsi);
    switch ((int)reason) { /* of some hundred */
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        set_up_tls(w, user);
        return 0;
    case LWS_CALLBACK_HTTP:
        return web_request_begin(&w->site, wsi, (struct str){in, len});
    case LWS_CALLBACK_HTTP_BODY:
        return web_request_body(r, (struct str){in, len});
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return web_request_complete(r);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return web_request_writable(r);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return -1; /* no websockets, no h2c */
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_WSI_DESTROY:
        web_request_end(r);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = on_event, .rx_buffer_size = READ_SIZE},
    {.name = NULL},
};

static int listen_on(struct web *w, const struct web_options *o, struct error *e)
{
    void *loops[1] = {&w->inner};
    struct lws_context_creation_info info = {
        .port = o->port,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND,
        .foreign_loops = loops,
        .user = w,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .fd_limit_per_thread = CONNECTIONS_MAX,
        .pt_serv_buf_size = READ_SIZE, /* over a TLS record: what is left of one in OpenSSL wakes nobody */
        .max_http_header_data = WEB_HEADERS_BYTES,
        .max_http_header_pool = CONNECTIONS_MAX,
        .timeout_secs = TIMEOUT_S,
        .keepalive_timeout = o->idle_s ? o->idle_s : KEEPALIVE_S,
    };
    struct lws_vhost *vhost;

    if (o->tls)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
    if (!strchr(o->address, ':'))
        info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    if (strcmp(o->address, "0.0.0.0") != 0 && strcmp(o->address, "::") != 0)
        info.iface = o->address;
    lws_set_log_level(0, NULL); /* it would write to stderr in a form of its own */
    w->context = lws_create_context(&info);
    if (!w->context)
        return error_set(e, ERR_BUG, "libwebsockets does not start: is its plugin libwebsockets-evlib-uv installed?");
    vhost = lws_create_vhost(w->context, &info);
    if (!vhost)
        return error_set(e, ERR_EXISTS, "listen on %s:%u: the address is not free, or not ours", o->address, o->port);
    w->port = (uint16_t)lws_get_vhost_listen_port(vhost);
    return 0;
}

struct web *web_start(const struct web_options *o, struct error *e)
{
    struct web *w = mem_zalloc(sizeof(*w));
    int rc;

    assert(o->handler);
    *w = (struct web){.env = o->env, .site = {o->env, o->body_max, o->handler, o->ctx, kick_site,
                                                  o->stall_s ? o->stall_s : TIMEOUT_S}};
    timer_init(&w->tick, on_tick, w);
    rc = uv_loop_init(&w->inner); /* a process may be out of descriptors from the start */
    if (rc < 0) {
        (void)error_set(e, ERR_NET, "listen on %s:%u: %s", o->address, o->port, uv_strerror(rc));
        mem_free(w);
        return NULL;
    }
    rc = uv_poll_init(env_uv_loop(o->env), &w->poll, uv_backend_fd(&w->inner));
    assert(rc == 0); /* it takes no descriptor of its own, and an epoll can be polled */
    w->poll.data = w;
    rc = listen_on(w, o, e);
    if (rc < 0) {
        destroy(w);
        return NULL;
    }
    kick(w);
    return w;
}

uint16_t web_port(const struct web *w)
{
    return w->port;
}

void web_stop(struct web *w, void (*on_stopped)(void *ctx), void *ctx)
{
    if (!w) {
        if (on_stopped)
            on_stopped(ctx);
        return;
    }
    w->stopping = true;
    w->on_stopped = on_stopped;
    w->stopped_ctx = ctx;
    kick(w); /* not here: we may be inside one of libwebsockets' callbacks */
}
