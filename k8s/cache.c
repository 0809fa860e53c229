/*
 * cache: see cache.h. One store a kind: a map by "<ns>\0<name>", whose keys lie in the records, and for each index a
 * table of chains by the hash of a value. An entry stands in its chains by links of its own, so that a change costs no
 * search, and an index no memory for values: they are compared in the records.
 */
#include "k8s/cache.h"

#include <assert.h>

#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

enum { KEY_MAX = 512 }; /* a namespace has at most 63 bytes, a name 253 */
enum { CHAIN = 4 };     /* entries a chain, when no two have one value */
enum { BY_OWNER = -1 };              /* in place of a field */
enum { NO_NS = -1, OWN_NS = -2 };    /* in place of a field that has the namespace */

struct entry {
    const struct kobj *o;
    uint64_t seen : 24, arrival : 40; /* the relist in which it was last put; cache_arrival */
    struct list places[]; /* in a chain of each index, or in none */
};

struct index {
    int field; /* place in kind->fields, or BY_OWNER */
    int ns;    /* idem, the object's own where it is empty; or NO_NS, OWN_NS */
    struct list *chains;
    size_t n_chains; /* a power of two; 0: nothing was ever in it */
    size_t n;
};

struct store {
    struct map objects;
    struct index *indexes;
    size_t n_indexes;
    uint32_t relist : 24;
    uint64_t list_arrival; /* of what the list that comes brings */
    bool complete, is_listing;
};

struct cache {
    cache_fn *on_change;
    void *ctx;
    uint64_t seed, arrivals;
    struct shared_pool *pool;
    struct store stores[N_KINDS];
};

/* As kobj_key makes it; a view of out, or STR_NONE when it does not fit: no object of Kubernetes has such a name. */
static struct str key_of(const char *ns, const char *name, char out[KEY_MAX])
{
    size_t n_ns = ns ? strlen(ns) : 0, n_name = strlen(name);

    if (n_ns + 1 + n_name >= KEY_MAX)
        return STR_NONE;
    if (n_ns)
        memcpy(out, ns, n_ns);
    out[n_ns] = 0;
    memcpy(out + n_ns + 1, name, n_name);
    return (struct str){out, n_ns + 1 + n_name};
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
    c->pool = shared_pool_new(seed);
    for (size_t i = 0; i < N_KINDS; i++)
        map_init_borrowing(&c->stores[i].objects, seed);
    return c;
}

struct shared_pool *cache_pool(const struct cache *c)
{
    return c->pool;
}

/* ---- indexes ---- */

/* The value by which an object stands in an index; NULL: it does not. */
static const char *index_value(const struct index *x, const struct kobj *o)
{
    if (x->field == BY_OWNER)
        return *o->owner_uid ? o->owner_uid : NULL;
    return kobj_value(o, (size_t)x->field);
}

static struct list *chain_of(const struct cache *c, const struct index *x, struct str ns, const char *value)
{
    return &x->chains[str_hash(str_hash(c->seed, ns), str_of(value)) & (x->n_chains - 1)];
}

static struct str index_ns(const struct index *x, const struct kobj *o)
{
    struct str ns = x->ns >= 0 ? str_of(kobj_value(o, (size_t)x->ns)) : STR_NONE;

    return x->ns == NO_NS || ns.n ? ns : str_of(o->ns);
}

static struct entry *entry_of(struct list *place, size_t i)
{
    return LIST_ENTRY(place - i, struct entry, places);
}

/* Those of one value keep their order: they come out of one chain and go into one. */
static void grow(const struct cache *c, struct index *x, size_t i)
{
    struct index old = *x;

    x->n_chains = old.n_chains ? old.n_chains * 4 : 16;
    x->chains = mem_alloc(x->n_chains * sizeof(*x->chains));
    for (size_t k = 0; k < x->n_chains; k++)
        list_init(&x->chains[k]);
    for (size_t k = 0; k < old.n_chains; k++) {
        for (struct list *place; (place = list_pop(&old.chains[k]));) {
            const struct kobj *o = entry_of(place, i)->o;

            list_add_tail(chain_of(c, x, index_ns(x, o), index_value(x, o)), place);
        }
    }
    mem_free(old.chains);
}

static void leave(struct index *x, struct list *place)
{
    x->n -= !list_empty(place);
    list_del(place);
}

static void enter(const struct cache *c, struct index *x, size_t i, struct list *place, const struct kobj *o)
{
    if (x->n >= x->n_chains * CHAIN)
        grow(c, x, i);
    list_add_tail(chain_of(c, x, index_ns(x, o), index_value(x, o)), place);
    x->n++;
}

/* Lets all indexes know that the entry shows `now` in place of `old` (each may be NULL). Who keeps his value keeps his
 * place. */
static void reindex(const struct cache *c, struct store *s, struct entry *e, const struct kobj *old,
                    const struct kobj *now)
{
    for (size_t i = 0; i < s->n_indexes; i++) {
        struct index *x = &s->indexes[i];
        const char *from = old ? index_value(x, old) : NULL, *to = now ? index_value(x, now) : NULL;

        if (from && to && strcmp(from, to) == 0 && str_eq(index_ns(x, old), index_ns(x, now)))
            continue;
        leave(x, &e->places[i]);
        if (to)
            enter(c, x, i, &e->places[i], now);
    }
}

static void add_index(struct store *s, int field, int ns)
{
    assert(map_size(&s->objects) == 0);
    for (size_t i = 0; i < s->n_indexes; i++)
        if (s->indexes[i].field == field) {
            assert(s->indexes[i].ns == ns);
            return;
        }
    s->indexes = mem_realloc(s->indexes, (s->n_indexes + 1) * sizeof(*s->indexes));
    s->indexes[s->n_indexes++] = (struct index){.field = field, .ns = ns};
}

void cache_index(struct cache *c, const struct kind *k, const char *field, bool with_ns)
{
    add_index(&c->stores[k->id], (int)field_place(k, field), with_ns ? OWN_NS : NO_NS);
}

void cache_index_ref(struct cache *c, const struct kind *k, const char *field, const char *ns_field)
{
    add_index(&c->stores[k->id], (int)field_place(k, field), (int)field_place(k, ns_field));
}

void cache_index_owners(struct cache *c, const struct kind *k)
{
    add_index(&c->stores[k->id], BY_OWNER, NO_NS);
}

/* ---- changes ---- */

static void tell(struct cache *c, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    if (c->on_change)
        c->on_change(c->ctx, k, old, now);
}

static void drop(struct cache *c, const struct kind *k, struct entry *e)
{
    struct store *s = &c->stores[k->id];
    const struct kobj *old = e->o;

    reindex(c, s, e, old, NULL);
    (void)map_del(&s->objects, kobj_key(old));
    mem_free(e);
    tell(c, k, old, NULL);
    kobj_unref(old);
}

static void add(struct cache *c, const struct kobj *o)
{
    struct store *s = &c->stores[o->kind->id];
    struct entry *e = mem_alloc(sizeof(*e) + s->n_indexes * sizeof(e->places[0]));

    e->o = kobj_ref(o);
    e->seen = s->relist;
    e->arrival = !s->complete ? 0 : s->is_listing ? s->list_arrival : ++c->arrivals;
    for (size_t i = 0; i < s->n_indexes; i++)
        list_init(&e->places[i]);
    (void)map_put(&s->objects, kobj_key(o), e);
    reindex(c, s, e, NULL, o);
    tell(c, o->kind, NULL, o);
}

void cache_put(struct cache *c, const struct kobj *o)
{
    struct store *s = &c->stores[o->kind->id];
    struct str key = kobj_key(o);
    const struct kobj *old;
    struct entry *e;

    if (key.n >= KEY_MAX)
        return;
    e = map_get(&s->objects, key);
    if (e && strcmp(e->o->uid, o->uid) != 0) {
        /* Deleted and made again while we did not look: two changes,
         * or who waits for the end of the old one waits on. */
        drop(c, o->kind, e);
        e = NULL;
    }
    if (!e) {
        add(c, o);
        return;
    }
    e->seen = s->relist;
    if (*o->rv && strcmp(e->o->rv, o->rv) == 0)
        return;
    old = e->o;
    e->o = kobj_ref(o);
    (void)map_put(&s->objects, key, e); /* the key lies in the new record now */
    reindex(c, s, e, old, o);
    tell(c, o->kind, old, o);
    kobj_unref(old);
}

void cache_del(struct cache *c, const struct kind *k, const char *ns, const char *name)
{
    char text[KEY_MAX];
    struct str key = key_of(k->namespaced ? ns : NULL, name, text);
    struct entry *e = key.p ? map_get(&c->stores[k->id].objects, key) : NULL;

    if (e)
        drop(c, k, e);
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
    void *value;

    s->is_listing = false;
    for (size_t it = 0; map_next(&s->objects, &it, NULL, &value);)
        if (((struct entry *)value)->seen != s->relist)
            drop(c, k, value);
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

static const struct index *index_of(const struct cache *c, const struct kind *k, int field)
{
    const struct store *s = &c->stores[k->id];
    size_t i = 0;

    while (i < s->n_indexes && s->indexes[i].field != field)
        i++;
    assert(i < s->n_indexes); /* it was asked for before the first object came */
    return &s->indexes[i];
}

static void each_in(const struct cache *c, const struct kind *k, const struct index *x, struct str ns,
                    const char *value, cache_each_fn *fn, void *ctx)
{
    const struct list *chain = x->n_chains ? chain_of(c, x, ns, value) : NULL;

    if (!chain)
        return;
    LIST_EACH (place, chain) {
        const struct kobj *o = entry_of(place, (size_t)(x - c->stores[k->id].indexes))->o;

        if (strcmp(index_value(x, o), value) == 0 && str_eq(index_ns(x, o), ns) && !fn(ctx, o))
            return;
    }
}

void cache_each_owned(const struct cache *c, const struct kind *k, const char *owner_uid, cache_each_fn *fn, void *ctx)
{
    each_in(c, k, index_of(c, k, BY_OWNER), STR_NONE, owner_uid, fn, ctx);
}

static bool note_found(void *ctx, const struct kobj *o)
{
    (void)o;
    *(bool *)ctx = true;
    return false;
}

bool cache_has_owned(const struct cache *c, const struct kind *k, const char *owner_uid)
{
    bool found = false;

    cache_each_owned(c, k, owner_uid, note_found, &found);
    return found;
}

void cache_each_by(const struct cache *c, const struct kind *k, const char *field, const char *value,
                   cache_each_fn *fn, void *ctx)
{
    const struct index *x = index_of(c, k, (int)field_place(k, field));
    const char *slash = x->ns == OWN_NS ? strchr(value, '/') : NULL;

    if (slash)
        each_in(c, k, x, (struct str){value, (size_t)(slash - value)}, slash + 1, fn, ctx);
    else if (x->ns == NO_NS)
        each_in(c, k, x, STR_NONE, value, fn, ctx);
}

void cache_each_ref(const struct cache *c, const struct kind *k, const char *field, const char *ns, const char *name,
                    cache_each_fn *fn, void *ctx)
{
    const struct index *x = index_of(c, k, (int)field_place(k, field));

    assert(x->ns >= 0);
    each_in(c, k, x, str_of(ns), name, fn, ctx);
}

/* ---- the end ---- */

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
        for (size_t i = 0; i < s->n_indexes; i++)
            mem_free(s->indexes[i].chains);
        mem_free(s->indexes);
    }
    shared_pool_drop(c->pool);
    mem_free(c);
}
