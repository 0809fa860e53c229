/*
 * cache: see cache.h. One store a kind: a map by "<ns>/<name>" and for each index a map from a value to a bucket, the
 * ring of entries that have it. An entry stands in its buckets by links of its own, so that a change costs no search.
 */
#include "k8s/cache.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

enum { KEY_MAX = 512 }; /* a namespace has at most 63 bytes, a name 253 */

struct bucket {
    struct list entries;
};

struct place {
    struct list link; /* in the bucket's ring */
    struct bucket *in;
};

struct entry {
    const struct kobj *o;
    uint32_t seen;          /* the relist in which it was last put */
    uint64_t arrival;       /* cache_arrival */
    struct place places[];  /* [0]: by owner; [1 + i]: by index i */
};

struct index {
    size_t field; /* place in kind->fields */
    bool with_ns;
    struct map buckets;
};

struct store {
    struct map objects;
    struct map owners;
    struct index *indexes;
    size_t n_indexes;
    uint32_t relist;
    uint64_t list_arrival; /* of what the list that comes brings */
    bool complete, is_listing;
};

struct cache {
    cache_fn *on_change;
    void *ctx;
    uint64_t seed;
    uint64_t arrivals;
    struct store stores[N_KINDS];
};

/* A view of out, or STR_NONE when it does not fit: no object of Kubernetes has such a name. */
static struct str key_of(const char *ns, const char *name, char out[KEY_MAX])
{
    int n = snprintf(out, KEY_MAX, "%s/%s", ns ? ns : "", name);

    return n < 0 || n >= KEY_MAX ? STR_NONE : (struct str){out, (size_t)n};
}

static size_t field_place(const struct kind *k, const char *field)
{
    for (size_t i = 0; i < k->n_fields; i++)
        if (strcmp(k->fields[i], field) == 0)
            return i;
    assert(!"the kind keeps this field");
    return 0;
}

struct cache *cache_new(uint64_t seed, cache_fn *on_change, void *ctx)
{
    struct cache *c = mem_zalloc(sizeof(*c));

    c->on_change = on_change;
    c->ctx = ctx;
    c->seed = seed;
    for (size_t i = 0; i < N_KINDS; i++) {
        map_init(&c->stores[i].objects, seed);
        map_init(&c->stores[i].owners, seed);
    }
    return c;
}

/* ---- buckets ---- */

static void leave(struct map *buckets, struct place *p, struct str key)
{
    if (!p->in)
        return;
    list_del(&p->link);
    if (list_empty(&p->in->entries)) {
        (void)map_del(buckets, key);
        mem_free(p->in);
    }
    p->in = NULL;
}

static void enter(struct map *buckets, struct place *p, struct str key)
{
    struct bucket *b = map_get(buckets, key);

    if (!b) {
        b = mem_alloc(sizeof(*b));
        list_init(&b->entries);
        (void)map_put(buckets, key, b);
    }
    list_add_tail(&b->entries, &p->link);
    p->in = b;
}

/* Moves an entry between buckets; a NULL key is in none. Equal keys keep its place. */
static void move(struct map *buckets, struct place *p, const char *from, const char *to)
{
    if (from && to && p->in && strcmp(from, to) == 0)
        return;
    leave(buckets, p, str_of(from));
    if (to)
        enter(buckets, p, str_of(to));
}

static const char *owner_key(const struct kobj *o)
{
    return o && *o->owner_uid ? o->owner_uid : NULL;
}

/* NULL: not in this index. *made is to be freed. */
static const char *index_key(const struct index *x, const struct kobj *o, char **made)
{
    const char *value = o ? o->values[x->field] : NULL;

    *made = NULL;
    if (!value || !x->with_ns)
        return value;
    *made = mem_printf("%s/%s", o->ns, value);
    return *made;
}

/* Lets all indexes know that the entry shows `now` in place of `old` (each may be NULL). */
static void reindex(struct store *s, struct entry *e, const struct kobj *old, const struct kobj *now)
{
    move(&s->owners, &e->places[0], owner_key(old), owner_key(now));
    for (size_t i = 0; i < s->n_indexes; i++) {
        AUTO_FREE char *made_from = NULL;
        AUTO_FREE char *made_to = NULL;
        const char *from = index_key(&s->indexes[i], old, &made_from);
        const char *to = index_key(&s->indexes[i], now, &made_to);

        move(&s->indexes[i].buckets, &e->places[1 + i], from, to);
    }
}

void cache_index(struct cache *c, const struct kind *k, const char *field, bool with_ns)
{
    struct store *s = &c->stores[k->id];
    size_t place = field_place(k, field);

    assert(map_size(&s->objects) == 0);
    for (size_t i = 0; i < s->n_indexes; i++)
        if (s->indexes[i].field == place) {
            assert(s->indexes[i].with_ns == with_ns);
            return;
        }
    s->indexes = mem_realloc(s->indexes, (s->n_indexes + 1) * sizeof(*s->indexes));
    s->indexes[s->n_indexes] = (struct index){.field = place, .with_ns = with_ns};
    map_init(&s->indexes[s->n_indexes++].buckets, c->seed);
}

/* ---- changes ---- */

static void tell(struct cache *c, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    if (c->on_change)
        c->on_change(c->ctx, k, old, now);
}

static void drop(struct cache *c, const struct kind *k, struct str key, struct entry *e)
{
    struct store *s = &c->stores[k->id];
    const struct kobj *old = e->o;

    reindex(s, e, old, NULL);
    (void)map_del(&s->objects, key);
    mem_free(e);
    tell(c, k, old, NULL);
    kobj_unref(old);
}

static void add(struct cache *c, struct str key, const struct kobj *o)
{
    struct store *s = &c->stores[o->kind->id];
    struct entry *e = mem_zalloc(sizeof(*e) + (1 + s->n_indexes) * sizeof(struct place));

    e->o = kobj_ref(o);
    e->seen = s->relist;
    if (s->complete)
        e->arrival = s->is_listing ? s->list_arrival : ++c->arrivals;
    (void)map_put(&s->objects, key, e);
    reindex(s, e, NULL, o);
    tell(c, o->kind, NULL, o);
}

void cache_put(struct cache *c, const struct kobj *o)
{
    struct store *s = &c->stores[o->kind->id];
    char text[KEY_MAX];
    struct str key = key_of(o->ns, o->name, text);
    struct entry *e;
    const struct kobj *old;

    if (!key.p)
        return;
    e = map_get(&s->objects, key);
    if (e && strcmp(e->o->uid, o->uid) != 0) {
        /* Deleted and made again while we did not look: two changes,
         * or who waits for the end of the old one waits on. */
        drop(c, o->kind, key, e);
        e = NULL;
    }
    if (!e) {
        add(c, key, o);
        return;
    }
    e->seen = s->relist;
    if (*o->rv && strcmp(e->o->rv, o->rv) == 0)
        return;
    old = e->o;
    e->o = kobj_ref(o);
    reindex(s, e, old, o);
    tell(c, o->kind, old, o);
    kobj_unref(old);
}

void cache_del(struct cache *c, const struct kind *k, const char *ns, const char *name)
{
    char text[KEY_MAX];
    struct str key = key_of(k->namespaced ? ns : NULL, name, text);
    struct entry *e = key.p ? map_get(&c->stores[k->id].objects, key) : NULL;

    if (e)
        drop(c, k, key, e);
}

void cache_relist_begin(struct cache *c, const struct kind *k)
{
    struct store *s = &c->stores[k->id];

    s->relist++;
    s->is_listing = true;
    s->list_arrival = ++c->arrivals;
}

void cache_relist_end(struct cache *c, const struct kind *k)
{
    struct store *s = &c->stores[k->id];
    struct str key;
    void *value;

    s->is_listing = false;
    for (size_t it = 0; map_next(&s->objects, &it, &key, &value);) {
        struct entry *e = value;
        char text[KEY_MAX];

        if (e->seen == s->relist)
            continue;
        memcpy(text, key.p, key.n); /* the map's own copy goes with the entry */
        drop(c, k, (struct str){text, key.n}, e);
    }
}

void cache_set_complete(struct cache *c, const struct kind *k)
{
    c->stores[k->id].complete = true;
}

bool cache_complete(const struct cache *c, const struct kind *k)
{
    return c->stores[k->id].complete;
}

/* ---- reading ---- */

static const struct entry *find(const struct cache *c, const struct kind *k, const char *ns, const char *name)
{
    char text[KEY_MAX];
    struct str key = key_of(k->namespaced ? ns : NULL, name, text);

    return key.p ? map_get(&c->stores[k->id].objects, key) : NULL;
}

const struct kobj *cache_find(const struct cache *c, const struct kind *k, const char *ns, const char *name)
{
    const struct entry *e = find(c, k, ns, name);

    return e ? e->o : NULL;
}

uint64_t cache_arrival(const struct cache *c, const struct kobj *o)
{
    const struct entry *e = find(c, o->kind, o->ns, o->name);

    return e ? e->arrival : 0;
}

size_t cache_count(const struct cache *c, const struct kind *k)
{
    return map_size(&c->stores[k->id].objects);
}

void cache_each(const struct cache *c, const struct kind *k, cache_each_fn *fn, void *ctx)
{
    void *value;

    for (size_t it = 0; map_next(&c->stores[k->id].objects, &it, NULL, &value);)
        if (!fn(ctx, ((const struct entry *)value)->o))
            return;
}

static void each_in(const struct map *buckets, const char *key, size_t place, cache_each_fn *fn, void *ctx)
{
    const struct bucket *b = map_get(buckets, str_of(key));

    if (!b)
        return;
    LIST_EACH (it, &b->entries) {
        const struct place *p = LIST_ENTRY(it, struct place, link);
        const struct entry *e = LIST_ENTRY(p - place, struct entry, places);

        if (!fn(ctx, e->o))
            return;
    }
}

void cache_each_owned(const struct cache *c, const struct kind *k, const char *owner_uid, cache_each_fn *fn, void *ctx)
{
    each_in(&c->stores[k->id].owners, owner_uid, 0, fn, ctx);
}

void cache_each_by(const struct cache *c, const struct kind *k, const char *field, const char *value,
                   cache_each_fn *fn, void *ctx)
{
    const struct store *s = &c->stores[k->id];
    size_t place = field_place(k, field);

    for (size_t i = 0; i < s->n_indexes; i++)
        if (s->indexes[i].field == place) {
            each_in(&s->indexes[i].buckets, value, 1 + i, fn, ctx);
            return;
        }
    assert(!"cache_index was called for this field");
}

/* ---- the end ---- */

static void free_buckets(struct map *buckets)
{
    void *value;

    for (size_t it = 0; map_next(buckets, &it, NULL, &value);)
        mem_free(value);
    map_done(buckets);
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    for (size_t k = 0; k < N_KINDS; k++) {
        struct store *s = &c->stores[k];
        void *value;

        for (size_t it = 0; map_next(&s->objects, &it, NULL, &value);) {
            kobj_unref(((struct entry *)value)->o);
            mem_free(value);
        }
        map_done(&s->objects);
        free_buckets(&s->owners);
        for (size_t i = 0; i < s->n_indexes; i++)
            free_buckets(&s->indexes[i].buckets);
        mem_free(s->indexes);
    }
    mem_free(c);
}
