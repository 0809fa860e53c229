/*
 * web_request: see web_request.h.
 *
 * One request at a time per connection; the connection's opaque data is the request. The answer waits in `out`;
 * web_request_writable is the only place that sends.
 */
#include "core/net/web_request.h"

#include <netdb.h>
#include <stdio.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/mem.h"

enum {
    PIECE = 32 * 1024,              /* handed to libwebsockets in one call */
    FRAME = 32,                     /* what stands around a chunk, and the last one */
    DISCARD_MAX = 16 * 1024 * 1024, /* of a body that will get 413: a client that is cut off does not see why */
};

struct web_request {
    struct http_serve serve; /* first */
    struct web_site *site;
    struct lws *wsi;
    struct arena arena;
    struct buf body, out;
    size_t sent; /* of out */
    int status;
    struct http_header *fields; /* of the answer */
    size_t n_fields;
    bool too_big, dispatched, answered, ended, reset, head_sent, no_body, close_after, http_11, chunked;
    bool undrained;      /* libwebsockets was given something and has not asked for more */
    struct timer drain;
    char remote[64];
};

/* ---- a request's life ---- */

static struct web_request *of(struct http_serve *s)
{
    return (struct web_request *)(void *)s;
}

static void want_write(struct web_request *r)
{
    (void)lws_callback_on_writable(r->wsi);
    r->site->kick(r->site);
}

static struct http_header *copy_fields(struct arena *a, const struct http_header *from, size_t n)
{
    struct http_header *to = arena_alloc(a, (n ? n : 1) * sizeof(*to));

    for (size_t i = 0; i < n; i++) {
        to[i].name = (struct str){arena_printf(a, "%.*s:", (int)from[i].name.n, from[i].name.p), from[i].name.n};
        to[i].value = (struct str){arena_str(a, from[i].value), from[i].value.n};
    }
    return to;
}

static void serve_head(struct http_serve *s, int status, const struct http_header *headers, size_t n)
{
    struct web_request *r = of(s);

    if (r->answered)
        return;
    r->answered = true;
    r->status = status;
    r->no_body |= status == 204 || status == 304;
    r->fields = copy_fields(&r->arena, headers, n);
    r->n_fields = n;
    want_write(r);
}

static void serve_write(struct http_serve *s, struct str bytes)
{
    struct web_request *r = of(s);

    if (!r->answered || r->ended || r->no_body)
        return;
    buf_add_str(&r->out, bytes);
    want_write(r);
}

static void serve_end(struct http_serve *s)
{
    struct web_request *r = of(s);

    if (!r->answered || r->ended)
        return;
    r->ended = true;
    want_write(r);
}

static void serve_reset(struct http_serve *s)
{
    of(s)->reset = true;
    lws_set_timeout(of(s)->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    want_write(of(s)); /* outside of its callbacks libwebsockets does not look at the time */
}

static size_t serve_pending(struct http_serve *s)
{
    return of(s)->out.len - of(s)->sent;
}

static const struct http_serve_ops serve_ops = {serve_head, serve_write, serve_end, serve_reset, serve_pending};

/* More may have been written since; then it comes again when that has gone. */
static void on_drain_due(struct timer *t)
{
    struct web_request *r = t->data;

    if (r->serve.on_drain && !r->ended && !r->reset && !r->undrained && !serve_pending(&r->serve))
        r->serve.on_drain(&r->serve);
}

void web_request_end(struct web_request *r)
{
    if (!r)
        return;
    lws_set_opaque_user_data(r->wsi, NULL);
    timer_clear(r->site->env, &r->drain);
    if (r->serve.on_close)
        r->serve.on_close(&r->serve);
    buf_done(&r->body);
    buf_done(&r->out);
    arena_done(&r->arena);
    mem_free(r);
}

/* ---- receiving ---- */

static const struct {
    enum lws_token_indexes token;
    const char *name;
} methods[] = {
    {WSI_TOKEN_GET_URI, "GET"},     {WSI_TOKEN_POST_URI, "POST"},     {WSI_TOKEN_PUT_URI, "PUT"},
    {WSI_TOKEN_PATCH_URI, "PATCH"}, {WSI_TOKEN_DELETE_URI, "DELETE"}, {WSI_TOKEN_HEAD_URI, "HEAD"},
    {WSI_TOKEN_OPTIONS_URI, "OPTIONS"},
};

static struct str method_of(struct lws *wsi)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (lws_hdr_total_length(wsi, methods[i].token))
            return str_of(methods[i].name);
    return STR("");
}

/* libwebsockets gives the path decoded; http.h's is encoded. */
static struct str path_of(struct arena *a, struct str decoded)
{
    struct str segment, path;
    struct buf b;
    bool first = true;

    buf_init(&b, 4 * WEB_HEADERS_BYTES);
    while (str_cut(&decoded, '/', &segment)) {
        if (!first)
            buf_putc(&b, '/');
        first = false;
        http_escape(&b, segment);
    }
    path = (struct str){arena_str(a, buf_str(&b)), b.len};
    buf_done(&b);
    return path;
}

/* The same with the query, which comes in decoded pieces "key=value". */
static struct str query_of(struct arena *a, struct lws *wsi)
{
    char *piece = arena_alloc(a, WEB_HEADERS_BYTES);
    struct str rest, key, query;
    struct buf b;
    int n;

    buf_init(&b, 4 * WEB_HEADERS_BYTES);
    for (int i = 0; (n = lws_hdr_copy_fragment(wsi, piece, WEB_HEADERS_BYTES, WSI_TOKEN_HTTP_URI_ARGS, i)) >= 0; i++) {
        bool has_value = memchr(piece, '=', (size_t)n) != NULL;

        rest = (struct str){piece, (size_t)n};
        if (!str_cut(&rest, '=', &key))
            continue;
        if (b.len)
            buf_putc(&b, '&');
        http_escape(&b, key);
        if (has_value)
            buf_putc(&b, '=');
        http_escape(&b, rest);
    }
    query = (struct str){arena_str(a, buf_str(&b)), b.len};
    buf_done(&b);
    return query;
}

static void take_headers(struct web_request *r)
{
    struct http_header *h = arena_alloc(&r->arena, WSI_TOKEN_COUNT * sizeof(*h));
    size_t n = 0;

    for (int t = 0; t < WSI_TOKEN_COUNT; t++) {
        const char *name = (const char *)lws_token_to_string((enum lws_token_indexes)t);
        int len = lws_hdr_total_length(r->wsi, (enum lws_token_indexes)t);
        size_t n_name = name ? strlen(name) : 0;
        char *value;

        if (len <= 0 || n_name < 2 || name[0] == ':' || name[n_name - 1] != ':')
            continue; /* absent, or a method and the like, which are tokens too */
        value = arena_alloc(&r->arena, (size_t)len + 1);
        if (lws_hdr_copy(r->wsi, value, len + 1, (enum lws_token_indexes)t) < 0)
            continue;
        h[n].name = (struct str){arena_strdup(&r->arena, name), n_name - 1};
        h[n++].value = str_of(value);
    }
    r->serve.headers = h;
    r->serve.n_headers = n;
}

static void note_remote(struct web_request *r)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    char host[48], port[8];

    if (getpeername(lws_get_socket_fd(r->wsi), (struct sockaddr *)&a, &n) < 0 ||
        getnameinfo((struct sockaddr *)&a, n, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    (void)snprintf(r->remote, sizeof(r->remote), a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static bool is_http_11(struct lws *wsi)
{
    char version[16];

    return lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_HTTP) > 0 && strcmp(version, "HTTP/1.1") == 0;
}

static struct web_request *request_new(struct web_site *site, struct lws *wsi, struct str path)
{
    struct web_request *r = mem_zalloc(sizeof(*r));

    web_request_end(lws_get_opaque_user_data(wsi)); /* none was ever seen; but it would leak */
    r->site = site;
    r->wsi = wsi;
    arena_init(&r->arena);
    buf_init(&r->body, site->body_max);
    buf_init(&r->out, SIZE_MAX / 2);
    timer_init(&r->drain, on_drain_due, r);
    r->serve.method = method_of(wsi);
    r->no_body = str_is(r->serve.method, "HEAD");
    r->http_11 = is_http_11(wsi);
    r->serve.path = path_of(&r->arena, path);
    r->serve.query = query_of(&r->arena, wsi);
    r->serve.ops = &serve_ops;
    take_headers(r);
    note_remote(r);
    r->serve.remote = str_of(r->remote);
    lws_set_opaque_user_data(wsi, r);
    return r;
}

static struct str header(const struct web_request *r, const char *name)
{
    return http_header_find(r->serve.headers, r->serve.n_headers, name);
}

static void dispatch(struct web_request *r)
{
    r->dispatched = true;
    lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0); /* the handler may take its time */
    r->serve.body = buf_str(&r->body);
    if (r->too_big)
        http_reply(&r->serve, 413, "text/plain", STR("request body too large\n"));
    else
        r->site->handler(r->site->ctx, &r->serve);
}

static void refuse_now(struct web_request *r, int status, struct str text)
{
    r->dispatched = true;
    r->close_after = true; /* a body that we do not want may be on its way */
    http_reply(&r->serve, status, "text/plain", text);
}

static bool may_have_body(struct str method)
{
    return str_is(method, "POST") || str_is(method, "PUT") || str_is(method, "PATCH");
}

/* The head of a request is there: decides how its body comes. */
int web_request_begin(struct web_site *site, struct lws *wsi, struct str path)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct web_request *r = request_new(site, wsi, path);
    struct str length_text = header(r, "content-length");
    unsigned char line[LWS_PRE + sizeof(go_on)];
    uint64_t length = 0;

    if (header(r, "transfer-encoding").n) {
        refuse_now(r, 411, STR("a content-length is needed\n"));
    } else if (length_text.n && str_to_u64(length_text, &length) < 0) {
        refuse_now(r, 400, STR("bad content-length\n"));
    } else if (length > DISCARD_MAX || (length > site->body_max && header(r, "expect").n)) {
        refuse_now(r, 413, STR("request body too large\n"));
    } else if (length) {
        r->too_big = length > site->body_max;
        if (header(r, "expect").n) {
            memcpy(line + LWS_PRE, go_on, sizeof(go_on) - 1);
            if (lws_write(wsi, line + LWS_PRE, sizeof(go_on) - 1, LWS_WRITE_HTTP_HEADERS) < 0)
                return -1;
        }
    } else if (!may_have_body(r->serve.method)) {
        dispatch(r);
    } else if (!length_text.n) {
        r->close_after = true; /* libwebsockets would wait for a body of any length */
        dispatch(r);
    } else if (!str_is(r->serve.method, "POST")) {
        dispatch(r);
    } /* else a POST of length 0: HTTP_BODY_COMPLETION comes for it, and only for it */
    return 0;
}

int web_request_body(struct web_request *r, struct str bytes)
{
    if (!r || r->answered || r->too_big)
        return 0;
    buf_add_str(&r->body, bytes);
    r->too_big = buf_error(&r->body) < 0;
    return 0;
}

int web_request_complete(struct web_request *r)
{
    if (r && !r->dispatched) /* it comes again when the client sends more before the answer */
        dispatch(r);
    return 0;
}

/* ---- sending ---- */

static bool add_header(struct web_request *r, const char *name_colon, struct str value, unsigned char **p,
                       unsigned char *end)
{
    return !lws_add_http_header_by_name(r->wsi, (const unsigned char *)name_colon, (const unsigned char *)value.p,
                                        (int)value.n, p, end);
}

/* A body whose length is not known yet goes in chunks: one that is cut off has no last chunk, and so does not look
 * whole. HTTP/1.0 has none; there the end of the connection is the end of the body. */
static bool add_headers(struct web_request *r, unsigned char **p, unsigned char *end)
{
    bool has_length = false;

    if (lws_add_http_header_status(r->wsi, (unsigned)r->status | LWSAHH_FLAG_NO_SERVER_NAME, p, end))
        return false;
    for (size_t i = 0; i < r->n_fields; i++) {
        const struct http_header *h = &r->fields[i];

        has_length |= str_is(h->name, "content-length");
        if (!add_header(r, h->name.p, h->value, p, end))
            return false;
    }
    if (!has_length && r->ended && !r->no_body && lws_add_http_header_content_length(r->wsi, r->out.len, p, end))
        return false;
    r->chunked = !has_length && !r->ended && !r->no_body && r->http_11;
    r->close_after |= !has_length && !r->ended && !r->no_body && !r->http_11;
    if (r->chunked && !add_header(r, "transfer-encoding:", STR("chunked"), p, end))
        return false;
    return !r->close_after || add_header(r, "connection:", STR("close"), p, end);
}

static bool send_head(struct web_request *r)
{
    size_t room = 1024;
    unsigned char *space, *start, *p;
    bool ok;

    for (size_t i = 0; i < r->n_fields; i++)
        room += r->fields[i].name.n + r->fields[i].value.n + 8;
    space = mem_alloc(LWS_PRE + room);
    start = p = space + LWS_PRE;
    ok = add_headers(r, &p, start + room) && !lws_finalize_write_http_header(r->wsi, start, &p, start + room);
    mem_free(space);
    return ok;
}

/* The next n bytes of the body as they go out. The end of them. */
static unsigned char *put_piece(const struct web_request *r, unsigned char *p, size_t n, bool is_last)
{
    if (r->chunked && n)
        p += snprintf((char *)p, FRAME / 2, "%zx\r\n", n);
    if (n)
        p = mempcpy(p, r->out.data + r->sent, n);
    if (r->chunked && n)
        p = mempcpy(p, "\r\n", 2);
    if (r->chunked && is_last)
        p = mempcpy(p, "0\r\n\r\n", 5);
    return p;
}

static bool send_piece(struct web_request *r, bool *ret_last)
{
    size_t left = r->out.len - r->sent, n = left < PIECE ? left : PIECE;
    unsigned char *space = mem_alloc(LWS_PRE + FRAME + n), *start = space + LWS_PRE, *end;
    int rc = 0;

    *ret_last = r->ended && n == left;
    end = put_piece(r, start, n, *ret_last);
    if (end > start)
        rc = lws_write(r->wsi, start, (size_t)(end - start), *ret_last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP);
    mem_free(space);
    r->sent += n;
    if (r->sent == r->out.len) {
        buf_clear(&r->out);
        r->sent = 0;
    }
    return rc >= 0;
}

/* What waits, here or in libwebsockets, is memory that a client could hold for ever by not reading. */
static void watch_for_a_stall(struct web_request *r)
{
    if (r->undrained)
        lws_set_timeout(r->wsi, PENDING_TIMEOUT_HTTP_CONTENT, r->site->stall_s);
    else
        lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0);
}

/* The socket takes more and there is no more. */
static void drained(struct web_request *r)
{
    if (!r->undrained)
        return;
    r->undrained = false;
    watch_for_a_stall(r);
    if (r->serve.on_drain)
        timer_set_in(r->site->env, &r->drain, 0);
}

int web_request_writable(struct web_request *r)
{
    struct lws *wsi;
    bool last = false, close_after;

    if (r && r->reset)
        return -1; /* what follows sets the connection's only timeout, which reset has set to now */
    if (!r || !r->answered)
        return 0;
    if (r->head_sent && !r->ended && !serve_pending(&r->serve)) {
        drained(r);
        return 0;
    }
    if (r->head_sent ? !send_piece(r, &last) : !send_head(r))
        return -1;
    r->head_sent = true;
    if (!last) {
        r->undrained = true;
        watch_for_a_stall(r);
        want_write(r);
        return 0;
    }
    wsi = r->wsi;
    close_after = r->close_after;
    web_request_end(r);
    return close_after || lws_http_transaction_completed(wsi) ? -1 : 0;
}
