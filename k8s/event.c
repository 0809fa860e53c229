/*
 * event: see event.h. One entry for each object, reason and message of the last ten minutes. An entry has at most one
 * request under way; what happens meanwhile raises its count, and the next request tells it. Entries stand in the order
 * of their last use, so that the old ones are at the front. There may be thousands of them: an entry is one block, its
 * request is there while it runs only, and a timer forgets the old ones also when nothing happens any more.
 */
#include "k8s/event.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

enum {
    AGGREGATE_MS = 10 * 60 * 1000,
    TIDY_MS = 60 * 1000,
    ENTRIES_MAX = 5000,
    RUNNING_MAX = 32,
    OBJECT_BURST = 5, OBJECT_EVERY_MS = 60 * 1000,
    NS_BURST = 60, NS_EVERY_MS = 1000,
    ALL_BURST = 20, ALL_EVERY_MS = 50,
};

/* A token bucket that knows the time at which it would be full again. */
struct bucket {
    struct list link; /* in order of use */
    char *key;
    uint64_t full_ms;
};

struct entry {
    struct list link;
    struct kube_events *ev;
    struct request *request;   /* under way; NULL: none */
    char *name;                /* of the Event object */
    struct str key;            /* in bytes: its texts, each with its end */
    struct kube_event what;    /* in bytes; those of the key in the key */
    int64_t count, told;       /* told: the count that the server has */
    int64_t first_ms, last_ms; /* Unix time */
    uint64_t used_ms;
    bool created;
    char bytes[];
};

struct request {
    struct kube_call call;
    struct entry *entry;
};

struct kube_events {
    struct kube *kube;
    struct map entries, buckets;
    struct list order, bucket_order;
    struct bucket all;
    struct timer tidy;
    uint64_t dropped, serial;
    unsigned running;
    bool dying;
};

static uint64_t now_ms(const struct kube_events *ev)
{
    return env_now_ns(ev->kube->env) / 1000000;
}

static void tidy(struct timer *t);

struct kube_events *kube_events_new(struct kube *k)
{
    struct kube_events *ev = mem_zalloc(sizeof(*ev));
    uint64_t seed = env_random(k->env);

    ev->kube = k;
    map_init_borrowing(&ev->entries, seed);
    map_init_borrowing(&ev->buckets, seed);
    timer_init(&ev->tidy, tidy, ev);
    list_init(&ev->order);
    list_init(&ev->bucket_order);
    return ev;
}

/* ---- rates ---- */

static bool bucket_has(const struct bucket *b, uint64_t now, uint64_t burst, uint64_t every_ms)
{
    return b->full_ms <= now || b->full_ms - now <= (burst - 1) * every_ms;
}

static void bucket_take(struct bucket *b, uint64_t now, uint64_t every_ms)
{
    b->full_ms = (b->full_ms > now ? b->full_ms : now) + every_ms;
}

static struct bucket *bucket_of(struct kube_events *ev, char *key_take)
{
    struct bucket *b = map_get(&ev->buckets, str_of(key_take));

    if (b) {
        mem_free(key_take);
        list_del(&b->link);
    } else {
        b = mem_zalloc(sizeof(*b));
        b->key = key_take;
        list_init(&b->link);
        (void)map_put(&ev->buckets, str_of(b->key), b);
    }
    list_add_tail(&ev->bucket_order, &b->link);
    return b;
}

static void bucket_free(struct kube_events *ev, struct bucket *b)
{
    list_del(&b->link);
    (void)map_del(&ev->buckets, str_of(b->key));
    mem_free(b->key);
    mem_free(b);
}

/* One request about this object now? Takes it out of all three buckets, or out of none. */
static bool may_send(struct kube_events *ev, const struct kube_event *what)
{
    struct bucket *ns = bucket_of(ev, mem_printf("%s", what->ns ? what->ns : ""));
    struct bucket *object = bucket_of(ev, mem_printf("%s/%s/%s", what->ns ? what->ns : "", what->kind, what->name));
    uint64_t now = now_ms(ev);

    if (ev->running >= RUNNING_MAX || !bucket_has(object, now, OBJECT_BURST, OBJECT_EVERY_MS) ||
        !bucket_has(ns, now, NS_BURST, NS_EVERY_MS) || !bucket_has(&ev->all, now, ALL_BURST, ALL_EVERY_MS))
        return false;
    bucket_take(object, now, OBJECT_EVERY_MS);
    bucket_take(ns, now, NS_EVERY_MS);
    bucket_take(&ev->all, now, ALL_EVERY_MS);
    return true;
}

/* ---- entries ---- */

static void entry_free(struct entry *en)
{
    list_del(&en->link);
    (void)map_del(&en->ev->entries, en->key);
    mem_free(en->name);
    mem_free(en);
}

static void events_free_now(struct kube_events *ev)
{
    for (struct list *l; (l = list_pop(&ev->order));)
        entry_free(LIST_ENTRY(l, struct entry, link));
    for (struct list *l; (l = list_pop(&ev->bucket_order));)
        bucket_free(ev, LIST_ENTRY(l, struct bucket, link));
    map_done(&ev->entries);
    map_done(&ev->buckets);
    mem_free(ev);
}

static void forget_old(struct kube_events *ev)
{
    uint64_t now = now_ms(ev);

    LIST_EACH_SAFE (it, &ev->order) {
        struct entry *en = LIST_ENTRY(it, struct entry, link);

        if (now - en->used_ms < AGGREGATE_MS && map_size(&ev->entries) < ENTRIES_MAX)
            break;
        if (!en->request)
            entry_free(en);
    }
    LIST_EACH_SAFE (it, &ev->bucket_order) {
        struct bucket *b = LIST_ENTRY(it, struct bucket, link);

        if (b->full_ms > now && map_size(&ev->buckets) < 2 * ENTRIES_MAX)
            break;
        bucket_free(ev, b);
    }
}

/* Who lost the lead sends no more, and would keep them for ever. */
static void tidy_later(struct kube_events *ev)
{
    if (timer_is_set(&ev->tidy) || (list_empty(&ev->order) && list_empty(&ev->bucket_order)))
        return;
    timer_set_in(ev->kube->env, &ev->tidy, TIDY_MS);
}

static void tidy(struct timer *t)
{
    struct kube_events *ev = t->data;

    forget_old(ev);
    tidy_later(ev);
}

/* At most LIMIT_MESSAGE bytes, cut between characters. */
static struct str cut_message(const char *message)
{
    size_t n = strlen(message);

    if (n > LIMIT_MESSAGE)
        for (n = LIMIT_MESSAGE; n > 0 && ((unsigned char)message[n] & 0xc0) == 0x80; n--)
            ;
    return (struct str){message, n};
}

/* The texts that make two events one, each with its end. */
static void make_key(const struct kube_event *e, struct buf *out)
{
    const struct str texts[] = {str_of(e->ns), str_of(e->kind), str_of(e->name), str_of(e->uid), str_of(e->reason),
                                cut_message(e->message ? e->message : "")};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        buf_add_str(out, texts[i]);
        buf_putc(out, 0);
    }
}

static const char *put(char **at, const char *s)
{
    const char *text = *at;
    size_t n = strlen(s) + 1;

    memcpy(*at, s, n);
    *at += n;
    return text;
}

static const char *pass(char **at)
{
    const char *text = *at;

    *at += strlen(text) + 1;
    return text;
}

static char *event_name(struct kube_events *ev, const char *object)
{
    uint64_t ns = (uint64_t)env_wall_ms(ev->kube->env) * 1000000 + ev->serial++ % 1000000;
    char name[256];

    return mem_printf("%s.%llx", str_shorten_name(str_of(object), 253 - 17, false, name), (unsigned long long)ns);
}

static struct entry *entry_new(struct kube_events *ev, const struct kube_event *what, struct str key)
{
    struct entry *en = mem_zalloc(sizeof(*en) + key.n + strlen(what->component) + strlen(what->type) +
                                  strlen(what->api_version) + 3);
    char *at = en->bytes;

    memcpy(at, key.p, key.n);
    en->ev = ev;
    en->key = (struct str){at, key.n};
    en->name = event_name(ev, what->name);
    en->what.ns = pass(&at);
    en->what.kind = pass(&at);
    en->what.name = pass(&at);
    en->what.uid = pass(&at);
    en->what.reason = pass(&at);
    en->what.message = pass(&at);
    en->what.component = put(&at, what->component);
    en->what.type = put(&at, what->type);
    en->what.api_version = put(&at, what->api_version);
    list_init(&en->link);
    list_add_tail(&ev->order, &en->link);
    (void)map_put(&ev->entries, en->key, en);
    return en;
}

/* ---- requests ---- */

static const char *event_ns(const struct entry *en)
{
    return *en->what.ns ? en->what.ns : "default"; /* the home of cluster objects' Events */
}

static json_t *event_object(const struct entry *en)
{
    const struct kube_event *w = &en->what;
    char first[32], last[32];
    json_t *o;

    o = json_pack("{s:{s:s,s:s},s:{s:s,s:s,s:s,s:s},s:s,s:s,s:s,s:{s:s},s:s,s:s,s:s,s:s,s:I}", "metadata", "name",
                  en->name, "namespace", event_ns(en), "involvedObject", "apiVersion", w->api_version, "kind", w->kind,
                  "name", w->name, "uid", w->uid, "type", w->type, "reason", w->reason, "message", w->message, "source",
                  "component", w->component, "reportingComponent", w->component, "reportingInstance", "",
                  "firstTimestamp", str_format_time(en->first_ms / 1000, first), "lastTimestamp",
                  str_format_time(en->last_ms / 1000, last), "count", (json_int_t)en->count);
    if (o && *w->ns)
        (void)json_object_set_new(json_object_get(o, "involvedObject"), "namespace", json_string(w->ns));
    return o;
}

static json_t *event_patch(const struct entry *en)
{
    char last[32];

    return json_pack("{s:I,s:s}", "count", (json_int_t)en->count, "lastTimestamp",
                     str_format_time(en->last_ms / 1000, last));
}

static void send(struct entry *en);

static void drop(struct entry *en, const struct error *e)
{
    en->ev->dropped++;
    if (en->ev->kube->log)
        log_debug(en->ev->kube->log, "event dropped", F_STR("reason", en->what.reason), F_STR("name", en->what.name),
                  F_ERR(e));
    if (!en->created)
        entry_free(en);
}

static void answered(struct entry *en, int rc, const struct error *e)
{
    if (rc == 0) {
        en->created = true;
        if (en->told < en->count && may_send(en->ev, &en->what))
            send(en);
    } else if (rc == ERR_NOTFOUND && en->created) {
        /* The server drops Events after an hour: a new one, of which we know all. */
        mem_free(en->name);
        en->name = event_name(en->ev, en->what.name);
        en->created = false;
        if (may_send(en->ev, &en->what))
            send(en);
    } else {
        drop(en, e);
    }
}

static void send_done(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct request *r = c->data;
    struct kube_events *ev = r->entry->ev;

    (void)object;
    r->entry->request = NULL;
    ev->running--;
    if (!ev->dying)
        answered(r->entry, rc, e);
    else if (!ev->running)
        events_free_now(ev);
    mem_free(r);
}

static void send(struct entry *en)
{
    json_t *body = en->created ? event_patch(en) : event_object(en);
    struct request *r;

    if (!body) { /* a text that is no UTF-8: our own mistake, but not worth the process */
        struct error e;

        error_set(&e, ERR_BUG, "an event's text is no UTF-8");
        drop(en, &e);
        return;
    }
    r = mem_alloc(sizeof(*r));
    r->entry = en;
    r->call = (struct kube_call){.verb = en->created ? KUBE_PATCH : KUBE_CREATE, .kind = kind_get(KIND_EVENT),
                                 .ns = event_ns(en), .name = en->name, .body = body, .on_done = send_done, .data = r};
    en->told = en->count;
    en->request = r;
    en->ev->running++;
    kube_start(en->ev->kube, &r->call);
    json_decref(body);
}

/* ---- for all ---- */

/* The entry of an event, a new one if it may be sent; NULL: it may not. */
static struct entry *entry_of(struct kube_events *ev, const struct kube_event *event)
{
    struct entry *en;
    struct buf key;

    buf_init(&key, SIZE_MAX / 2);
    make_key(event, &key);
    en = map_get(&ev->entries, buf_str(&key));
    if (en) {
        list_del(&en->link);
        list_add_tail(&ev->order, &en->link);
    } else if (may_send(ev, event)) {
        en = entry_new(ev, event, buf_str(&key));
        en->first_ms = env_wall_ms(ev->kube->env);
    }
    buf_done(&key);
    return en;
}

void kube_event_send(struct kube_events *ev, const struct kube_event *event)
{
    struct entry *en;

    assert(!ev->dying);
    forget_old(ev);
    en = entry_of(ev, event);
    tidy_later(ev);
    if (!en) {
        ev->dropped++;
        return;
    }
    en->count++;
    en->last_ms = env_wall_ms(ev->kube->env);
    en->used_ms = now_ms(ev);
    if (!en->request && (en->count == 1 || may_send(ev, &en->what)))
        send(en);
}

uint64_t kube_events_dropped(const struct kube_events *ev)
{
    return ev->dropped;
}

unsigned kube_events_running(const struct kube_events *ev)
{
    return ev->running;
}

void kube_events_free(struct kube_events *ev)
{
    if (!ev)
        return;
    ev->dying = true;
    timer_clear(ev->kube->env, &ev->tidy);
    LIST_EACH (it, &ev->order)
        if (LIST_ENTRY(it, struct entry, link)->request)
            kube_cancel(&LIST_ENTRY(it, struct entry, link)->request->call);
    if (!ev->running)
        events_free_now(ev);
}
