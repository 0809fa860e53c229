/*
 * fuzz_h2: bytes from a hostile other side to an HTTP/2 session. The first byte chooses the role and what our side does
 * meanwhile (enum habit), the second how the rest is cut. Property: the events are the same whether the bytes come at
 * once or in pieces; and freeing the session ends every stream that an event named.
 * Reads: core/net/h2_session.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/net/h2_session.h"

enum { REQUESTS = 3, TRACE_MAX = 1 << 20, LONG = 100000 };

enum habit { /* bits of the first byte */
    HABIT_CLIENT = 1,
    HABIT_RESTLESS = 2, /* it pings, and says good-bye before it reads */
    HABIT_LATE = 4,     /* it answers when all has been read and what it had to say has gone out; and at length */
    HABIT_RESET = 8,    /* it resets each stream of which it has seen the head */
    HABIT_EMPTY = 16,   /* its answers have no body */
};

struct run {
    unsigned habits;
    struct buf trace;
    struct error e;
    struct list streams; /* with data of ours */
};

struct stream {
    struct list link;
    struct h2_stream *s;
    struct buf body;
};

static struct stream *stream_of(struct run *r, struct h2_stream *s)
{
    struct stream *st = h2_stream_data(s);

    if (!st) {
        st = mem_zalloc(sizeof(*st));
        buf_init(&st->body, TRACE_MAX);
        h2_stream_set_data(s, st);
        st->s = s;
        list_add_tail(&r->streams, &st->link);
    }
    return st;
}

static void answer(struct run *r, struct h2_stream *s)
{
    static char text[LONG];
    const struct http_header fields[] = {{STR("connection"), STR("close")}, {STR("x-of"), STR("fuzz")}};
    size_t before = h2_stream_pending(s);

    memset(text, 'a', sizeof(text));
    h2_stream_head(s, r->habits & HABIT_EMPTY ? 204 : 200, fields, 2); /* client: ignored, as what follows */
    assert(h2_stream_head_sent(s));
    h2_stream_write(s, (struct str){text, r->habits & HABIT_LATE ? sizeof(text) : 6});
    buf_printf(&r->trace, " pending %zu", h2_stream_pending(s) - before);
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
    if (!(r->habits & HABIT_LATE))
        answer(r, s);
    if (r->habits & HABIT_RESET)
        h2_stream_reset(s, 8);
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
    if (!(r->habits & HABIT_LATE))
        h2_stream_end(s);
}

static void on_close(void *ctx, struct h2_stream *s, int code)
{
    struct run *r = ctx;
    struct stream *st = h2_stream_data(s);

    buf_printf(&r->trace, "\nclose %d %s", code, h2_code_name(code));
    if (!st)
        return;
    /* A body that did not end is not compared: of one that breaks its content-length, nghttp2 hands on what came in
     * pieces before the break. */
    buf_done(&st->body);
    list_del(&st->link);
    mem_free(st);
}

static void on_goaway(void *ctx)
{
    buf_puts(&((struct run *)ctx)->trace, "\ngoaway");
}

static const struct h2_events events = {
    .on_head = on_head, .on_data = on_data, .on_end = on_end, .on_close = on_close, .on_goaway = on_goaway};

static void pull(struct h2_session *s)
{
    bool more;

    do {
        struct buf out;

        buf_init(&out, 1 << 24);
        more = h2_session_pull(s, &out);
        assert(!more || out.len >= 1 << 16);
        buf_done(&out);
    } while (more);
}

static void request(struct h2_session *s, struct run *r, struct str body)
{
    const struct http_header field = {STR("x-of"), STR("fuzz")};
    const struct http_call call = {
        .method = "POST", .path = "/x", .body = body, .headers = &field, .n_headers = 1, .bulk = !body.n};
    struct h2_stream *st = h2_session_request(s, &call, "http", "a", NULL);

    if (st)
        (void)stream_of(r, st);
    buf_puts(&r->trace, st ? "\nasked" : "\nnot asked");
}

static void begin(struct h2_session *s, struct run *r)
{
    buf_init(&r->trace, TRACE_MAX);
    r->e.msg[0] = 0;
    for (int i = 0; i < REQUESTS && r->habits & HABIT_CLIENT; i++)
        request(s, r, STR("body"));
    if (r->habits & HABIT_RESTLESS) {
        h2_session_ping(s);
        h2_session_goaway(s);
    }
    pull(s);
}

static void end(struct h2_session *s, struct run *r)
{
    pull(s);
    if (r->habits & HABIT_CLIENT)
        request(s, r, STR_NONE);
    if (r->habits & HABIT_LATE)
        LIST_EACH (it, &r->streams)
            answer(r, LIST_ENTRY(it, struct stream, link)->s);
    pull(s);
    LIST_EACH (it, &r->streams)
        h2_stream_end(LIST_ENTRY(it, struct stream, link)->s);
    pull(s);
    buf_printf(&r->trace, "\nover %d", h2_session_over(s));
}

static void run(struct run *r, const uint8_t *data, size_t size, size_t cut)
{
    struct h2_session *s = h2_session_new(r->habits & HABIT_CLIENT ? H2_CLIENT : H2_SERVER, &events, r);
    int rc = 0;

    list_init(&r->streams);
    begin(s, r);
    for (size_t at = 0; at < size && rc == 0; at += cut)
        rc = h2_session_feed(s, (struct str){(const char *)data + at, size - at < cut ? size - at : cut}, &r->e);
    buf_printf(&r->trace, "\nrc %d", rc);
    end(s, r);
    h2_session_free(s);
    assert(list_empty(&r->streams));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t live = mem_live();
    struct run whole = {.habits = size ? data[0] : 0}, parts = whole;

    if (size < 2)
        return 0;
    run(&whole, data + 2, size - 2, size);
    run(&parts, data + 2, size - 2, 1 + data[1] % 64);
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
