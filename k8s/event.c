/*
 * event: see event.h. One entry for each object, reason and message of the last ten minutes. An entry has at most one
 * request under way; what happens meanwhile raises its count, and the next request tells it. Entries stand in the order
 * of their last use, so that the old ones are at the front.
 */
#include "k8s/event.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/arena.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

enum {
    AGGREGATE_MS = 10 * 60 * 1000,
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
    struct kube_call call;
    char *key;
    char *ns, *name; /* of the Event object */
    struct arena texts;
    struct kube_event what; /* in texts */
    int64_t count, told; /* told: the count that the server has */
    int64_t first_ms, last_ms; /* Unix time */
    uint64_t used_ms;
    bool running, created;
};

struct kube_events {
    struct kube *kube;
    struct map entries, buckets;
    struct list order, bucket_order;
    struct bucket all;
    uint64_t dropped, serial;
    unsigned running;
    bool dying;
};

static uint64_t now_ms(const struct kube_events *ev)
{
    return env_now_ns(ev->kube->env) / 1000000;
}

struct kube_events *kube_events_new(struct kube *k)
{
    struct kube_events *ev = mem_zalloc(sizeof(*ev));
    uint64_t seed = env_random(k->env);

    ev->kube = k;
    map_init(&ev->entries, seed);
    map_init(&ev->buckets, seed);
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
    (void)map_del(&en->ev->entries, str_of(en->key));
    mem_free(en->key);
    mem_free(en->ns);
    mem_free(en->name);
    arena_done(&en->texts);
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
        if (!en->running)
            entry_free(en);
    }
    LIST_EACH_SAFE (it, &ev->bucket_order) {
        struct bucket *b = LIST_ENTRY(it, struct bucket, link);

        if (b->full_ms > now && map_size(&ev->buckets) < 2 * ENTRIES_MAX)
            break;
        bucket_free(ev, b);
    }
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

static const char *copy(struct entry *en, const char *s)
{
    return arena_strdup(&en->texts, s ? s : "");
}

static char *event_name(struct kube_events *ev, const char *object)
{
    uint64_t ns = (uint64_t)env_wall_ms(ev->kube->env) * 1000000 + ev->serial++ % 1000000;
    char name[256];

    return mem_printf("%s.%llx", str_shorten_name(str_of(object), 253 - 17, false, name), (unsigned long long)ns);
}

static struct entry *entry_new(struct kube_events *ev, const struct kube_event *what, char *key_take)
{
    struct entry *en = mem_zalloc(sizeof(*en));

    arena_init(&en->texts);
    en->ev = ev;
    en->key = key_take;
    en->ns = mem_strdup(what->ns && *what->ns ? what->ns : "default"); /* the home of cluster objects' Events */
    en->name = event_name(ev, what->name);
    en->what = (struct kube_event){.component = copy(en, what->component),
                                   .type = copy(en, what->type),
                                   .reason = copy(en, what->reason),
                                   .message = arena_str(&en->texts, cut_message(what->message ? what->message : "")),
                                   .api_version = copy(en, what->api_version),
                                   .kind = copy(en, what->kind),
                                   .ns = copy(en, what->ns),
                                   .name = copy(en, what->name),
                                   .uid = copy(en, what->uid)};
    list_init(&en->link);
    list_add_tail(&ev->order, &en->link);
    (void)map_put(&ev->entries, str_of(en->key), en);
    return en;
}

/* ---- requests ---- */

static json_t *event_object(const struct entry *en)
{
    const struct kube_event *w = &en->what;
    char first[32], last[32];
    json_t *o;

    o = json_pack("{s:{s:s,s:s},s:{s:s,s:s,s:s,s:s},s:s,s:s,s:s,s:{s:s},s:s,s:s,s:s,s:s,s:I}", "metadata", "name",
                  en->name, "namespace", en->ns, "involvedObject", "apiVersion", w->api_version, "kind", w->kind,
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

static void send_done(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct entry *en = c->data;
    struct kube_events *ev = en->ev;

    (void)object;
    en->running = false;
    ev->running--;
    if (ev->dying) {
        if (!ev->running)
            events_free_now(ev);
    } else if (rc == 0) {
        en->created = true;
        if (en->told < en->count && may_send(ev, &en->what))
            send(en);
    } else if (rc == ERR_NOTFOUND && en->created) {
        /* The server drops Events after an hour: a new one, of which we know all. */
        mem_free(en->name);
        en->name = event_name(ev, en->what.name);
        en->created = false;
        if (may_send(ev, &en->what))
            send(en);
    } else {
        drop(en, e);
    }
}

static void send(struct entry *en)
{
    json_t *body = en->created ? event_patch(en) : event_object(en);

    if (!body) { /* a text that is no UTF-8: our own mistake, but not worth the process */
        struct error e;

        error_set(&e, ERR_BUG, "an event's text is no UTF-8");
        drop(en, &e);
        return;
    }
    en->told = en->count;
    en->running = true;
    en->ev->running++;
    en->call = (struct kube_call){.verb = en->created ? KUBE_PATCH : KUBE_CREATE, .kind = kind_get(KIND_EVENT),
                                  .ns = en->ns, .name = en->name, .body = body, .on_done = send_done, .data = en};
    kube_start(en->ev->kube, &en->call);
    json_decref(body);
}

/* ---- for all ---- */

void kube_event_send(struct kube_events *ev, const struct kube_event *event)
{
    char *key = mem_printf("%s\n%s\n%s\n%s\n%s\n%s", event->ns ? event->ns : "", event->kind, event->name,
                           event->uid ? event->uid : "", event->reason, event->message ? event->message : "");
    struct entry *en;

    assert(!ev->dying);
    forget_old(ev);
    en = map_get(&ev->entries, str_of(key));
    if (en) {
        mem_free(key);
        list_del(&en->link);
        list_add_tail(&ev->order, &en->link);
    } else if (may_send(ev, event)) {
        en = entry_new(ev, event, key);
        en->first_ms = env_wall_ms(ev->kube->env);
    } else {
        mem_free(key);
        ev->dropped++;
        return;
    }
    en->count++;
    en->last_ms = env_wall_ms(ev->kube->env);
    en->used_ms = now_ms(ev);
    if (!en->running && (en->count == 1 || may_send(ev, &en->what)))
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
    LIST_EACH (it, &ev->order)
        if (LIST_ENTRY(it, struct entry, link)->running)
            kube_cancel(&LIST_ENTRY(it, struct entry, link)->call);
    if (!ev->running)
        events_free_now(ev);
}
