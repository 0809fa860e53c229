/* mirror: see mirror.h. */
#include "mirror.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/cache.h"

static const struct {
    enum kind_id kind;
    bool ours_only; /* as operator.c watches them */
} kinds[] = {
    {KIND_NAMESPACE, false},      {KIND_REPOSITORY, false},     {KIND_BACKUPCONFIGURATION, false},
    {KIND_BACKUPSESSION, false},  {KIND_RESTORESESSION, false}, {KIND_TASK, false},
    {KIND_FUNCTION, false},       {KIND_APPBINDING, false},     {KIND_JOB, true},
    {KIND_POD, true},             {KIND_CRONJOB, true},         {KIND_PVC, true},
    {KIND_SERVICEACCOUNT, true},  {KIND_ROLEBINDING, true},
};
enum { N_SHOWN = sizeof(kinds) / sizeof(kinds[0]) };

void mirror_init(struct mirror *m)
{
    map_init(&m->objects, 1);
}

static void free_values(struct map *map)
{
    size_t it = 0;
    struct str key;
    void *value;

    while (map_next(map, &it, &key, &value))
        mem_free(value);
    map_done(map);
}

void mirror_done(struct mirror *m)
{
    free_values(&m->objects);
}

static bool is_watched(const json_t *object)
{
    const char *kind = json_text(object, "kind");

    for (size_t i = 0; i < N_SHOWN; i++)
        if (strcmp(kind_get(kinds[i].kind)->name, kind) == 0)
            return !kinds[i].ours_only ||
                   strcmp(json_meta(object, "labels", "app.kubernetes.io/managed-by"), "stash.appscode.com") == 0;
    return false;
}

static char *key_of(const char *kind, const char *ns, const char *name)
{
    return mem_printf("%s %s/%s", kind, ns ? ns : "", name);
}

void mirror_changed(struct mirror *m, const char *type, const json_t *object)
{
    AUTO_FREE char *key = key_of(json_text(object, "kind"), json_text(object, "metadata.namespace"),
                                 json_text(object, "metadata.name"));

    if (strcmp(type, "DELETED") == 0 || !is_watched(object))
        mem_free(map_del(&m->objects, str_of(key)));
    else
        mem_free(map_put(&m->objects, str_of(key), mem_strdup(json_text(object, "metadata.resourceVersion"))));
}

/* ---- a look ---- */

struct looking {
    const struct mirror *mirror;
    struct map *differ;
    struct map seen; /* keys that the cache has */
};

static void note(struct looking *l, const char *key, const char *what, const char *rv)
{
    AUTO_FREE char *text = mem_printf("%s %s %s", key, what, rv);

    map_put(l->differ, str_of(text), l);
}

static bool compare(void *ctx, const struct kobj *o)
{
    struct looking *l = ctx;
    AUTO_FREE char *key = key_of(o->kind->name, o->ns, o->name);
    const char *rv = map_get(&l->mirror->objects, str_of(key));

    map_put(&l->seen, str_of(key), l);
    if (!rv)
        note(l, key, "is gone, but shown with version", o->rv);
    else if (strcmp(rv, o->rv) != 0)
        note(l, key, "is not shown with version", rv);
    return true;
}

static void look(struct map *ret_differ, const struct mirror *m, const struct operator *op)
{
    struct looking l = {.mirror = m, .differ = ret_differ};
    struct str key;
    void *value;

    map_init(&l.seen, 1);
    map_init(ret_differ, 1);
    for (size_t i = 0; i < N_SHOWN; i++)
        cache_each(operator_cache(op), kind_get(kinds[i].kind), compare, &l);
    for (size_t it = 0; map_next(&m->objects, &it, &key, &value);) {
        AUTO_FREE char *text = map_get(&l.seen, key) ? NULL : mem_strndup(key.p, key.n);

        if (text)
            note(&l, text, "is not shown with version", value);
    }
    map_done(&l.seen);
}

void mirror_look_first(struct mirror_look *l, const struct mirror *m, const struct operator *op)
{
    look(&l->differ, m, op);
}

void mirror_look_again(struct mirror_look *l, const struct mirror *m, const struct operator *op, struct checker *c)
{
    struct map again;
    struct str key;
    void *unused;

    look(&again, m, op);
    for (size_t it = 0; map_next(&again, &it, &key, &unused);)
        if (map_get(&l->differ, key))
            checker_violation(c, "an operator's cache: %.*s", (int)key.n, key.p);
    map_done(&again);
    mirror_look_done(l);
}

void mirror_look_done(struct mirror_look *l)
{
    map_done(&l->differ);
}
