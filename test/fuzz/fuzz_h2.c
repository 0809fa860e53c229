/*
 * fuzz_h2: bytes from a hostile other side to an HTTP/2 session. The first byte chooses the role, the second how the
 * rest is cut. Property: the events are the same whether the bytes come at once or in pieces; and freeing the session
 * ends every stream that an event named.
 * Reads: core/net/h2_session.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/net/h2_session.h"

enum { REQUESTS = 3, TRACE_MAX = 1 << 20 };

struct run {
    struct buf trace;
    struct error e;
    size_t open; /* streams with data of ours */
};

struct stream {
    struct buf body;
};

static struct stream *stream_of(struct run *r, struct h2_stream *s)
{
    struct stream *st = h2_stream_data(s);

    if (!st) {
        st = mem_zalloc(sizeof(*st));
        buf_init(&st->body, TRACE_MAX);
        h2_stream_set_data(s, st);
        r->open++;
    }
    return st;
}

static void on_head(void *ctx, struct h2_stream *s, const struct h2_head *h)
{
    struct run *r = ctx;

    (void)stream_of(r, s);
    buf_printf(&r->trace, "\nhead %d %d %.*s %.*s", h->status, h->too_big, (int)h->method.n, h->method.p,
               (int)h->path.n, h->path.p);
    for (size_t i = 0; i < h->n_headers; i++)
        buf_printf(&r->trace, " %.*s=%.*s", (int)h->headers[i].name.n, h->headers[i].name.p, (int)h->headers[i].value.n,
                   h->headers[i].value.p);
    h2_stream_head(s, 200, NULL, 0); /* client: ignored */
    h2_stream_write(s, STR("answer"));
}

static void on_data(void *ctx, struct h2_stream *s, struct str chunk)
{
    buf_add_str(&stream_of(ctx, s)->body, chunk);
}

static void on_end(void *ctx, struct h2_stream *s)
{
    struct run *r = ctx;
    struct stream *st = stream_of(r, s);

    buf_puts(&r->trace, "\nend ");
    for (size_t i = 0; i < st->body.len; i++)
        buf_printf(&r->trace, "%02x", (unsigned char)st->body.data[i]);
    h2_stream_end(s);
}

static void on_close(void *ctx, struct h2_stream *s, int code)
{
    struct run *r = ctx;
    struct stream *st = h2_stream_data(s);

    buf_printf(&r->trace, "\nclose %d", code);
    if (!st)
        return;
    /* A body that did not end is not compared: of one that breaks its content-length, nghttp2 hands on what came in
     * pieces before the break. */
    buf_done(&st->body);
    mem_free(st);
    r->open--;
}

static void on_goaway(void *ctx)
{
    buf_puts(&((struct run *)ctx)->trace, "\ngoaway");
}

static const struct h2_events events = {on_head, on_data, on_end, on_close, on_goaway};

static void start_requests(struct h2_session *s, struct run *r)
{
    const struct http_call call = {.method = "POST", .path = "/x", .body = STR("body")};
    struct buf out;

    for (int i = 0; i < REQUESTS; i++)
        (void)stream_of(r, h2_session_request(s, &call, "http", "a", NULL));
    buf_init(&out, 1 << 24);
    (void)h2_session_pull(s, &out);
    buf_done(&out);
}

static void run(struct run *r, enum h2_role role, const uint8_t *data, size_t size, size_t cut)
{
    struct h2_session *s = h2_session_new(role, &events, r);
    struct buf out;
    int rc = 0;

    r->open = 0;
    r->e.msg[0] = 0;
    buf_init(&r->trace, TRACE_MAX);
    if (role == H2_CLIENT)
        start_requests(s, r);
    for (size_t at = 0; at < size && rc == 0; at += cut)
        rc = h2_session_feed(s, (struct str){(const char *)data + at, size - at < cut ? size - at : cut}, &r->e);
    buf_printf(&r->trace, "\nrc %d", rc);
    buf_init(&out, 1 << 24);
    (void)h2_session_pull(s, &out);
    buf_done(&out);
    h2_session_free(s);
    assert(r->open == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t live = mem_live();
    struct run whole, parts;
    enum h2_role role;

    if (size < 2)
        return 0;
    role = data[0] & 1 ? H2_CLIENT : H2_SERVER;
    run(&whole, role, data + 2, size - 2, size);
    run(&parts, role, data + 2, size - 2, 1 + data[1] % 64);
    /* nghttp2 counts the reads in which a CONTINUATION's head arrives, not the frames: over eight it gives up. */
    if (!strstr(parts.e.msg, "CONTINUATION") && !str_eq(buf_str(&whole.trace), buf_str(&parts.trace))) {
        (void)fprintf(stderr, "at once: %s\n\nin parts: %s\n", whole.trace.data, parts.trace.data);
        abort();
    }
    buf_done(&whole.trace);
    buf_done(&parts.trace);
    assert(mem_live() == live);
    return 0;
}
