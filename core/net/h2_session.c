/*
 * h2_session: see h2_session.h.
 *
 * nghttp2 does the protocol; here are the memory of heads and bodies, the caps, and the events. What a stream still has
 * to send waits in chunks: the data provider is deferred when they run out and resumed by the next write, so that a
 * watch costs nothing while nothing happens.
 */
#include "core/net/h2_session.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "core/base/arena.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/mem.h"

enum {
    WINDOW_STREAM = 1024 * 1024,
    WINDOW_SESSION = 16 * 1024 * 1024,
    STREAMS_MAX = 250,  /* requests at once that a server takes; the API server's own figure */
    HEADERS_MAX = 128,  /* fields of one message */
    CHUNK_MIN = 16 * 1024,
    PULL_ENOUGH = 64 * 1024,
    WEIGHT_BULK = 1,    /* of a list or a watch, against 256 of the rest */
};

struct chunk {
    struct list link;
    size_t len, at, cap; /* at: what has been sent */
    char bytes[];
};

struct h2_stream {
    struct list link;
    struct h2_session *session;
    int32_t id;
    void *data;
    /* The head being received. */
    struct arena arena;
    struct h2_head head;
    struct http_header *fields; /* HEADERS_MAX of them, in the arena */
    size_t head_bytes;
    bool got_head; /* the final one: later header blocks are trailers */
    /* What is to be sent. */
    struct list chunks;
    size_t pending;
    bool head_sent, ended, deferred, no_body;
};

struct h2_session {
    nghttp2_session *ng;
    enum h2_role role;
    const struct h2_events *events;
    void *ctx;
    struct list streams;
    size_t n_streams;
};

static struct str view(const uint8_t *p, size_t n)
{
    return (struct str){(const char *)p, n};
}

/* ---- streams ---- */

static struct h2_stream *stream_new(struct h2_session *s, int32_t id, void *data)
{
    struct h2_stream *st = mem_zalloc(sizeof(*st));

    st->session = s;
    st->id = id;
    st->data = data;
    list_init(&st->chunks);
    arena_init(&st->arena);
    list_add_tail(&s->streams, &st->link);
    s->n_streams++;
    return st;
}

static void drop_chunks(struct h2_stream *st)
{
    struct list *l;

    while ((l = list_pop(&st->chunks)))
        mem_free(LIST_ENTRY(l, struct chunk, link));
    st->pending = 0;
}

static void stream_free(struct h2_stream *st)
{
    drop_chunks(st);
    arena_done(&st->arena);
    list_del(&st->link);
    st->session->n_streams--;
    mem_free(st);
}

static void append(struct h2_stream *st, struct str bytes)
{
    struct chunk *c = list_empty(&st->chunks) ? NULL : LIST_ENTRY(st->chunks.prev, struct chunk, link);

    st->pending += bytes.n;
    if (c && c->cap - c->len >= bytes.n) {
        memcpy(c->bytes + c->len, bytes.p, bytes.n);
        c->len += bytes.n;
        return;
    }
    c = mem_alloc(sizeof(*c) + (bytes.n < CHUNK_MIN ? CHUNK_MIN : bytes.n));
    c->cap = bytes.n < CHUNK_MIN ? CHUNK_MIN : bytes.n;
    c->at = 0;
    c->len = bytes.n;
    memcpy(c->bytes, bytes.p, bytes.n);
    list_add_tail(&st->chunks, &c->link);
}

/* nghttp2 asks for the next bytes of a stream's body. */
static ssize_t on_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                       nghttp2_data_source *source, void *ctx)
{
    struct h2_stream *st = source->ptr;
    struct h2_session *s = ctx;
    size_t done = 0;

    (void)ng, (void)id;
    while (done < room && !list_empty(&st->chunks)) {
        struct chunk *c = LIST_ENTRY(st->chunks.next, struct chunk, link);
        size_t n = c->len - c->at < room - done ? c->len - c->at : room - done;

        memcpy(to + done, c->bytes + c->at, n);
        c->at += n;
        done += n;
        if (c->at == c->len) {
            list_del(&c->link);
            mem_free(c);
        }
    }
    st->pending -= done;
    if (!st->pending && st->ended)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (!done) {
        st->deferred = true;
        if (s->events->on_drain)
            s->events->on_drain(s->ctx, st);
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)done;
}

static void resume(struct h2_stream *st)
{
    if (!st->deferred)
        return;
    st->deferred = false;
    (void)nghttp2_session_resume_data(st->session->ng, st->id); /* fails when the stream is going: fine */
}

/* ---- receiving ---- */

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *ctx)
{
    struct h2_session *s = ctx;

    if (s->role == H2_SERVER && f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
        (void)nghttp2_session_set_stream_user_data(ng, f->hd.stream_id, stream_new(s, f->hd.stream_id, NULL));
    return 0;
}

static struct str keep(struct h2_stream *st, struct str s)
{
    return (struct str){arena_str(&st->arena, s), s.n};
}

static void add_field(struct h2_stream *st, struct str name, struct str value)
{
    if (!st->fields)
        st->fields = arena_alloc(&st->arena, HEADERS_MAX * sizeof(*st->fields));
    if (st->head.n_headers == HEADERS_MAX) {
        st->head.too_big = true;
        return;
    }
    st->fields[st->head.n_headers++] = (struct http_header){keep(st, name), keep(st, value)};
}

static void add_pseudo(struct h2_stream *st, struct str name, struct str value)
{
    uint64_t status;

    if (str_is(name, ":status") && str_to_u64(value, &status) == 0)
        st->head.status = (int)status;
    else if (str_is(name, ":method"))
        st->head.method = keep(st, value);
    else if (str_is(name, ":path"))
        st->head.path = keep(st, value);
    else if (str_is(name, ":authority")) {
        st->head.host = keep(st, value);
        add_field(st, STR("host"), value);
    }
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name, size_t n_name,
                     const uint8_t *value, size_t n_value, uint8_t flags, void *ctx)
{
    struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);

    (void)flags, (void)ctx;
    if (!st || st->got_head || st->head.too_big)
        return 0;
    st->head_bytes += n_name + n_value + 32; /* counted as RFC 7541 section 4.1 does */
    if (st->head_bytes > LIMIT_HEADERS)
        st->head.too_big = true;
    else if (n_name && name[0] == ':')
        add_pseudo(st, view(name, n_name), view(value, n_value));
    else
        add_field(st, view(name, n_name), view(value, n_value));
    return 0;
}

static void forget_head(struct h2_stream *st)
{
    st->head = (struct h2_head){0};
    st->fields = NULL;
    st->head_bytes = 0;
    arena_done(&st->arena);
    arena_init(&st->arena);
}

static void head_complete(struct h2_session *s, struct h2_stream *st)
{
    if (st->got_head)
        return; /* trailers */
    if (s->role == H2_CLIENT && !st->head.too_big && st->head.status < 200) {
        forget_head(st); /* 100 Continue and its like: the answer follows */
        return;
    }
    st->got_head = true;
    if (st->head.too_big)
        st->head = (struct h2_head){.too_big = true};
    st->head.headers = st->head.n_headers ? st->fields : NULL;
    st->no_body = s->role == H2_SERVER && str_is(st->head.method, "HEAD");
    if (s->events->on_head)
        s->events->on_head(s->ctx, st, &st->head);
    if (s->role == H2_CLIENT)
        forget_head(st); /* a watch lives long: it need not hold its head */
}

/* Over in the middle of a read is over: nghttp2 itself looks only where a read begins. */
static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *ctx)
{
    (void)hd;
    (void)ctx;
    return nghttp2_session_want_read(ng) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *ctx)
{
    struct h2_session *s = ctx;
    struct h2_stream *st;

    if (f->hd.type == NGHTTP2_GOAWAY && s->events->on_goaway)
        s->events->on_goaway(s->ctx);
    if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
        return 0;
    st = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
    if (!st)
        return 0;
    if (f->hd.type == NGHTTP2_HEADERS)
        head_complete(s, st);
    if (f->hd.flags & NGHTTP2_FLAG_END_STREAM && s->events->on_end)
        s->events->on_end(s->ctx, st);
    return 0;
}

static int on_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
    struct h2_session *s = ctx;
    struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);

    (void)flags;
    if (st && n && s->events->on_data)
        s->events->on_data(s->ctx, st, view(p, n));
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *ctx)
{
    struct h2_session *s = ctx;
    struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);

    if (!st)
        return 0;
    (void)nghttp2_session_set_stream_user_data(ng, id, NULL);
    if (s->events->on_close)
        s->events->on_close(s->ctx, st, (int)code);
    stream_free(st);
    return 0;
}

/* ---- the session ---- */

static void *ng_malloc(size_t n, void *ctx)
{
    (void)ctx;
    return mem_alloc(n);
}

static void *ng_calloc(size_t n, size_t size, void *ctx)
{
    (void)ctx;
    return mem_zalloc(n * size); /* nghttp2's own counts */
}

static void *ng_realloc(void *p, size_t n, void *ctx)
{
    (void)ctx;
    return mem_realloc(p, n);
}

static void ng_free(void *p, void *ctx)
{
    (void)ctx;
    mem_free(p);
}

static nghttp2_session *make(enum h2_role role, void *ctx)
{
    nghttp2_mem mem = {NULL, ng_malloc, ng_free, ng_calloc, ng_realloc};
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    nghttp2_session *ng;
    int rc = nghttp2_session_callbacks_new(&cb) | nghttp2_option_new(&option);

    assert(rc == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_option_set_no_closed_streams(option, 1); /* kept for priorities only, and they cost memory */
    if (role == H2_CLIENT)
        rc = nghttp2_session_client_new3(&ng, cb, ctx, option, &mem);
    else
        rc = nghttp2_session_server_new3(&ng, cb, ctx, option, &mem);
    assert(rc == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    return ng;
}

struct h2_session *h2_session_new(enum h2_role role, const struct h2_events *events, void *ctx)
{
    struct h2_session *s = mem_zalloc(sizeof(*s));
    nghttp2_settings_entry settings[3] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_STREAM},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LIMIT_HEADERS},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    int rc;

    if (role == H2_SERVER)
        settings[2] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX};
    s->role = role;
    s->events = events;
    s->ctx = ctx;
    list_init(&s->streams);
    s->ng = make(role, s);
    rc = nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings, 3);
    assert(rc == 0);
    rc = nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, WINDOW_SESSION);
    assert(rc == 0);
    return s;
}

void h2_session_free(struct h2_session *s)
{
    if (!s)
        return;
    while (!list_empty(&s->streams)) {
        struct h2_stream *st = LIST_ENTRY(s->streams.next, struct h2_stream, link);

        (void)nghttp2_session_set_stream_user_data(s->ng, st->id, NULL);
        if (s->events->on_close)
            s->events->on_close(s->ctx, st, H2_LOST);
        stream_free(st);
    }
    nghttp2_session_del(s->ng);
    mem_free(s);
}

int h2_session_feed(struct h2_session *s, struct str bytes, struct error *e)
{
    ssize_t n = nghttp2_session_mem_recv(s->ng, (const uint8_t *)bytes.p, bytes.n);

    if (n == NGHTTP2_ERR_CALLBACK_FAILURE && !nghttp2_session_want_read(s->ng))
        return 0; /* on_begin_frame's: what comes after the end is nobody's */
    if (n < 0)
        return error_set(e, ERR_NET, "HTTP/2: %s", nghttp2_strerror((int)n));
    return 0;
}

bool h2_session_pull(struct h2_session *s, struct buf *out)
{
    while (out->len < PULL_ENOUGH) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(s->ng, &p);

        if (n <= 0)
            return false; /* < 0: only without memory, and then we are not here */
        buf_add(out, p, (size_t)n);
    }
    return true;
}

bool h2_session_over(const struct h2_session *s)
{
    return !nghttp2_session_want_read(s->ng) && !nghttp2_session_want_write(s->ng);
}

size_t h2_session_streams(const struct h2_session *s)
{
    return s->n_streams;
}

void h2_session_ping(struct h2_session *s)
{
    (void)nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL);
}

void h2_session_goaway(struct h2_session *s)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(s->ng);

    (void)nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

/* ---- sending ---- */

static nghttp2_nv nv_of(struct str name, struct str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n,
                        NGHTTP2_NV_FLAG_NONE};
}

/* HTTP/2 has no such fields: a message with one is malformed (RFC 9113 section 8.2.2). */
static bool of_connection(struct str name)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

static size_t add_fields(nghttp2_nv *nv, size_t n, const struct http_header *headers, size_t n_headers)
{
    for (size_t i = 0; i < n_headers && n < HEADERS_MAX; i++)
        if (!of_connection(headers[i].name) && headers[i].name.n)
            nv[n++] = nv_of(headers[i].name, headers[i].value);
    return n;
}

struct h2_stream *h2_session_request(struct h2_session *s, const struct http_call *call, const char *scheme,
                                     const char *authority, void *data)
{
    struct h2_stream *st = stream_new(s, 0, data);
    nghttp2_data_provider provider = {.source.ptr = st, .read_callback = on_read};
    nghttp2_priority_spec priority;
    nghttp2_nv nv[HEADERS_MAX];
    size_t n = 4;

    nv[0] = nv_of(STR(":method"), str_of(call->method));
    nv[1] = nv_of(STR(":scheme"), str_of(scheme));
    nv[2] = nv_of(STR(":authority"), str_of(authority));
    nv[3] = nv_of(STR(":path"), str_of(call->path));
    n = add_fields(nv, n, call->headers, call->n_headers);
    if (call->body.n)
        append(st, call->body);
    st->head_sent = st->ended = true;
    nghttp2_priority_spec_init(&priority, 0, call->bulk ? WEIGHT_BULK : NGHTTP2_MAX_WEIGHT, 0);
    st->id = nghttp2_submit_request(s->ng, &priority, nv, n, call->body.n ? &provider : NULL, st);
    if (st->id > 0)
        return st;
    stream_free(st); /* ids used up, or after GOAWAY */
    return NULL;
}

void h2_stream_head(struct h2_stream *st, int status, const struct http_header *headers, size_t n_headers)
{
    nghttp2_data_provider provider = {.source.ptr = st, .read_callback = on_read};
    nghttp2_nv nv[HEADERS_MAX];
    char text[16];
    int n;

    if (st->head_sent)
        return;
    st->head_sent = true;
    st->no_body |= status == 204 || status == 304;
    n = snprintf(text, sizeof(text), "%03d", status);
    nv[0] = nv_of(STR(":status"), (struct str){text, (size_t)n});
    /* Fails when the stream is going already: on_close follows. */
    (void)nghttp2_submit_response(st->session->ng, st->id, nv, add_fields(nv, 1, headers, n_headers),
                                  st->no_body ? NULL : &provider);
}

void h2_stream_write(struct h2_stream *st, struct str bytes)
{
    if (!st->head_sent || st->ended || st->no_body || !bytes.n)
        return;
    append(st, bytes);
    resume(st);
}

void h2_stream_end(struct h2_stream *st)
{
    if (!st->head_sent || st->ended)
        return;
    st->ended = true;
    resume(st);
}

bool h2_stream_head_sent(const struct h2_stream *st)
{
    return st->head_sent;
}

void h2_stream_reset(struct h2_stream *st, uint32_t code)
{
    drop_chunks(st);
    (void)nghttp2_submit_rst_stream(st->session->ng, NGHTTP2_FLAG_NONE, st->id, code);
}

size_t h2_stream_pending(const struct h2_stream *st)
{
    return st->pending;
}

void h2_stream_set_data(struct h2_stream *st, void *data)
{
    st->data = data;
}

void *h2_stream_data(const struct h2_stream *st)
{
    return st->data;
}

const char *h2_code_name(int code)
{
    return code == H2_LOST ? "connection lost" : nghttp2_http2_strerror((uint32_t)code);
}
