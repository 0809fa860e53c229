/* owners: see owners.h. */
#include "k8s/model/owners.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"

struct dependents {
    struct map keys; /* to the dependents itself: only the keys count */
};

void owners_init(struct owners *o, uint64_t seed)
{
    o->seed = seed;
    map_init(&o->by_uid, seed);
}

static void dependents_free(struct dependents *d)
{
    map_done(&d->keys);
    mem_free(d);
}

void owners_done(struct owners *o)
{
    struct str uid;
    void *d;

    for (size_t it = 0; map_next(&o->by_uid, &it, &uid, &d);)
        dependents_free(d);
    map_done(&o->by_uid);
}

char *owners_key(const struct table *t, const char *ns, const char *name)
{
    return mem_printf("%s %s %s", table_name(t), ns, name);
}

struct stored *owners_find(struct store *s, const char *key, struct table **ret_table)
{
    struct str rest = str_of(key), table, ns, name;
    char names[3][512];

    if (!str_cut(&rest, ' ', &table) || !str_cut(&rest, ' ', &ns) || !str_cut(&rest, ' ', &name))
        return NULL;
    (void)snprintf(names[0], sizeof(names[0]), "%.*s", (int)table.n, table.p);
    (void)snprintf(names[1], sizeof(names[1]), "%.*s", (int)ns.n, ns.p);
    (void)snprintf(names[2], sizeof(names[2]), "%.*s", (int)name.n, name.p);
    *ret_table = store_table(s, names[0]);
    return store_get(*ret_table, names[1], names[2]);
}

static void forget(struct owners *o, const char *uid, const char *key)
{
    struct dependents *d = map_get(&o->by_uid, str_of(uid));

    if (!d)
        return;
    map_del(&d->keys, str_of(key));
    if (map_size(&d->keys) > 0)
        return;
    map_del(&o->by_uid, str_of(uid));
    dependents_free(d);
}

static void remember(struct owners *o, const char *uid, const char *key)
{
    struct dependents *d = map_get(&o->by_uid, str_of(uid));

    if (!d) {
        d = mem_zalloc(sizeof(*d));
        map_init(&d->keys, o->seed);
        map_put(&o->by_uid, str_of(uid), d);
    }
    map_put(&d->keys, str_of(key), d);
}

void owners_changed(struct owners *o, const struct table *t, const json_t *old, const json_t *now)
{
    json_t *before = json_at(old, "metadata.ownerReferences"), *after = json_at(now, "metadata.ownerReferences"), *ref;
    const json_t *any = now ? now : old;
    char *key;
    size_t i;

    if (before == after || (before && after && json_equal(before, after)))
        return;
    key = owners_key(t, json_text(any, "metadata.namespace"), json_text(any, "metadata.name"));
    json_array_foreach (before, i, ref)
        forget(o, json_text(ref, "uid"), key);
    json_array_foreach (after, i, ref)
        remember(o, json_text(ref, "uid"), key);
    mem_free(key);
}

void owners_each(const struct owners *o, const char *uid, void (*fn)(void *ctx, const char *key), void *ctx)
{
    struct dependents *d = map_get(&o->by_uid, str_of(uid));
    struct str key;
    void *ignored;

    if (!d)
        return;
    for (size_t it = 0; map_next(&d->keys, &it, &key, &ignored);) {
        char *text = mem_strndup(key.p, key.n);

        fn(ctx, text);
        mem_free(text);
    }
}

bool owners_any(const struct owners *o, const char *uid)
{
    return map_get(&o->by_uid, str_of(uid)) != NULL;
}
