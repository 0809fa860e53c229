/* push: see push.h. Routes and bodies; the groups are push_store.c's, the page is push_page.c's. */
#include "metrics/push.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "metrics/push_store.h"

static const char PREFIX[] = "/metrics/job";

struct push *push_new(uint64_t seed, const struct push_limits *limits)
{
    struct push *p = mem_zalloc(sizeof(*p));

    if (limits)
        p->limits = *limits;
    if (!p->limits.groups)
        p->limits.groups = 30000;
    if (!p->limits.series_per_group)
        p->limits.series_per_group = 1000;
    if (!p->limits.total_bytes)
        p->limits.total_bytes = 20 * 1000 * 1000;
    p->seed = seed;
    map_init_borrowing(&p->groups, seed);
    map_init_borrowing(&p->families, seed);
    map_init_borrowing(&p->metrics, seed);
    map_init_borrowing(&p->sets, seed);
    map_init_borrowing(&p->jobs, seed);
    map_init_borrowing(&p->owners, seed);
    return p;
}

void push_free(struct push *p)
{
    void *value;

    if (!p)
        return;
    assert(!p->n_pages);
    for (size_t it = 0; map_next(&p->groups, &it, NULL, &value);)
        push_group_free(p, value);
    map_done(&p->groups);
    map_done(&p->families);
    map_done(&p->metrics);
    map_done(&p->sets);
    map_done(&p->jobs);
    map_done(&p->owners);
    mem_free(p);
}

void push_clear(struct push *p)
{
    void *value;

    for (size_t it = 0; map_next(&p->groups, &it, NULL, &value);)
        push_drop(p, value);
}

size_t push_groups(const struct push *p)
{
    return map_size(&p->groups);
}

size_t push_bytes(const struct push *p)
{
    return p->bytes + p->help_bytes;
}

const struct push_limits *push_limits(const struct push *p)
{
    return &p->limits;
}

uint64_t push_refused(const struct push *p)
{
    return p->refused;
}

void push_drop_job(struct push *p, const char *ns, const char *job)
{
    struct push_group *next;

    for (struct push_group *g = push_of_job(p, str_of(job)); g; g = next) {
        next = g->next;
        if (!g->owner->name.n || str_is(g->owner->name, ns))
            push_drop(p, g);
    }
}

/* ---- the path ---- */

struct route {
    struct buf text; /* decoded names and values, one after the other */
    size_t starts[TEXT_LABELS_MAX][2];
    struct text_label labels[TEXT_LABELS_MAX];
    size_t n;
};
enum { PATH_LABELS_MAX = TEXT_LABELS_MAX - 1 }; /* one more is the namespace */

/* base64url without or with padding, as grouping values with '/' come. */
static bool decode_base64(struct buf *out, struct str encoded)
{
    struct buf plain, unescaped;
    struct str s;
    bool good;

    buf_init(&plain, 64 * 1024);
    buf_init(&unescaped, 64 * 1024);
    good = http_unescape(&unescaped, encoded);
    s = buf_str(&unescaped);
    for (size_t i = 0; i < s.n; i++)
        buf_putc(&plain, s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i]);
    while (plain.len % 4 && plain.len < plain.max)
        buf_putc(&plain, '=');
    good = good && (str_is(s, "=") || base64_decode(out, buf_str(&plain))); /* "=" stands for the empty value */
    buf_done(&plain);
    buf_done(&unescaped);
    return good;
}

/* One "<label>/<value>"; the texts are appended to r->text, which may move: starts keep their places. */
static int parse_label(struct route *r, struct str name, struct str value, size_t starts[2], struct error *e)
{
    struct str plain;
    bool base64;

    starts[0] = r->text.len;
    if (!http_unescape(&r->text, name))
        return error_set(e, ERR_INVALID, "\"%.*s\" is no label name", push_cut(name, 60), name.n ? name.p : "");
    plain = (struct str){r->text.data + starts[0], r->text.len - starts[0]};
    base64 = str_ends(plain, STR("@base64"));
    if (base64)
        plain.n -= 7;
    if (!text_name_ok(plain, true) || str_starts(plain, STR("__")))
        return error_set(e, ERR_INVALID, "\"%.*s\" is no label name", push_cut(plain, 60), plain.n ? plain.p : "");
    for (size_t i = 0; i < r->n; i++)
        if (r->labels[i].name.n == plain.n && memcmp(r->text.data + r->starts[i][0], plain.p, plain.n) == 0)
            return error_set(e, ERR_INVALID, "label %.*s is given twice", push_cut(plain, 60), plain.p);
    r->labels[r->n].name.n = plain.n;
    starts[1] = r->text.len;
    if (base64 ? !decode_base64(&r->text, value) : !http_unescape(&r->text, value))
        return error_set(e, ERR_INVALID, "the value of %.*s cannot be decoded", push_cut(name, 60), name.p);
    r->labels[r->n].value.n = r->text.len - starts[1];
    return 0;
}

/* /metrics/job/<job>{/<label>/<value>}, each name also with @base64. */
static int parse_route(struct route *r, struct str path, struct error *e)
{
    struct str rest = {path.p + sizeof("/metrics"), path.n - sizeof("/metrics")}, name, value;
    int rc;

    for (r->n = 0; str_cut(&rest, '/', &name); r->n++) {
        if (r->n == PATH_LABELS_MAX)
            return error_set(e, ERR_INVALID, "more than %d grouping labels", PATH_LABELS_MAX);
        if (!str_cut(&rest, '/', &value))
            return error_set(e, ERR_INVALID, "label %.*s has no value", push_cut(name, 60), name.p);
        if ((rc = parse_label(r, name, value, r->starts[r->n], e)) < 0)
            return rc;
    }
    for (size_t i = 0; i < r->n; i++) {
        r->labels[i].name.p = r->text.data + r->starts[i][0];
        r->labels[i].value.p = r->text.data + r->starts[i][1];
    }
    if (!r->n || !r->labels[0].value.n)
        return error_set(e, ERR_INVALID, "job name is required");
    return 0;
}

/* The group is of the client's namespace, said or not. */
static int set_namespace(struct route *r, const char *ns, struct error *e)
{
    struct str is = str_of(ns);

    for (size_t i = 0; i < r->n; i++) {
        struct str said = r->labels[i].value;

        if (!str_is(r->labels[i].name, PUSH_NAMESPACE))
            continue;
        if (str_eq(said, is))
            return 0;
        return error_set(e, ERR_DENIED, PUSH_NAMESPACE " is %s for this account, not \"%.*s\"", ns,
                         push_cut(said, 63), said.n ? said.p : "");
    }
    r->labels[r->n++] = (struct text_label){STR(PUSH_NAMESPACE), is};
    return 0;
}

/* ---- bodies ---- */

static int inflate_body(struct str body, struct buf *out, struct error *e)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)body.p, .avail_in = (uInt)body.n};
    int rc = Z_OK;

    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return error_set(e, ERR_INVALID, "the gzip body cannot be read");
    while (rc == Z_OK) {
        size_t room = out->max - out->len < 32 * 1024 ? out->max - out->len : 32 * 1024;
        char *to = buf_reserve(out, room ? room : 1); /* no room left: this fails and sticks */

        if (!to)
            break;
        z.next_out = (unsigned char *)to;
        z.avail_out = (uInt)room;
        rc = inflate(&z, Z_NO_FLUSH);
        buf_commit(out, room - z.avail_out);
    }
    (void)inflateEnd(&z);
    if (buf_error(out) < 0)
        return error_set(e, ERR_TOOBIG, "the unpacked body is over %zu bytes", out->max);
    return rc == Z_STREAM_END ? 0 : error_set(e, ERR_INVALID, "the gzip body is broken");
}

static bool is_text(struct str content_type)
{
    struct str rest = content_type, type;

    if (!content_type.n || !str_cut(&rest, ';', &type))
        return true;
    type = str_trim(type);
    return str_is(type, "text/plain") || str_is(type, "application/x-www-form-urlencoded"); /* what curl says unasked */
}

static int status_of(int rc)
{
    return rc == ERR_TOOBIG ? 413 : rc == ERR_THROTTLED ? 429 : rc == ERR_DENIED ? 403 : 400;
}

static void answer_error(struct http_serve *s, int status, const struct error *e)
{
    char text[sizeof(e->msg) + 2];

    (void)snprintf(text, sizeof(text), "%s\n", e->msg);
    http_reply(s, status, "text/plain; charset=utf-8", str_of(text));
}

/* The failed push is remembered, in a group of its own when there was none. */
static void note_failure(struct push *p, const struct route *r, int64_t now_ms)
{
    struct push_group *g = push_find(p, r->labels, r->n);

    if (!g) {
        g = push_parse(p, PUSH_CLIENT, r->labels, r->n, STR_NONE, NULL);
        g = g ? push_keep_empty(p, g) : NULL;
    }
    if (g)
        g->failed_ms = now_ms;
}

static void take(struct push *p, struct http_serve *s, const struct route *r, struct str body, int64_t now_ms)
{
    struct error e = {0};
    struct push_group *g = push_parse(p, PUSH_CLIENT, r->labels, r->n, body, &e);
    int rc = g ? 0 : (int)e.code;

    if (g) {
        g->pushed_ms = now_ms;
        rc = push_commit(p, g, str_is(s->method, "PUT"), &e);
        if (rc < 0)
            push_group_free(p, g);
    }
    if (rc == 0) {
        http_reply(s, 200, NULL, STR_NONE);
        return;
    }
    p->refused += rc == ERR_TOOBIG || rc == ERR_THROTTLED;
    if (rc != ERR_INVALID) /* a body that is no exposition counts as no push, as in the original */
        note_failure(p, r, now_ms);
    answer_error(s, status_of(rc), &e);
}

static void write_group(struct push *p, struct http_serve *s, const struct route *r, int64_t now_ms)
{
    struct str encoding = http_header_find(s->headers, s->n_headers, "content-encoding");
    struct error e = {0};
    struct buf plain;
    int rc = 0;

    if (!is_text(http_header_find(s->headers, s->n_headers, "content-type"))) {
        (void)error_set(&e, ERR_INVALID, "only the text exposition format 0.0.4 (text/plain) is taken");
        answer_error(s, 415, &e);
        return;
    }
    buf_init(&plain, p->limits.total_bytes);
    if (str_is(encoding, "gzip"))
        rc = inflate_body(s->body, &plain, &e);
    if (rc < 0) {
        p->refused += rc == ERR_TOOBIG;
        answer_error(s, status_of(rc), &e);
    } else {
        take(p, s, r, str_is(encoding, "gzip") ? buf_str(&plain) : s->body, now_ms);
    }
    buf_done(&plain);
}

static void delete_group(struct push *p, struct http_serve *s, const struct route *r)
{
    struct push_group *g = push_find(p, r->labels, r->n);

    if (g)
        push_drop(p, g);
    http_reply(s, 202, NULL, STR_NONE);
}

int push_put(struct push *p, const char *ns, const char *job, const char *target, struct str body, int64_t now_ms,
             struct error *e)
{
    const struct text_label labels[] = {{STR("job"), str_of(job)},
                                        {STR(PUSH_NAMESPACE), str_of(ns)},
                                        {STR("target"), str_of(target ? target : "")}};
    struct push_group *g = push_parse(p, PUSH_OPERATOR, labels, target ? 3 : 2, body, e);
    int rc = g ? 0 : (int)e->code;

    if (!g)
        return rc;
    g->pushed_ms = now_ms;
    rc = push_commit(p, g, false, e);
    if (rc < 0)
        push_group_free(p, g);
    p->refused += rc == ERR_TOOBIG || rc == ERR_THROTTLED;
    return rc;
}

static bool is_route(struct str path)
{
    size_t n = sizeof(PREFIX) - 1;

    return str_starts(path, str_of(PREFIX)) && (path.n == n || strchr("/@%", path.p[n]));
}

bool push_is_write(const struct http_serve *s)
{
    return is_route(s->path);
}

bool push_serve(struct push *p, struct http_serve *s, const char *ns, int64_t now_ms)
{
    struct error e = {0};
    struct route r = {0};
    int rc;

    if (str_is(s->path, "/-/healthy") || str_is(s->path, "/-/ready")) {
        http_reply(s, 200, "text/plain; charset=utf-8", STR("OK\n"));
        return true;
    }
    if (!is_route(s->path))
        return false;
    buf_init(&r.text, 64 * 1024);
    rc = parse_route(&r, s->path, &e);
    if (rc == 0 && ns)
        rc = set_namespace(&r, ns, &e);
    if (rc < 0)
        answer_error(s, status_of(rc), &e);
    else if (str_is(s->method, "PUT") || str_is(s->method, "POST"))
        write_group(p, s, &r, now_ms);
    else if (str_is(s->method, "DELETE"))
        delete_group(p, s, &r);
    else
        http_reply(s, 405, "text/plain; charset=utf-8", STR("use PUT, POST or DELETE\n"));
    buf_done(&r.text);
    return true;
}
