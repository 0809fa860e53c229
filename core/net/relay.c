/*
 * relay: see relay.h. The request says "connection: close", so its answer ends where the connection does. Two ends may
 * go first: the client's (on_close) and the other process's (on_closed); the latter frees what is left of a relay.
 */
#include "core/net/relay.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/net/tcp_uv.h"

enum { OPEN_MAX = 64, LIMIT_MS = 10000, ANSWER_MAX = 64 * 1024, REQUEST_MAX = 8 * 1024 * 1024 };

struct relay {
    struct list link;
    struct relays *owner;
    struct http_serve *serve; /* NULL: answered, or the client went */
    struct tcp *tcp;
    struct timer limit;
    struct buf out, in;
};

static const char text_plain[] = "text/plain; charset=utf-8";

void relays_init(struct relays *r, struct env *env)
{
    *r = (struct relays){.env = env};
    list_init(&r->open);
}

/* ---- the answer ---- */

static void answer(struct relay *r, int status, const char *content_type, struct str body)
{
    struct http_serve *s = r->serve;

    r->serve = NULL;
    if (!s)
        return;
    s->on_close = NULL;
    s->data = NULL;
    http_reply(s, status, content_type, body);
}

/* Value of a header line of the head, up to its end; the name with its colon in lower case. */
static struct str header_of(struct str head, const char *name)
{
    struct str line;
    size_t n = strlen(name);

    while (str_cut(&head, '\n', &line)) {
        if (line.n < n || strncasecmp(line.p, name, n) != 0)
            continue;
        return str_trim((struct str){line.p + n, line.n - n});
    }
    return STR_NONE;
}

static void pass_back(struct relay *r)
{
    struct str all = buf_str(&r->in), head = all, type;
    const char *end = all.n ? memmem(all.p, all.n, "\r\n\r\n", 4) : NULL;
    AUTO_FREE char *content_type = NULL;
    int status;

    if (!end || buf_error(&r->in) < 0) {
        answer(r, 502, text_plain, STR("the replica that has the lead gave no whole answer\n"));
        return;
    }
    head.n = (size_t)(end - all.p) + 2;
    status = http_parse_status(all);
    type = header_of(head, "content-type:");
    content_type = type.n ? mem_strndup(type.p, type.n) : mem_strdup(text_plain);
    if (status < 200)
        answer(r, 502, text_plain, STR("the replica that has the lead gave no HTTP answer\n"));
    else
        answer(r, status, content_type, (struct str){end + 4, all.n - head.n - 2});
}

/* ---- the connection ---- */

static void on_open(struct tcp *c)
{
    struct relay *r = tcp_data(c);

    tcp_write(c, buf_str(&r->out));
}

static void on_data(struct tcp *c, struct str bytes)
{
    struct relay *r = tcp_data(c);

    buf_add_str(&r->in, bytes);
}

static void on_eof(struct tcp *c)
{
    tcp_close(c);
}

static void on_closed(struct tcp *c, int rc, const struct error *e)
{
    struct relay *r = tcp_data(c);

    (void)rc, (void)e; /* what came of the answer says it */
    pass_back(r);
    timer_clear(r->owner->env, &r->limit);
    list_del(&r->link);
    r->owner->n--;
    buf_done(&r->out);
    buf_done(&r->in);
    mem_free(r);
}

static const struct tcp_callbacks callbacks = {
    .on_open = on_open, .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed};

static void on_limit(struct timer *t)
{
    struct relay *r = t->data;

    answer(r, 504, text_plain, STR("the replica that has the lead does not answer\n"));
    tcp_close(r->tcp);
}

static void client_went(struct http_serve *s)
{
    struct relay *r = s->data;

    r->serve = NULL;
    tcp_close(r->tcp);
}

/* ---- the request ---- */

static void write_request(struct relay *r, const char *host, uint16_t port)
{
    static const char *const passed[] = {"content-type", "content-encoding", "authorization"};
    const struct http_serve *s = r->serve;

    buf_printf(&r->out, "%.*s %.*s HTTP/1.1\r\n", (int)s->method.n, s->method.p, (int)s->path.n, s->path.p);
    buf_printf(&r->out, strchr(host, ':') ? "host: [%s]:%u\r\n" : "host: %s:%u\r\n", host, port);
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
        struct str value = http_header_find(s->headers, s->n_headers, passed[i]);

        if (value.p)
            buf_printf(&r->out, "%s: %.*s\r\n", passed[i], (int)value.n, value.p);
    }
    buf_printf(&r->out, "via: 1.1 stashd\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n", s->body.n);
    buf_add_str(&r->out, s->body);
}

void relay_start(struct relays *owner, const char *host, uint16_t port, struct http_serve *s)
{
    struct relay *r;

    if (http_header_find(s->headers, s->n_headers, "via").p) { /* the one that sent it here knows no better */
        http_reply(s, 503, text_plain, STR("the lead is changing hands; try again\n"));
        return;
    }
    if (owner->n >= OPEN_MAX) {
        http_reply(s, 429, text_plain, STR("too many pushes at once\n"));
        return;
    }
    r = mem_zalloc(sizeof(*r));
    r->owner = owner;
    r->serve = s;
    s->data = r;
    s->on_close = client_went;
    buf_init(&r->out, REQUEST_MAX);
    buf_init(&r->in, ANSWER_MAX);
    write_request(r, host, port);
    timer_init(&r->limit, on_limit, r);
    timer_set_in(owner->env, &r->limit, LIMIT_MS);
    list_add_tail(&owner->open, &r->link);
    owner->n++;
    r->tcp = tcp_connect(owner->env, host, port, NULL, LIMIT_MS, &callbacks, r);
}

void relays_stop(struct relays *owner)
{
    LIST_EACH (it, &owner->open)
        tcp_close(LIST_ENTRY(it, struct relay, link)->tcp);
}
