/*
 * faults: see faults.h. Each call has its own queue of what the server said (head, chunks, end), delivered by one timer
 * of the operator's process; a fate bends the queue. A call whose operator is gone ends when the server's side has.
 */
#include "faults.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/mem.h"

enum { SLOW_MS = 3000, STALE_MS = 55000, CUT_MS = 120000 };

struct item {
    struct list link;
    enum { ITEM_HEAD, ITEM_DATA, ITEM_DONE } type;
    int status, rc;
    struct http_header headers[3];
    size_t n_headers;
    char *bytes; /* of a chunk; of a head: Retry-After's value */
    size_t n;
    char date[32];
};

struct faults {
    struct http_peer peer; /* first */
    struct faults_options o;
    uint64_t dice, refused_until_ns, hidden_until_ns;
    const char *hidden;
    bool dead;
    struct list calls;
};

struct faulty {
    struct list link;
    struct faults *faults;
    struct http_call *outer; /* NULL: it has been told the end */
    struct http_call inner;
    struct timer timer; /* of the operator's process */
    enum fault fate;
    uint64_t not_before_ns, cut_ns, rv_before;
    bool inner_runs, asked, canceled, broken;
    int status;
    struct list items;
};

static struct faults *of(struct http_peer *p)
{
    return (struct faults *)(void *)p;
}

static uint64_t now_ns(const struct faults *f)
{
    return f->o.process->sim->now_ns;
}

static unsigned throw(struct faults *f, unsigned sides)
{
    return (unsigned)(sim_random(&f->dice) % sides);
}

static bool is_write(const struct http_call *c)
{
    return strcmp(c->method, "GET") != 0;
}

static void item_free(struct item *i)
{
    mem_free(i->bytes);
    mem_free(i);
}

static void forget_items(struct faulty *c)
{
    for (struct list *l; (l = list_pop(&c->items));)
        item_free(LIST_ENTRY(l, struct item, link));
}

static void free_if_over(struct faulty *c)
{
    if (c->outer || c->inner_runs)
        return;
    list_del(&c->link);
    forget_items(c);
    mem_free(c);
}

static void tell_end(struct faulty *c, int rc, const char *why)
{
    struct http_call *outer = c->outer;
    struct error e = {.msg = ""};

    timer_clear(&c->faults->o.process->env, &c->timer);
    c->outer = NULL;
    outer->impl = NULL;
    forget_items(c);
    if (c->inner_runs && !c->canceled)
        http_cancel(c->faults->o.inner, &c->inner);
    c->canceled = true;
    free_if_over(c);
    if (rc < 0)
        (void)error_set(&e, (enum err)rc, "%s", why);
    outer->on_done(outer, rc, rc < 0 ? &e : NULL);
}

/* ---- to the operator ---- */

static void wake(struct faulty *c)
{
    if (c->outer)
        timer_set_at(&c->faults->o.process->env, &c->timer,
                     c->not_before_ns > now_ns(c->faults) ? c->not_before_ns : now_ns(c->faults));
}

static void deliver(struct faulty *c)
{
    struct list *l = list_pop(&c->items);
    struct item *i;

    if (!l)
        return;
    i = LIST_ENTRY(l, struct item, link);
    if (i->type == ITEM_DONE) {
        int rc = i->rc;

        item_free(i);
        tell_end(c, rc, "connection lost");
        return;
    }
    if (!list_empty(&c->items))
        wake(c);
    if (i->type == ITEM_HEAD && c->outer->on_head)
        c->outer->on_head(c->outer, i->status, i->headers, i->n_headers);
    if (i->type == ITEM_DATA && c->outer->on_data)
        c->outer->on_data(c->outer, (struct str){i->bytes, i->n});
    item_free(i);
}

static void put(struct faulty *c, struct item *i)
{
    list_add_tail(&c->items, &i->link);
    wake(c);
}

static struct item *item_new(int type)
{
    struct item *i = mem_zalloc(sizeof(*i));

    i->type = type;
    return i;
}

static void put_head(struct faulty *c, int status, struct str retry_after, struct str date)
{
    struct item *i = item_new(ITEM_HEAD);

    i->status = status;
    i->headers[i->n_headers++] = (struct http_header){STR("content-type"), STR("application/json")};
    if (retry_after.n) {
        i->bytes = mem_strndup(retry_after.p, retry_after.n);
        i->headers[i->n_headers++] = (struct http_header){STR("retry-after"), {i->bytes, retry_after.n}};
    }
    if (date.n && date.n < sizeof(i->date)) {
        memcpy(i->date, date.p, date.n);
        i->headers[i->n_headers++] = (struct http_header){STR("date"), {i->date, date.n}};
    }
    put(c, i);
}

static void put_data(struct faulty *c, struct str bytes)
{
    struct item *i = item_new(ITEM_DATA);

    i->bytes = mem_strndup(bytes.p, bytes.n);
    i->n = bytes.n;
    put(c, i);
}

static void put_end(struct faulty *c, int rc)
{
    struct item *i = item_new(ITEM_DONE);

    i->rc = rc;
    c->broken = true; /* nothing comes after it */
    put(c, i);
}

static void put_answer(struct faulty *c, int status, const char *body)
{
    put_head(c, status, status == 429 ? STR("2") : STR_NONE, STR_NONE);
    put_data(c, str_of(body));
    put_end(c, 0);
}

/* ---- from the server ---- */

static void inner_head(struct http_call *call, int status, const struct http_header *headers, size_t n)
{
    struct faulty *c = call->data;

    c->status = status;
    if (c->fate == FAULT_KILL_AFTER && !c->faults->dead)
        c->faults->o.on_kill(c->faults->o.ctx);
    if (c->outer && !c->broken && c->fate != FAULT_ANSWER_LOST)
        put_head(c, status, http_header_find(headers, n, "retry-after"), http_header_find(headers, n, "date"));
}

/* Bookmarks but the one that ends a list are left out. */
static void put_without_bookmarks(struct faulty *c, struct str chunk)
{
    struct str line;

    while (str_cut(&chunk, '\n', &line)) {
        AUTO_FREE char *whole = mem_printf("%.*s\n", (int)line.n, line.n ? line.p : "");

        if (line.n && (!str_starts(line, STR("{\"type\":\"BOOKMARK\"")) || strstr(whole, "initial-events-end")))
            put_data(c, str_of(whole));
    }
}

/* The version in an answer is not above what the server had before: the write changed nothing. */
static void judge_write(struct faulty *c, struct str chunk)
{
    static const char mark[] = "\"resourceVersion\":\"";
    const char *at = memmem(chunk.p, chunk.n, mark, sizeof(mark) - 1);
    bool changed = !at || strcmp(c->inner.method, "PATCH") != 0 ||
                   strtoull(at + sizeof(mark) - 1, NULL, 10) > c->rv_before;

    if (c->status && is_write(&c->inner))
        c->faults->o.on_write(c->faults->o.ctx, &c->inner, c->status, changed);
    c->status = 0; /* once */
}

static void inner_data(struct http_call *call, struct str chunk)
{
    struct faulty *c = call->data;

    if (!call->bulk)
        judge_write(c, chunk);
    if (!c->outer || c->broken || c->fate == FAULT_ANSWER_LOST)
        return;
    if (c->fate == FAULT_CUT && now_ns(c->faults) >= c->cut_ns) {
        put_data(c, (struct str){chunk.p, chunk.n / 2});
        put_end(c, ERR_NET);
    } else if (c->fate == FAULT_NO_BOOKMARKS) {
        put_without_bookmarks(c, chunk);
    } else {
        if (c->fate == FAULT_STALE && c->not_before_ns <= now_ns(c->faults)) /* held from the first on */
            c->not_before_ns = now_ns(c->faults) + throw(c->faults, STALE_MS) * 1000000ull;
        put_data(c, chunk);
    }
}

static void inner_done(struct http_call *call, int rc, const struct error *e)
{
    struct faulty *c = call->data;

    (void)e;
    c->inner_runs = false;
    if (c->outer && !c->broken)
        put_end(c, c->fate == FAULT_ANSWER_LOST ? ERR_NET : rc);
    free_if_over(c);
}

static void start_inner(struct faulty *c)
{
    const struct http_call *o = c->outer;

    c->inner = (struct http_call){.method = o->method, .path = o->path, .headers = o->headers,
                                  .n_headers = o->n_headers, .body = o->body, .timeout_ms = o->timeout_ms,
                                  .bulk = o->bulk, .on_head = inner_head, .on_data = inner_data,
                                  .on_done = inner_done, .data = c};
    c->rv_before = c->faults->o.rv(c->faults->o.ctx);
    c->inner_runs = c->asked = true;
    http_start(c->faults->o.inner, &c->inner);
}

/* ---- fates ---- */

#define STATUS(code, reason, message)                                                                                  \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","               \
    "\"message\":\"" message "\",\"reason\":\"" reason "\",\"code\":" code "}"

static const char expired[] = STATUS("410", "Expired", "too old resource version");

/* Answers that no server gave. */
static const struct {
    enum fault fate;
    int status;
    const char *body;
} answers[] = {
    {FAULT_CONFLICT,  409, STATUS("409", "Conflict", "the object has been modified")},
    {FAULT_THROTTLED, 429, STATUS("429", "TooManyRequests", "too many requests")},
    {FAULT_BROKEN,    500, STATUS("500", "InternalError", "etcdserver: request timed out")},
    {FAULT_QUOTA,     403, STATUS("403", "Forbidden", "forbidden: exceeded quota: q, requested: count/x=1, used: "
                                                      "count/x=9, limited: count/x=9")},
    {FAULT_CRD_GONE,  404, STATUS("404", "NotFound", "the server could not find the requested resource")},
    {FAULT_EXPIRED,   410, expired},
};

static void begin(struct faulty *c)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].fate == c->fate) {
            put_answer(c, answers[i].status, answers[i].body);
            return;
        }
    }
    if (c->fate == FAULT_REQUEST_LOST || c->fate == FAULT_REFUSED || c->fate == FAULT_KILL_BEFORE) {
        put_end(c, ERR_NET);
    } else if (c->fate == FAULT_EXPIRED_LATE) {
        put_head(c, 200, STR_NONE, STR_NONE);
        put_data(c, STR("{\"type\":\"ERROR\",\"object\":"));
        put_data(c, str_of(expired));
        put_data(c, STR("}\n"));
        put_end(c, 0);
    } else {
        start_inner(c);
    }
}

static void time_comes(struct timer *t)
{
    struct faulty *c = t->data;

    if (c->canceled)
        tell_end(c, ERR_CANCELED, "canceled");
    else if (!c->asked && list_empty(&c->items))
        begin(c);
    else
        deliver(c);
}

/* Leases and Events come and go as they like. */
static bool is_nth(struct fault_nth *nth, const struct http_call *call)
{
    if (!nth || !is_write(call) || strstr(call->path, "/leases") || strstr(call->path, "/events"))
        return false;
    if (nth->at)
        nth->at(nth);
    return nth->n++ == nth->nth;
}

static enum fault draw(struct faults *f, const struct http_call *call)
{
    uint64_t dice = sim_random(&f->dice);
    enum fault k;

    if (is_nth(f->o.nth, call))
        return f->o.nth->way;

    if (now_ns(f) < f->refused_until_ns)
        return FAULT_REFUSED;
    if (now_ns(f) < f->hidden_until_ns && strstr(call->path, f->hidden))
        return FAULT_CRD_GONE;
    if (dice % 1000 >= f->o.percent * 10u)
        return FAULT_NONE;
    k = call->bulk ? fault_draw(dice >> 20, FAULT_CUT, FAULT_EXPIRED_LATE)
                   : fault_draw(dice >> 20, FAULT_REQUEST_LOST, FAULT_KILL_AFTER);
    if ((k == FAULT_CONFLICT || k == FAULT_KILL_BEFORE || k == FAULT_KILL_AFTER) && !is_write(call))
        return FAULT_NONE;
    if (k == FAULT_QUOTA && (strcmp(call->method, "POST") != 0 || strstr(call->path, "authorization")))
        return FAULT_NONE;
    return fault_happens(f->o.book, k, now_ns(f)) ? k : FAULT_NONE;
}

static void start(struct http_peer *peer, struct http_call *call)
{
    struct faults *f = of(peer);
    struct faulty *c = mem_zalloc(sizeof(*c));

    c->faults = f;
    c->outer = call;
    call->impl = c;
    list_init(&c->items);
    list_add_tail(&f->calls, &c->link);
    timer_init(&c->timer, time_comes, c);
    if (f->dead) {
        c->canceled = true;
        wake(c);
        return;
    }
    if (is_write(call) && f->o.on_act)
        f->o.on_act(f->o.ctx, call);
    c->fate = draw(f, call);
    if (c->fate == FAULT_DELAY || c->fate == FAULT_REQUEST_LOST)
        c->not_before_ns = now_ns(f) + throw(f, SLOW_MS) * 1000000ull;
    if (c->fate == FAULT_CUT)
        c->cut_ns = now_ns(f) + throw(f, CUT_MS) * 1000000ull;
    if (c->fate == FAULT_KILL_BEFORE)
        f->o.on_kill(f->o.ctx);
    if (c->fate == FAULT_NONE || c->fate == FAULT_ANSWER_LOST || c->fate == FAULT_KILL_AFTER ||
        c->fate == FAULT_REORDER || (call->bulk && !c->not_before_ns && c->fate <= FAULT_NO_BOOKMARKS))
        start_inner(c);
    else
        wake(c);
    if (c->fate == FAULT_REORDER)
        c->not_before_ns = now_ns(f) + throw(f, SLOW_MS) * 1000000ull;
}

static void cancel(struct http_peer *peer, struct http_call *call)
{
    struct faulty *c = call->impl;

    (void)peer;
    if (!c || c->canceled)
        return;
    c->canceled = true;
    c->not_before_ns = 0;
    if (c->inner_runs)
        http_cancel(c->faults->o.inner, &c->inner);
    wake(c);
}

/* ---- what befalls all ---- */

void faults_break_all(struct faults *f)
{
    LIST_EACH_SAFE (it, &f->calls) {
        struct faulty *c = LIST_ENTRY(it, struct faulty, link);

        if (c->outer && !c->broken && !c->canceled)
            put_end(c, ERR_NET);
    }
}

void faults_break_watches(struct faults *f)
{
    LIST_EACH_SAFE (it, &f->calls) {
        struct faulty *c = LIST_ENTRY(it, struct faulty, link);

        if (c->outer && c->outer->bulk && !c->broken && !c->canceled)
            put_end(c, ERR_NET);
    }
}

void faults_refuse_until(struct faults *f, uint64_t ns)
{
    f->refused_until_ns = ns;
}

void faults_hide_until(struct faults *f, const char *plural, uint64_t ns)
{
    f->hidden = plural;
    f->hidden_until_ns = ns;
}

void faults_die(struct faults *f)
{
    f->dead = true;
    LIST_EACH_SAFE (it, &f->calls) {
        struct faulty *c = LIST_ENTRY(it, struct faulty, link);

        if (c->outer)
            cancel(&f->peer, c->outer);
    }
}

/* ---- life ---- */

static const struct http_peer_ops ops = {.start = start, .cancel = cancel};

struct faults *faults_new(const struct faults_options *o)
{
    struct faults *f = mem_zalloc(sizeof(*f));

    f->peer.ops = &ops;
    f->o = *o;
    f->dice = o->seed;
    list_init(&f->calls);
    return f;
}

void faults_free(struct faults *f)
{
    assert(list_empty(&f->calls));
    mem_free(f);
}

struct http_peer *faults_peer(struct faults *f)
{
    return &f->peer;
}

void faults_set_percent(struct faults *f, unsigned percent)
{
    f->o.percent = percent;
}
