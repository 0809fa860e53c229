/*
 * gc: the garbage collector. A key is an object to look at, for one of three causes: an owner of it may be gone; it is
 * being deleted in the foreground and its dependents go first; it is being deleted and its dependents are to be
 * orphaned.
 *
 * Owners of an object are solid (there, and staying), waiting (being deleted in the foreground) or dangling (gone, or
 * in another namespace). An object goes when none is solid.
 */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/parts.h"

#define FOREGROUND "foregroundDeletion"
#define ORPHAN "orphan"

enum { RETRY_MS = 500 }; /* after a write that failed: a conflict, a refusal */

static void mark(void *ctx, const char *key)
{
    struct model_controllers *c = ctx;

    workqueue_add(&c->gc, key, 0);
}

static bool dependents_go_first(const json_t *object)
{
    return controllers_is_deleting(object) && controllers_has_finalizer(object, FOREGROUND);
}

void gc_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now)
{
    const json_t *any = now ? now : old;
    AUTO_FREE char *key = owners_key(r->table, json_text(any, "metadata.namespace"), json_text(any, "metadata.name"));
    const json_t *refs = json_at(any, "metadata.ownerReferences"), *ref;
    size_t i;

    if (now && (json_array_size(refs) > 0 || controllers_is_deleting(now)))
        mark(c, key);
    if (!now)
        owners_each(&c->owners, json_text(old, "metadata.uid"), mark, c);
    json_array_foreach (refs, i, ref) { /* an owner that waits for its dependents */
        struct table *t;
        struct stored *owner = store_find_uid(c->m->store, json_text(ref, "uid"), &t);

        if (owner && dependents_go_first(owner->json)) {
            AUTO_FREE char *owner_key = owners_key(t, owner->ns, owner->name);

            mark(c, owner_key);
        }
    }
}

/* ---- an object with owners ---- */

struct owner_count {
    size_t solid, waiting, dangling;
};

static struct stored *owner_of(struct model_controllers *c, const char *ns, const json_t *ref)
{
    struct table *t;
    struct stored *owner = store_find_uid(c->m->store, json_text(ref, "uid"), &t);

    return owner && (owner->ns[0] == '\0' || strcmp(owner->ns, ns) == 0) ? owner : NULL;
}

static struct owner_count count_owners(struct model_controllers *c, const struct stored *o)
{
    const json_t *refs = json_at(o->json, "metadata.ownerReferences"), *ref;
    struct owner_count n = {0};
    size_t i;

    json_array_foreach (refs, i, ref) {
        struct stored *owner = owner_of(c, o->ns, ref);

        if (!owner)
            n.dangling++;
        else if (dependents_go_first(owner->json))
            n.waiting++;
        else
            n.solid++;
    }
    return n;
}

static bool update(struct model_controllers *c, const struct resource *r, json_t *object_take)
{
    AUTO_FREE char *ns = mem_strdup(json_text(object_take, "metadata.namespace"));
    AUTO_FREE char *name = mem_strdup(json_text(object_take, "metadata.name"));
    int status = controllers_do(c, "PUT", r, ns, name, NULL, object_take, NULL);

    return status < 300 || status == 404;
}

/* With a solid owner left, the object only forgets the others. */
static bool drop_other_owners(struct model_controllers *c, const struct resource *r, const struct stored *o)
{
    json_t *copy = json_clone(o->json), *refs = json_at(copy, "metadata.ownerReferences");

    for (size_t i = json_array_size(refs); i-- > 0;) {
        struct stored *owner = owner_of(c, o->ns, json_array_get(refs, i));

        if (!owner || dependents_go_first(owner->json))
            json_array_remove(refs, i);
    }
    return update(c, r, copy);
}

static const char *propagation_of(const struct owner_count *n, const json_t *object, bool has_dependents)
{
    if (controllers_has_finalizer(object, ORPHAN))
        return "Orphan";
    if (controllers_has_finalizer(object, FOREGROUND) || (n->waiting > 0 && has_dependents))
        return "Foreground";
    return "Background";
}

static bool collect(struct model_controllers *c, const struct resource *r, const struct stored *o)
{
    struct owner_count n = count_owners(c, o);
    int status;

    if (n.waiting + n.dangling == 0 || controllers_is_deleting(o->json))
        return true;
    if (n.solid > 0)
        return drop_other_owners(c, r, o);
    status = controllers_delete(c, r, o, propagation_of(&n, o->json, owners_any(&c->owners, o->uid)));
    return status < 300 || status == 404 || status == 409;
}

/* ---- an object that others depend on ---- */

struct keys {
    char **items;
    size_t n;
};

static void keys_add(void *ctx, const char *key)
{
    struct keys *k = ctx;

    k->items = mem_realloc(k->items, (k->n + 1) * sizeof(*k->items));
    k->items[k->n++] = mem_strdup(key);
}

static void keys_free(struct keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        mem_free(k->items[i]);
    mem_free(k->items);
}

static const json_t *reference_to(const json_t *dependent, const char *uid)
{
    const json_t *refs = json_at(dependent, "metadata.ownerReferences"), *ref;
    size_t i;

    json_array_foreach (refs, i, ref)
        if (strcmp(json_text(ref, "uid"), uid) == 0)
            return ref;
    return NULL;
}

/* Marks all dependents; tells whether one of them holds its owner up. */
static bool dependents_block(struct model_controllers *c, const struct stored *o)
{
    struct keys keys = {0};
    bool block = false;

    owners_each(&c->owners, o->uid, keys_add, &keys);
    for (size_t i = 0; i < keys.n; i++) {
        struct table *t;
        struct stored *dependent = owners_find(c->m->store, keys.items[i], &t);

        mark(c, keys.items[i]);
        if (dependent && json_flag(reference_to(dependent->json, o->uid), "blockOwnerDeletion", false))
            block = true;
    }
    keys_free(&keys);
    return block;
}

static bool orphan_one(struct model_controllers *c, const char *key, const char *uid)
{
    struct table *t;
    struct stored *dependent = owners_find(c->m->store, key, &t);
    const struct resource *r = dependent ? resource_of_table(c->m->resources, t) : NULL;
    json_t *copy, *refs;

    if (!r)
        return true;
    copy = json_clone(dependent->json);
    refs = json_at(copy, "metadata.ownerReferences");
    for (size_t i = json_array_size(refs); i-- > 0;)
        if (strcmp(json_text(json_array_get(refs, i), "uid"), uid) == 0)
            json_array_remove(refs, i);
    return update(c, r, copy);
}

static bool orphan_all(struct model_controllers *c, const char *uid)
{
    struct keys keys = {0};
    bool done = true;

    owners_each(&c->owners, uid, keys_add, &keys);
    for (size_t i = 0; i < keys.n; i++)
        done = orphan_one(c, keys.items[i], uid) && done;
    keys_free(&keys);
    return done;
}

static bool finish_deletion(struct model_controllers *c, const struct resource *r, struct stored *o)
{
    bool done = true;

    if (controllers_has_finalizer(o->json, ORPHAN))
        done = orphan_all(c, o->uid) && update(c, r, controllers_without_finalizer(o->json, ORPHAN));
    else if (controllers_has_finalizer(o->json, FOREGROUND) && !dependents_block(c, o))
        done = update(c, r, controllers_without_finalizer(o->json, FOREGROUND));
    return done;
}

void gc_run(void *ctx, const char *key)
{
    struct model_controllers *c = ctx;
    struct table *t = NULL;
    struct stored *o = owners_find(c->m->store, key, &t);
    const struct resource *r = o ? resource_of_table(c->m->resources, t) : NULL;
    bool done;

    if (!r)
        return;
    stored_ref(o); /* our own writes replace it */
    done = controllers_is_deleting(o->json) ? finish_deletion(c, r, o) : collect(c, r, o);
    stored_unref(o);
    if (!done)
        workqueue_add(&c->gc, key, RETRY_MS);
}
