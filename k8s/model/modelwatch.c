/*
 * modelwatch: open watches. An event goes to each watch of its table in the turn of the change; a watch that starts at
 * an older resourceVersion is first given the history. An object that comes to fit a selector is ADDED, one that ceases
 * to is DELETED. A reader that lets megabytes pile up is cut off: it lists again.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/base/httpdate.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/verbs.h"

enum { BACKLOG_MAX = 64 * 1024 * 1024 };

struct watch {
    struct list in_table, in_model;
    struct model *m;   /* may be gone when on_close comes */
    struct env *env;
    struct http_serve *s;
    const struct resource *r; /* watches end before their row goes */
    char *ns; /* NULL: all */
    struct selector *labels, *fields;
    enum shape shape;
    char include[16];   /* of tables */
    bool told_columns;  /* a table's first event has the column definitions */
    bool bookmarks;
    bool cut; /* too slow: nothing more is sent, the stream is reset in the next turn */
    struct timer bookmark, timeout;
};

static void watch_free(struct watch *w)
{
    list_del(&w->in_table);
    list_del(&w->in_model);
    timer_clear(w->env, &w->bookmark);
    timer_clear(w->env, &w->timeout);
    selector_free(w->labels);
    selector_free(w->fields);
    mem_free(w->ns);
    mem_free(w);
}

static void watch_closed(struct http_serve *s)
{
    watch_free(s->data);
}

/* Out of the lists now, freed by on_close. */
static void watch_end(struct watch *w, bool reset)
{
    list_del(&w->in_table);
    list_del(&w->in_model);
    timer_clear(w->env, &w->bookmark);
    timer_clear(w->env, &w->timeout);
    if (reset)
        w->s->ops->reset(w->s);
    else
        w->s->ops->end(w->s);
}

/* ---- one event's line ---- */

static void line_send(struct watch *w, const char *type, struct str object)
{
    struct buf line;

    if (w->cut)
        return;
    buf_init(&line, object.n + 64);
    buf_printf(&line, "{\"type\":\"%s\",\"object\":", type);
    buf_add_str(&line, object);
    buf_puts(&line, "}\n");
    w->s->ops->write(w->s, buf_str(&line));
    buf_done(&line);
    if (w->s->ops->pending(w->s) > BACKLOG_MAX) {
        w->cut = true;
        timer_set_in(w->env, &w->timeout, 0);
    }
}

static void json_send(struct watch *w, const char *type, json_t *object_take)
{
    char *text = json_compact(object_take);

    line_send(w, type, str_of(text));
    mem_free(text);
    json_decref(object_take);
}

static bool same_version(const struct watch *w, const struct stored *o)
{
    char version[256];

    return w->r->builtin || strcmp(json_text(o->json, "apiVersion"), resource_api_version(w->r, version)) == 0;
}

static void object_send(struct watch *w, const char *type, struct stored *o)
{
    json_t *object;

    if (w->shape == SHAPE_TABLE) {
        json_send(w, type, table_of(w->r, &o, 1, w->include, !w->told_columns, env_wall_ms(w->env) / 1000));
        w->told_columns = true;
    } else if (w->shape == SHAPE_METADATA) {
        json_send(w, type,
                  json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1",
                            "metadata", json_object_get(o->json, "metadata")));
    } else if (same_version(w, o)) {
        line_send(w, type, stored_text(o));
    } else {
        object = request_as(w->r, o->json);
        json_send(w, type, object);
    }
}

/* initial: the bookmark that ends a streaming list. */
static void bookmark_send(struct watch *w, bool initial)
{
    char version[256], rv[24];
    json_t *meta, *object;

    (void)snprintf(rv, sizeof(rv), "%" PRIu64, store_rv(w->m->store));
    meta = json_pack("{s:s, s:n}", "resourceVersion", rv, "creationTimestamp");
    if (initial)
        json_object_set_new(meta, "annotations", json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
    if (w->shape == SHAPE_TABLE)
        object = json_pack("{s:s, s:s, s:O, s:[], s:[]}", "kind", "Table", "apiVersion", "meta.k8s.io/v1", "metadata",
                           meta, "columnDefinitions", "rows");
    else if (w->shape == SHAPE_METADATA)
        object = json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1",
                           "metadata", meta);
    else
        object = json_pack("{s:s, s:s, s:O}", "kind", w->r->kind, "apiVersion", resource_api_version(w->r, version),
                           "metadata", meta);
    json_decref(meta);
    json_send(w, "BOOKMARK", object);
}

static bool fits(const struct watch *w, const struct stored *o)
{
    return o && selector_fits_labels(w->labels, o->json) && selector_fits_fields(w->fields, o->json);
}

static void event_send(struct watch *w, const struct store_event *e)
{
    bool fitted = e->type != STORE_ADDED && fits(w, e->old);
    bool fit = e->type != STORE_DELETED && fits(w, e->now);
    struct stored *last;

    if (w->ns && strcmp(e->now->ns, w->ns) != 0)
        return;
    if (fit) {
        object_send(w, fitted ? "MODIFIED" : "ADDED", e->now);
    } else if (fitted && e->type == STORE_DELETED) {
        object_send(w, "DELETED", e->now);
    } else if (fitted) {
        /* It left the selection: the state before, at the resourceVersion of the change. */
        json_t *object = json_copy(e->old->json);
        json_t *meta = json_copy(json_object_get(object, "metadata"));

        json_object_set(meta, "resourceVersion", json_at(e->now->json, "metadata.resourceVersion"));
        json_object_set_new(object, "metadata", meta);
        last = mem_zalloc(sizeof(*last));
        *last = (struct stored){.refs = 1, .rv = e->rv, .json = object, .ns = e->old->ns, .name = e->old->name,
                                .uid = e->old->uid};
        object_send(w, "DELETED", last);
        stored_unref(last);
    }
}

void watch_event(struct model *m, const struct store_event *e)
{
    (void)m;
    LIST_EACH_SAFE(it, table_watches(e->table))
        event_send(LIST_ENTRY(it, struct watch, in_table), e);
}

/* ---- timers ---- */

static void watch_bookmark_due(struct timer *t)
{
    struct watch *w = t->data;

    timer_set_in(w->env, &w->bookmark, w->m->bookmark_ms);
    bookmark_send(w, false);
}

static void watch_timeout_due(struct timer *t)
{
    struct watch *w = t->data;

    watch_end(w, w->cut);
}

/* ---- start ---- */

static int expired(struct request *q, uint64_t rv)
{
    return request_fail(q, 410, "Expired", "too old resource version: %" PRIu64 " (%" PRIu64 ")", rv,
                        store_compacted(q->m->store));
}

/* Refusals of a running watch come as an ERROR event in a 200 answer, as from a real server. */
static void serve_head(struct request *q)
{
    char date[32];
    struct http_header head[] = {{STR("content-type"), STR("application/json")},
                                 {STR("date"), str_of(httpdate_format(model_now_s(q->m), date))}};

    q->serve->ops->head(q->serve, 200, head, 2);
}

static int refuse_in_stream(struct request *q)
{
    char *text = json_compact(q->answer), *line = mem_printf("{\"type\":\"ERROR\",\"object\":%s}\n", text);

    serve_head(q);
    q->serve->ops->write(q->serve, str_of(line));
    q->serve->ops->end(q->serve);
    mem_free(text);
    mem_free(line);
    q->taken = true;
    return 200;
}

static void send_present(struct watch *w)
{
    struct store_list list;

    if (!store_list(w->m->store, w->r->table, w->ns, 0, &list))
        return;
    for (size_t i = 0; i < list.n; i++)
        if (fits(w, list.items[i]))
            object_send(w, "ADDED", list.items[i]);
    store_list_free(&list);
}

static void send_history(struct watch *w, uint64_t rv)
{
    const struct store_event *e;

    for (size_t i = 0; (e = store_event_after(w->m->store, rv, &i));)
        if (e->table == w->r->table)
            event_send(w, e);
}

static struct watch *watch_new(struct request *q, struct selector *labels, struct selector *fields)
{
    struct watch *w = mem_zalloc(sizeof(*w));
    char text[24];
    uint64_t timeout_s;

    w->m = q->m;
    w->env = q->m->env;
    w->s = q->serve;
    w->r = q->r;
    w->ns = read_ns(q) ? mem_strdup(q->ns) : NULL;
    w->labels = labels;
    w->fields = fields;
    w->shape = q->shape;
    request_query(q, "includeObject", w->include, sizeof(w->include));
    w->bookmarks = request_query_flag(q, "allowWatchBookmarks");
    timer_init(&w->bookmark, watch_bookmark_due, w);
    timer_init(&w->timeout, watch_timeout_due, w);
    q->serve->data = w;
    q->serve->on_close = watch_closed;
    list_add_tail(table_watches(q->r->table), &w->in_table);
    list_add_tail(&q->m->watches, &w->in_model);
    if (str_to_u64(str_of(request_query(q, "timeoutSeconds", text, sizeof(text))), &timeout_s) < 0 || !timeout_s)
        timeout_s = 1800 + env_random(q->m->env) % 1800;
    timer_set_in(q->m->env, &w->timeout, timeout_s * 1000);
    if (w->bookmarks)
        timer_set_in(q->m->env, &w->bookmark, q->m->bookmark_ms);
    return w;
}

struct start { /* from where a watch is asked to start */
    uint64_t rv;
    bool initial, never_initial; /* sendInitialEvents true, false */
};

/* 0, or the refusal. */
static int start_read(struct request *q, struct start *s)
{
    char rv[32], initial[8];
    uint64_t now = store_rv(q->m->store);

    *s = (struct start){0};
    request_query(q, "resourceVersion", rv, sizeof(rv));
    request_query(q, "sendInitialEvents", initial, sizeof(initial));
    s->initial = strcmp(initial, "true") == 0;
    s->never_initial = strcmp(initial, "false") == 0;
    if (*rv && str_to_u64(str_of(rv), &s->rv) < 0)
        return request_fail(q, 500, "", "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": "
                                        "invalid syntax", rv, rv);
    if (s->rv <= now)
        return 0;
    return read_too_new(q, s->rv);
}

int watch_start(struct request *q)
{
    struct selector *labels, *fields;
    struct start s;
    struct watch *w;
    int status;

    if (!q->serve)
        return request_fail(q, 400, "BadRequest", "a watch needs a connection");
    status = start_read(q, &s);
    if (status)
        return status;
    if (!s.initial && s.rv && s.rv < store_compacted(q->m->store)) {
        expired(q, s.rv);
        return refuse_in_stream(q);
    }
    status = read_selectors(q, &labels, &fields);
    if (status)
        return status;
    q->taken = true;
    serve_head(q);
    w = watch_new(q, labels, fields);
    /* No resourceVersion, or 0: what is there comes first as ADDED, so that a bare watch misses nothing. */
    if (s.initial || (!s.rv && !s.never_initial))
        send_present(w);
    else if (s.rv)
        send_history(w, s.rv);
    if (s.initial && w->bookmarks)
        bookmark_send(w, true);
    return 200;
}

void watch_end_table(struct table *t)
{
    LIST_EACH_SAFE(it, table_watches(t))
        watch_end(LIST_ENTRY(it, struct watch, in_table), false);
}

void watch_end_all(struct model *m)
{
    LIST_EACH_SAFE(it, &m->watches)
        watch_end(LIST_ENTRY(it, struct watch, in_model), true);
}
