/*
 * schema_fill: what a schema changes in an object: unknown fields go, defaults come.
 *
 * Known are the specified fields, any field of an object with additionalProperties or with preserve-unknown-fields, and
 * apiVersion, kind and metadata of a resource (the root, or an embedded one).
 */
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/model/schema_node.h"

static const char *const metadata_fields[] = {
    "name",       "generateName",      "namespace",         "labels",     "annotations",   "finalizers",
    "generation", "ownerReferences",   "creationTimestamp", "uid",        "managedFields", "resourceVersion",
    "selfLink",   "deletionTimestamp", "deletionGracePeriodSeconds",
};

struct walk {
    json_t *dropped; /* their paths; NULL: not wanted */
};

static void drop(json_t *object, const char *name, const struct place *at, const struct walk *w)
{
    struct buf path;

    if (w->dropped) {
        buf_init(&path, LIMIT_STRING);
        cause_place(at, &path);
        json_array_append_new(w->dropped, json_string(path.data));
        buf_done(&path);
    }
    json_object_del(object, name);
}

static bool is_metadata_field(const char *name)
{
    for (size_t i = 0; i < sizeof(metadata_fields) / sizeof(metadata_fields[0]); i++)
        if (strcmp(name, metadata_fields[i]) == 0)
            return true;
    return false;
}

static void walk_metadata(json_t *metadata, const struct place *at, const struct walk *w)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe (metadata, next, name, value) {
        struct place below = {.up = at, .name = name};

        if (!is_metadata_field(name))
            drop(metadata, name, &below, w);
    }
}

static bool is_resource_field(const char *name)
{
    return strcmp(name, "apiVersion") == 0 || strcmp(name, "kind") == 0 || strcmp(name, "metadata") == 0;
}

static void walk_value(const struct schema *s, json_t *value, bool resource, const struct place *at,
                       const struct walk *w);

static void walk_object(const struct schema *s, json_t *object, bool resource, const struct place *at,
                        const struct walk *w)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe (object, next, name, value) {
        struct place below = {.up = at, .name = name};
        const struct schema *child = map_get(&s->properties, str_of(name));

        if (resource && is_resource_field(name)) {
            if (strcmp(name, "metadata") == 0)
                walk_metadata(value, &below, w);
            continue;
        }
        child = child ? child : s->additional;
        if (child)
            walk_value(child, value, child->embedded, &below, w);
        else if (!s->preserve)
            drop(object, name, &below, w);
    }
}

static void walk_value(const struct schema *s, json_t *value, bool resource, const struct place *at,
                       const struct walk *w)
{
    json_t *item;
    size_t i;

    if (json_is_object(value)) {
        walk_object(s, value, resource, at, w);
    } else if (json_is_array(value) && s->items) {
        json_array_foreach (value, i, item) {
            struct place below = {.up = at, .index = (ssize_t)i};

            walk_value(s->items, item, s->items->embedded, &below, w);
        }
    }
}

void schema_prune(const struct schema *s, json_t *object, json_t *ret_dropped)
{
    struct place root = {0};
    struct walk w = {.dropped = ret_dropped};

    walk_value(s, object, true, &root, &w);
}

static bool is_refused_null(const struct schema *s, const json_t *value)
{
    return json_is_null(value) && !s->nullable;
}

static void default_value(const struct schema *s, json_t *value);

/* A null that may not be is as good as absent. */
static void default_missing(const struct schema *s, json_t *object)
{
    struct str name;
    void *found;

    for (size_t it = 0; map_next(&s->properties, &it, &name, &found);) {
        const struct schema *child = found;
        json_t *value = json_object_getn(object, name.p, name.n);

        if (value && !is_refused_null(child, value))
            continue;
        if (child->fallback)
            json_object_setn_new(object, name.p, name.n, json_clone(child->fallback));
        else if (value)
            json_object_deln(object, name.p, name.n);
    }
}

static void default_object(const struct schema *s, json_t *object)
{
    const char *name;
    json_t *value;
    void *next;

    default_missing(s, object);
    json_object_foreach_safe (object, next, name, value) {
        const struct schema *child = map_get(&s->properties, str_of(name));

        child = child ? child : s->additional;
        if (!child)
            continue;
        if (is_refused_null(child, value) && !child->preserve) {
            if (!child->fallback) {
                json_object_del(object, name); /* name and value are gone with it */
                continue;
            }
            value = json_clone(child->fallback);
            json_object_set_new(object, name, value);
        }
        default_value(child, value);
    }
}

static void default_value(const struct schema *s, json_t *value)
{
    json_t *item;
    size_t i;

    if (json_is_object(value)) {
        default_object(s, value);
    } else if (json_is_array(value) && s->items) {
        json_array_foreach (value, i, item) {
            if (is_refused_null(s->items, item) && s->items->fallback) {
                json_array_set_new(value, i, json_clone(s->items->fallback));
                item = json_array_get(value, i);
            }
            default_value(s->items, item);
        }
    }
}

void schema_default(const struct schema *s, json_t *object)
{
    default_value(s, object);
}
