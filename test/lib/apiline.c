/*
 * apiline: an API server for scripts: requests as lines of JSON on standard input, answers as lines on standard output,
 * many at a time over HTTP/2. A script has no HTTP/2 of its own, and a program a request would cost more than it.
 *
 *     {"id": 7, "method": "PATCH", "path": "/api/…", "type": "application/merge-patch+json", "body": {…}}
 *         {"id": 7, "status": 200, "ms": 1.3, "body": {…}}
 *         {"id": 7, "status": 0, "error": "connection refused"}
 *         "body" is a string where it is no JSON of one line; "bytes", in base64, is in its place where it is no UTF-8
 *     {"id": 8, "path": "/api/v1/pods?watch=true", "stream": true}
 *         {"id": 8, "event": {…}} for each line of the answer, then {"id": 8, "status": 200} or with "error"
 *     {"id": 8, "cancel": true}
 *     {"id": 9, "method": "POST", "path": "/api/…", "text": "{ no JSON", "head": true,
 *      "headers": {"accept": "text/html", "impersonate-group": ["a", "b"]}}
 *         {"id": 9, "status": 400, "headers": [["content-type", "…"], …], "body": {…}}
 *         with "stream", {"id": 9, "head": 200} before the first event
 *
 * usage: apiline KUBECONFIG [INFLIGHT]      so many requests at a time (default 32); watches do not count
 * Ends when standard input has ended and all is answered; watches are cut then. Requests are begun in their order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/cmd/stashd_connect.h"
#include "core/loop/env_uv.h"

enum { LINE_BYTES = 64 * 1024 * 1024, HEADERS_MAX = 16 };

struct driver {
    struct env *env;
    struct stashd_connection connection;
    struct buf token, in, out;
    struct list waiting, running;
    size_t n_running, inflight; /* without watches */
    bool ended, done;
};

struct request {
    struct list link;
    struct driver *driver;
    struct http_call call;
    struct http_header headers[HEADERS_MAX];
    struct buf answer, head; /* head: the answer's headers as JSON, where they are asked for */
    json_t *asked;           /* the line, which the call's texts are in */
    char *body;
    int64_t id;
    uint64_t began_ns;
    int status;
    bool stream, wants_head;
};

static void look(struct driver *d);

/* ---- answers ---- */

static void say(struct driver *d)
{
    size_t at = 0;

    buf_putc(&d->out, '\n');
    while (at < d->out.len) {
        ssize_t n = write(STDOUT_FILENO, d->out.data + at, d->out.len - at);

        if (n < 0 && errno != EINTR)
            exit(1); /* who asked is gone */
        at += n > 0 ? (size_t)n : 0;
    }
    buf_clear(&d->out);
}

static void say_text(struct buf *out, struct str text)
{
    json_t *s = json_stringn_nocheck(text.p, text.n);
    AUTO_FREE char *quoted = json_dumps(s, JSON_ENCODE_ANY);

    buf_puts(out, quoted ? quoted : "\"\"");
    json_decref(s);
}

/* JSON without a line end stands as it is. */
static void say_body(struct buf *out, struct str body)
{
    struct str text = str_trim(body);

    if (text.n && text.p[0] == '{' && !memchr(text.p, '\n', text.n))
        buf_add_str(out, text);
    else
        say_text(out, body);
}

static void say_answer(struct buf *out, struct str body)
{
    json_t *text = json_stringn(body.p, body.n); /* NULL: no UTF-8 */

    buf_puts(out, text ? ",\"body\":" : ",\"bytes\":\"");
    if (text)
        say_body(out, body);
    else
        base64_encode(out, body);
    buf_puts(out, text ? "" : "\"");
    json_decref(text);
}

static void say_events(struct request *r)
{
    struct buf *out = &r->driver->out;
    const char *end;

    while ((end = memchr(r->answer.data, '\n', r->answer.len))) {
        size_t n = (size_t)(end - r->answer.data);

        buf_printf(out, "{\"id\":%lld,\"event\":", (long long)r->id);
        say_body(out, (struct str){r->answer.data, n});
        buf_putc(out, '}');
        say(r->driver);
        buf_consume(&r->answer, n + 1);
    }
}

static void keep_headers(struct request *r, const struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(&r->head, i ? ",[" : "[");
        say_text(&r->head, headers[i].name);
        buf_putc(&r->head, ',');
        say_text(&r->head, headers[i].value);
        buf_putc(&r->head, ']');
    }
}

static void on_head(struct http_call *c, int status, const struct http_header *headers, size_t n)
{
    struct request *r = c->data;

    r->status = status;
    if (!r->wants_head)
        return;
    keep_headers(r, headers, n);
    if (r->stream) {
        buf_printf(&r->driver->out, "{\"id\":%lld,\"head\":%d}", (long long)r->id, status);
        say(r->driver);
    }
}

static void on_data(struct http_call *c, struct str chunk)
{
    struct request *r = c->data;

    buf_add_str(&r->answer, chunk);
    if (r->stream && r->status == 200)
        say_events(r);
}

static void request_free(struct request *r)
{
    list_del(&r->link);
    buf_done(&r->answer);
    buf_done(&r->head);
    json_decref(r->asked);
    mem_free(r->body);
    mem_free(r);
}

static void on_done(struct http_call *c, int rc, const struct error *e)
{
    struct request *r = c->data;
    struct driver *d = r->driver;

    buf_printf(&d->out, "{\"id\":%lld,\"status\":%d,\"ms\":%.3f", (long long)r->id, rc < 0 ? 0 : r->status,
               (double)(env_now_ns(d->env) - r->began_ns) / 1e6);
    if (rc < 0) {
        buf_puts(&d->out, ",\"error\":");
        say_text(&d->out, str_of(e->msg));
    } else if (r->answer.len) {
        say_answer(&d->out, buf_str(&r->answer));
    }
    if (r->wants_head)
        buf_printf(&d->out, ",\"headers\":[%s]", r->head.data);
    buf_putc(&d->out, '}');
    say(d);
    d->n_running -= !r->stream;
    request_free(r);
    look(d);
}

/* ---- requests ---- */

static enum kube_lane lane_of(const struct request *r)
{
    return r->stream ? KUBE_LANE_WATCHES : KUBE_LANE_CALLS;
}

static const char *text_of(const struct request *r, const char *key, const char *fallback)
{
    const char *text = json_text(r->asked, key);

    return *text ? text : fallback;
}

static void add_header(struct request *r, const char *name, struct str value)
{
    if (r->call.n_headers < HEADERS_MAX)
        r->headers[r->call.n_headers++] = (struct http_header){str_of(name), value};
}

/* Those of the line, and ours where it has none of that name. */
static void add_headers(struct request *r)
{
    json_t *own = json_object_get(r->asked, "headers"), *value, *one;
    const char *name;
    size_t i;

    json_object_foreach (own, name, value) {
        if (!json_is_array(value))
            add_header(r, name, json_str(value));
        json_array_foreach (value, i, one)
            add_header(r, name, json_str(one));
    }
    if (!json_object_get(own, "user-agent"))
        add_header(r, "user-agent", STR("apiline"));
    if (r->driver->token.len && !json_object_get(own, "authorization"))
        add_header(r, "authorization", buf_str(&r->driver->token));
    if (r->body && !json_object_get(own, "content-type"))
        add_header(r, "content-type", str_of(text_of(r, "type", "application/json")));
}

static void begin(struct driver *d, struct request *r)
{
    r->call = (struct http_call){.method = text_of(r, "method", "GET"), .path = text_of(r, "path", "/"),
                                 .headers = r->headers, .body = str_of(r->body), .bulk = r->stream, .on_head = on_head,
                                 .on_data = on_data, .on_done = on_done, .data = r};
    add_headers(r);
    r->began_ns = env_now_ns(d->env);
    list_add_tail(&d->running, &r->link);
    d->n_running += !r->stream;
    http_start(d->connection.kube.peers[lane_of(r)], &r->call);
}

static void cut_streams(struct driver *d)
{
    LIST_EACH_SAFE (it, &d->running) {
        struct request *r = LIST_ENTRY(it, struct request, link);

        http_cancel(d->connection.kube.peers[lane_of(r)], &r->call);
    }
}

/* Begins what may begin; at the end of all, ends. */
static void look(struct driver *d)
{
    while (!list_empty(&d->waiting) && d->n_running < d->inflight)
        begin(d, LIST_ENTRY(list_pop(&d->waiting), struct request, link));
    if (!d->ended || d->n_running || !list_empty(&d->waiting))
        return;
    if (list_empty(&d->running))
        d->done = true;
    else
        cut_streams(d);
}

static void cancel(struct driver *d, int64_t id)
{
    LIST_EACH (it, &d->running) {
        struct request *r = LIST_ENTRY(it, struct request, link);

        if (r->id == id) {
            http_cancel(d->connection.kube.peers[lane_of(r)], &r->call);
            return;
        }
    }
}

static void take_line(struct driver *d, struct str line)
{
    json_t *asked = json_loadb(line.p, line.n, 0, NULL);
    struct request *r;

    if (!json_is_object(asked)) {
        (void)fprintf(stderr, "apiline: no JSON object: %.*s\n", (int)(line.n < 200 ? line.n : 200), line.p);
        exit(2);
    }
    if (json_flag(asked, "cancel", false)) {
        cancel(d, json_int(asked, "id", 0));
        json_decref(asked);
        return;
    }
    r = mem_zalloc(sizeof(*r));
    *r = (struct request){.driver = d, .asked = asked, .id = json_int(asked, "id", 0),
                          .stream = json_flag(asked, "stream", false), .wants_head = json_flag(asked, "head", false)};
    if (json_object_get(asked, "text"))
        r->body = mem_strdup(json_text(asked, "text"));
    else if (json_object_get(asked, "body"))
        r->body = json_compact(json_object_get(asked, "body"));
    buf_init(&r->answer, LINE_BYTES);
    buf_init(&r->head, LINE_BYTES);
    if (r->stream)
        begin(d, r);
    else
        list_add_tail(&d->waiting, &r->link);
}

/* ---- standard input ---- */

static void get_room(uv_handle_t *h, size_t size, uv_buf_t *out)
{
    struct driver *d = h->data;
    char *room = buf_reserve(&d->in, size);

    *out = uv_buf_init(room, room ? (unsigned)size : 0);
}

static void on_input(uv_stream_t *s, ssize_t n, const uv_buf_t *unused)
{
    struct driver *d = s->data;
    size_t used = 0;
    const char *end;

    (void)unused;
    if (n < 0) {
        d->ended = true;
        uv_close((uv_handle_t *)s, NULL);
    } else {
        buf_commit(&d->in, (size_t)n);
    }
    while ((end = memchr(d->in.data + used, '\n', d->in.len - used))) {
        size_t length = (size_t)(end - d->in.data) - used;

        take_line(d, (struct str){d->in.data + used, length});
        used += length + 1;
    }
    buf_consume(&d->in, used);
    look(d);
}

static void closed(void *ctx)
{
    bool *gone = ctx;

    *gone = true;
}

static void work(struct driver *d)
{
    bool gone = false;
    uv_pipe_t in;

    (void)uv_pipe_init(env_uv_loop(d->env), &in, 0);
    in.data = d;
    if (uv_pipe_open(&in, STDIN_FILENO) < 0 || uv_read_start((uv_stream_t *)&in, get_room, on_input) < 0) {
        (void)fprintf(stderr, "apiline: standard input is no pipe\n");
        exit(2);
    }
    env_uv_run_until(d->env, &d->done);
    stashd_disconnect(&d->connection, closed, &gone);
    env_uv_run_until(d->env, &gone);
}

int main(int argc, char **argv)
{
    struct driver d = {.inflight = 32};
    struct error e;

    if (argc < 2 || argc > 3 || (argc == 3 && (d.inflight = strtoul(argv[2], NULL, 10)) == 0)) {
        (void)fprintf(stderr, "usage: apiline KUBECONFIG [INFLIGHT]\n");
        return 2;
    }
    mem_install((unsigned)getpid());
    d.env = env_uv_new();
    list_init(&d.waiting);
    list_init(&d.running);
    buf_init(&d.in, LINE_BYTES);
    buf_init(&d.out, LINE_BYTES);
    buf_init(&d.token, LIMIT_HEADERS);
    if (stashd_connect(&d.connection, d.env, argv[1], "", &e) < 0) {
        (void)fprintf(stderr, "apiline: %s\n", e.msg);
        return 1;
    }
    if (d.connection.config.token)
        buf_printf(&d.token, "Bearer %s", d.connection.config.token);
    work(&d);
    stashd_disconnected(&d.connection);
    mem_wipe(d.token.data, d.token.len);
    buf_done(&d.token);
    buf_done(&d.in);
    buf_done(&d.out);
    env_uv_free(d.env);
    return 0;
}
