/*
 * store: see store.h. A table is one sorted array: at the sizes we serve (up to some 100,000 objects a kind) moving
 * pointers on an insert costs less than any tree's upkeep, and lists, which are what counts, walk memory in order.
 * Events live in a ring; what falls out of it is compacted. A list at an older resourceVersion is the present with the
 * events since then undone, which is why each event keeps the state before it.
 */
#include "k8s/model/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/map.h"
#include "core/base/mem.h"

struct table {
    char *name;
    struct stored **items; /* by store_key_cmp */
    size_t n, cap;
    struct list watches;
    uint64_t changed_rv; /* of the last change: lists at this or a later one need no undoing */
};

struct store {
    struct map tables; /* name to struct table */
    struct map uids;   /* uid to struct owned */
    struct store_event *ring;
    size_t ring_max, ring_first, ring_n;
    uint64_t rv, compacted;
    store_fn *on_event;
    void *ctx;
};

/* ---- one version of one object ---- */

static struct stored *stored_new(json_t *object_take, uint64_t rv)
{
    struct stored *o = mem_zalloc(sizeof(*o));

    o->refs = 1;
    o->rv = rv;
    o->json = object_take;
    o->ns = json_text(object_take, "metadata.namespace");
    o->name = json_text(object_take, "metadata.name");
    o->uid = json_text(object_take, "metadata.uid");
    return o;
}

struct stored *stored_ref(struct stored *o)
{
    o->refs++;
    return o;
}

void stored_unref(struct stored *o)
{
    if (!o || --o->refs)
        return;
    json_decref(o->json);
    mem_free(o->text);
    mem_free(o);
}

struct str stored_text(struct stored *o)
{
    if (!o->text) {
        o->text = json_compact(o->json);
        o->text_n = strlen(o->text);
    }
    return (struct str){o->text, o->text_n};
}

int store_key_cmp(const char *ns, const char *name, const char *ns2, const char *name2)
{
    for (; *ns && *ns == *ns2; ns++, ns2++)
        ;
    if (*ns || *ns2)
        return (*ns ? (unsigned char)*ns : '/') - (*ns2 ? (unsigned char)*ns2 : '/');
    return strcmp(name, name2);
}

/* ---- tables ---- */

/* First place whose key is not before the given one; *found tells whether it is that key. */
static size_t place_of(const struct table *t, const char *ns, const char *name, bool *found)
{
    size_t lo = 0, hi = t->n;

    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = store_key_cmp(t->items[mid]->ns, t->items[mid]->name, ns, name);

        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct table *store_table(struct store *s, const char *name)
{
    struct table *t = map_get(&s->tables, str_of(name));

    if (t)
        return t;
    t = mem_zalloc(sizeof(*t));
    t->name = mem_strdup(name);
    list_init(&t->watches);
    (void)map_put(&s->tables, str_of(name), t);
    return t;
}

const char *table_name(const struct table *t)
{
    return t->name;
}

size_t table_size(const struct table *t)
{
    return t->n;
}

struct list *table_watches(struct table *t)
{
    return &t->watches;
}

struct stored *store_get(const struct table *t, const char *ns, const char *name)
{
    bool found;
    size_t at = place_of(t, ns ? ns : "", name, &found);

    return found ? t->items[at] : NULL;
}

size_t store_first(const struct table *t, const char *ns)
{
    bool found;

    return ns ? place_of(t, ns, "", &found) : 0;
}

struct stored *store_at(const struct table *t, const char *ns, size_t i)
{
    if (i >= t->n || (ns && strcmp(t->items[i]->ns, ns) != 0))
        return NULL;
    return t->items[i];
}

size_t store_after(const struct table *t, const char *ns, const char *name)
{
    bool found;
    size_t at = place_of(t, ns, name, &found);

    return at + found;
}

/* Puts `now` (NULL: nothing) in the place of its key and returns what was there, a reference each. */
static struct stored *table_set(struct table *t, const char *ns, const char *name, struct stored *now)
{
    bool found;
    size_t at = place_of(t, ns, name, &found);
    struct stored *old = found ? t->items[at] : NULL;

    if (found && now) {
        t->items[at] = now;
    } else if (found) {
        memmove(t->items + at, t->items + at + 1, (t->n - at - 1) * sizeof(t->items[0]));
        t->n--;
    } else if (now) {
        if (t->n == t->cap) {
            t->cap = t->cap ? t->cap * 2 : 16;
            t->items = mem_realloc(t->items, t->cap * sizeof(t->items[0]));
        }
        memmove(t->items + at + 1, t->items + at, (t->n - at) * sizeof(t->items[0]));
        t->items[at] = now;
        t->n++;
    }
    return old;
}

/* ---- UIDs ---- */

struct owned { /* who has a UID */
    struct table *table;
    struct stored *object; /* borrowed from the table */
};

static void uid_set(struct store *s, struct table *t, struct stored *o)
{
    struct owned *w;

    if (!*o->uid)
        return;
    w = map_get(&s->uids, str_of(o->uid));
    if (!w) {
        w = mem_alloc(sizeof(*w));
        (void)map_put(&s->uids, str_of(o->uid), w);
    }
    *w = (struct owned){t, o};
}

static void uid_clear(struct store *s, const struct stored *o)
{
    struct owned *w = map_get(&s->uids, str_of(o->uid));

    if (w && w->object == o)
        mem_free(map_del(&s->uids, str_of(o->uid)));
}

struct stored *store_find_uid(const struct store *s, const char *uid, struct table **ret_table)
{
    struct owned *w = map_get(&s->uids, str_of(uid));

    if (!w)
        return NULL;
    if (ret_table)
        *ret_table = w->table;
    return w->object;
}

/* ---- events ---- */

static void event_done(struct store_event *e)
{
    stored_unref(e->now);
    stored_unref(e->old);
}

static void ring_drop_first(struct store *s)
{
    struct store_event *e = &s->ring[s->ring_first];

    s->compacted = e->rv;
    event_done(e);
    s->ring_first = (s->ring_first + 1) % s->ring_max;
    s->ring_n--;
}

static void ring_add(struct store *s, struct store_event e)
{
    if (s->ring_n == s->ring_max)
        ring_drop_first(s);
    s->ring[(s->ring_first + s->ring_n++) % s->ring_max] = e;
}

const struct store_event *store_event_after(const struct store *s, uint64_t rv, size_t *i)
{
    /* resourceVersions in the ring grow: the first wanted one is found by halves. */
    if (*i == 0) {
        size_t lo = 0, hi = s->ring_n;

        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;

            if (s->ring[(s->ring_first + mid) % s->ring_max].rv <= rv)
                lo = mid + 1;
            else
                hi = mid;
        }
        *i = lo;
    }
    if (*i >= s->ring_n)
        return NULL;
    return &s->ring[(s->ring_first + (*i)++) % s->ring_max];
}

/* Takes one reference each of now and old, tells, and keeps both in the ring. */
static void tell(struct store *s, struct table *t, enum store_type type, struct stored *now, struct stored *old)
{
    struct store_event e = {.rv = s->rv, .type = type, .table = t, .now = now, .old = old};

    t->changed_rv = s->rv;
    ring_add(s, e);
    if (s->on_event)
        s->on_event(s->ctx, &e);
}

static void set_rv(json_t *object, uint64_t rv)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, rv);
    json_object_set_new(json_object_get(object, "metadata"), "resourceVersion", json_string(text));
}

/* The object as the event of its deletion shows it. */
static struct stored *last_state(const struct stored *old, uint64_t rv)
{
    json_t *last = json_copy(old->json);

    json_object_set_new(last, "metadata", json_copy(json_object_get(old->json, "metadata")));
    set_rv(last, rv);
    return stored_new(last, rv);
}

/* ---- changes ---- */

struct stored *store_put(struct store *s, struct table *t, json_t *object_take)
{
    struct stored *now, *old;

    s->rv++;
    set_rv(object_take, s->rv);
    now = stored_new(object_take, s->rv);
    old = table_set(t, now->ns, now->name, now);
    if (old)
        uid_clear(s, old);
    uid_set(s, t, now);
    tell(s, t, old ? STORE_MODIFIED : STORE_ADDED, stored_ref(now), old);
    return now;
}

void store_del(struct store *s, struct table *t, const char *ns, const char *name)
{
    struct stored *old = table_set(t, ns, name, NULL);

    if (!old)
        return;
    uid_clear(s, old);
    s->rv++;
    tell(s, t, STORE_DELETED, last_state(old, s->rv), old);
}

/* Takes one reference each of now and old, of which one may be NULL. */
static void keep_loaded(struct store *s, struct table *t, struct stored *now, struct stored *old)
{
    struct store_event e = {.rv = s->rv, .table = t, .now = now, .old = old};

    e.type = old ? STORE_MODIFIED : STORE_ADDED;
    if (!now) {
        e.type = STORE_DELETED;
        e.now = last_state(old, s->rv);
    }
    ring_add(s, e);
}

void store_load_rv(struct store *s, uint64_t rv)
{
    while (s->ring_n)
        ring_drop_first(s);
    s->rv = rv > s->rv ? rv : s->rv;
    s->compacted = s->rv;
}

void store_load(struct store *s, struct table *t, uint64_t rv, const char *ns, const char *name, json_t *object_take)
{
    struct stored *now = object_take ? stored_new(object_take, rv) : NULL;
    struct stored *old = table_set(t, ns, name, now);
    bool follows = rv == s->rv + 1;

    if (old)
        uid_clear(s, old);
    if (now)
        uid_set(s, t, now);
    if (follows)
        s->rv = rv;
    else
        store_load_rv(s, rv);
    t->changed_rv = s->rv;
    if (follows && (now || old)) {
        keep_loaded(s, t, now ? stored_ref(now) : NULL, old);
        return;
    }
    stored_unref(old);
}

/* ---- lists ---- */

struct undo { /* a key and what it was at the resourceVersion asked for */
    const char *ns, *name;
    struct stored *was; /* NULL: absent then */
    size_t serial;      /* qsort isn't stable, and the earliest event of a key has its oldest state */
};

static int undo_cmp(const void *a, const void *b)
{
    const struct undo *x = a, *y = b;
    int order = store_key_cmp(x->ns, x->name, y->ns, y->name);

    return order ? order : (x->serial > y->serial) - (x->serial < y->serial);
}

/* The first event after rv of each key tells what it was at rv. Sorted; freed by the caller. */
static struct undo *undo_since(const struct store *s, const struct table *t, const char *ns, uint64_t rv, size_t *n)
{
    struct undo *list = mem_alloc((s->ring_n + 1) * sizeof(*list));
    const struct store_event *e;
    size_t kept = 0;

    *n = 0;
    for (size_t i = 0; (e = store_event_after(s, rv, &i));)
        if (e->table == t && (!ns || strcmp(e->now->ns, ns) == 0))
            list[(*n)++] = (struct undo){e->now->ns, e->now->name, e->old, i};
    qsort(list, *n, sizeof(*list), undo_cmp);
    for (size_t i = 0; i < *n; i++)
        if (!kept || store_key_cmp(list[kept - 1].ns, list[kept - 1].name, list[i].ns, list[i].name) != 0)
            list[kept++] = list[i];
    *n = kept;
    return list;
}

bool store_list(const struct store *s, const struct table *t, const char *ns, uint64_t rv, struct store_list *ret)
{
    struct undo *undo = NULL;
    size_t n_undo = 0, u = 0;
    struct stored *o;

    if (rv && rv < s->compacted && rv < t->changed_rv)
        return false;
    if (rv && rv < t->changed_rv)
        undo = undo_since(s, t, ns, rv, &n_undo);
    ret->items = mem_alloc((t->n + n_undo + 1) * sizeof(ret->items[0]));
    ret->n = 0;
    for (size_t i = store_first(t, ns);; i++) {
        o = store_at(t, ns, i);
        for (; u < n_undo && (!o || store_key_cmp(undo[u].ns, undo[u].name, o->ns, o->name) < 0); u++)
            if (undo[u].was)
                ret->items[ret->n++] = stored_ref(undo[u].was);
        if (!o)
            break;
        if (u < n_undo && store_key_cmp(undo[u].ns, undo[u].name, o->ns, o->name) == 0)
            o = undo[u++].was;
        if (o)
            ret->items[ret->n++] = stored_ref(o);
    }
    mem_free(undo);
    return true;
}

void store_list_free(struct store_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        stored_unref(l->items[i]);
    mem_free(l->items);
    *l = (struct store_list){0};
}

/* ---- the whole ---- */

uint64_t store_rv(const struct store *s)
{
    return s->rv;
}

uint64_t store_compacted(const struct store *s)
{
    return s->compacted;
}

void store_compact(struct store *s, uint64_t rv)
{
    while (s->ring_n && s->ring[s->ring_first].rv <= rv)
        ring_drop_first(s);
    if (rv > s->compacted)
        s->compacted = rv < s->rv ? rv : s->rv;
}

struct store *store_new(uint64_t seed, size_t history_max, store_fn *on_event, void *ctx)
{
    struct store *s = mem_zalloc(sizeof(*s));

    map_init(&s->tables, seed);
    map_init(&s->uids, seed + 1);
    s->ring_max = history_max;
    s->ring = mem_zalloc(history_max * sizeof(s->ring[0]));
    s->on_event = on_event;
    s->ctx = ctx;
    return s;
}

void store_free(struct store *s)
{
    struct str key;
    void *value;

    if (!s)
        return;
    while (s->ring_n)
        ring_drop_first(s);
    for (size_t it = 0; map_next(&s->uids, &it, &key, &value);)
        mem_free(value);
    for (size_t it = 0; map_next(&s->tables, &it, &key, &value);) {
        struct table *t = value;

        for (size_t i = 0; i < t->n; i++)
            stored_unref(t->items[i]);
        mem_free(t->items);
        mem_free(t->name);
        mem_free(t);
    }
    map_done(&s->tables);
    map_done(&s->uids);
    mem_free(s->ring);
    mem_free(s);
}
