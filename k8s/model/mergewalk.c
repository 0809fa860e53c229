/*
 * mergewalk: see mergewalk.h. Three walks over objects (what is in one, how two differ, two laid over each other) and
 * one that takes paths away.
 *
 * Live objects may have a key twice in a list (older clients wrote it): the first counts, the others are carried along.
 */
#include "k8s/model/mergewalk.h"

#include "core/base/json.h"
#include "core/base/mem.h"

/* ---- lists by path element ---- */

/* Element to item; the first of several, and none that has no element. */
static json_t *index_items(const struct merge_type *t, const json_t *list)
{
    json_t *index = json_object(), *item;
    size_t i;

    json_array_foreach (list, i, item) {
        AUTO_FREE char *element = merge_type_element(t, item);

        if (element && !json_object_get(index, element))
            json_object_set(index, element, item);
    }
    return index;
}

/* ---- what is in an object ---- */

struct reading {
    json_t *set;
    struct error *e; /* NULL: a list's items may be there twice */
    bool failed;
};

static void fields_of(const struct merge_type *t, const json_t *value, const struct fieldpath *at, struct reading *r);

static void fields_of_object(const struct merge_type *t, const json_t *object, const struct fieldpath *at,
                             struct reading *r)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        struct merge_type child = merge_type_field(t, key);
        AUTO_FREE char *element = mem_printf("f:%s", key);
        struct fieldpath here = {at, element};

        fields_of(&child, value, &here, r);
        /* The user's own keys are there by being named; of a struct's fields only those that hold nothing. */
        if (t->how != MERGE_STRUCT || json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0))
            fieldset_insert(r->set, &here);
    }
}

static void fail(struct reading *r, const struct fieldpath *at, const char *what, const struct fieldpath *item)
{
    struct buf place, which;

    if (!r->e || r->failed)
        return;
    buf_init(&place, 64 * 1024);
    buf_init(&which, 64 * 1024);
    fieldpath_print(at, &place);
    fieldpath_print(item, &which);
    (void)error_set(r->e, ERR_INVALID, "%s: %s%s", place.len ? place.data : "", what, which.len ? which.data : "");
    r->failed = true;
    buf_done(&place);
    buf_done(&which);
}

static void fields_of_list(const struct merge_type *t, const json_t *list, const struct fieldpath *at,
                           struct reading *r)
{
    struct merge_type child = merge_type_item(t);
    json_t *seen = json_object(), *item;
    size_t i;

    json_array_foreach (list, i, item) {
        AUTO_FREE char *element = merge_type_element(t, item);
        struct fieldpath here = {at, element}, alone = {NULL, element};

        if (!element) {
            fail(r, at, "an item of the list has none of its keys", NULL);
        } else if (json_object_get(seen, element)) {
            fail(r, at, "duplicate entries for key ", &alone);
        } else {
            json_object_set(seen, element, item);
            fields_of(&child, item, &here, r);
            fieldset_insert(r->set, &here);
        }
    }
    json_decref(seen);
}

static void fields_of(const struct merge_type *t, const json_t *value, const struct fieldpath *at, struct reading *r)
{
    switch (merge_type_how(t, value)) {
    case MERGE_STRUCT:
    case MERGE_MAP:
        fields_of_object(t, value, at, r);
        break;
    case MERGE_SET:
    case MERGE_KEYED:
        fields_of_list(t, value, at, r);
        break;
    case MERGE_LEAF:
    case MERGE_ANY:
        fieldset_insert(r->set, at);
        break;
    }
}

json_t *mergewalk_fields(const struct merge_type *t, const json_t *object, struct error *e)
{
    struct reading r = {.set = json_object(), .e = e};

    fields_of(t, object, NULL, &r);
    if (!r.failed)
        return r.set;
    json_decref(r.set);
    return NULL;
}

/* ---- how two differ ---- */

static void diff(const struct merge_type *t, const json_t *a, const json_t *b, const struct fieldpath *at,
                 struct merge_diff *d);

static bool is_list(const struct merge_type *t)
{
    return t->how == MERGE_KEYED || t->how == MERGE_SET;
}

static void diff_objects(const struct merge_type *t, const json_t *a, const json_t *b, const struct fieldpath *at,
                         struct merge_diff *d)
{
    const char *key;
    json_t *value;

    for (int side = 0; side < 2; side++) {
        const json_t *from = side ? b : a;

        json_object_foreach ((json_t *)(uintptr_t)from, key, value) {
            const json_t *other = json_object_get(side ? a : b, key);
            struct merge_type child = merge_type_field(t, key);
            AUTO_FREE char *element = NULL;

            if (other == value || (side && other))
                continue;
            element = mem_printf("f:%s", key);
            if (!other && (side ? a : b) && child.is_always_there)
                other = is_list(&child) ? d->no_list : d->no_object;
            diff(&child, side ? other : value, side ? value : other, &(struct fieldpath){at, element}, d);
        }
    }
}

static void diff_lists(const struct merge_type *t, const json_t *a, const json_t *b, const struct fieldpath *at,
                       struct merge_diff *d)
{
    struct merge_type child = merge_type_item(t);
    json_t *left = index_items(t, a), *right = index_items(t, b), *item;
    const char *element;

    json_object_foreach (left, element, item)
        diff(&child, item, json_object_get(right, element), &(struct fieldpath){at, element}, d);
    json_object_foreach (right, element, item)
        if (!json_object_get(left, element))
            diff(&child, NULL, item, &(struct fieldpath){at, element}, d);
    json_decref(left);
    json_decref(right);
}

static bool is_empty(const json_t *value)
{
    return !value || (json_object_size(value) == 0 && json_array_size(value) == 0);
}

/* Of a value that is only on one side all paths are listed, the containers among them. */
static void diff(const struct merge_type *t, const json_t *a, const json_t *b, const struct fieldpath *at,
                 struct merge_diff *d)
{
    enum merge_how how = merge_type_how(t, b ? b : a);

    if (a && b && json_equal(a, b))
        return;
    if (a && b && merge_type_how(t, a) != how)
        how = MERGE_LEAF;
    if (is_empty(a) && is_empty(b))
        how = MERGE_LEAF;
    if (how == MERGE_STRUCT || how == MERGE_MAP)
        diff_objects(t, a, b, at, d);
    else if (how == MERGE_SET || how == MERGE_KEYED)
        diff_lists(t, a, b, at, d);
    else if (a && b)
        fieldset_insert(d->modified, at);
    if (!a)
        fieldset_insert(d->added, at);
    else if (!b)
        fieldset_insert(d->removed, at);
}

struct merge_diff mergewalk_diff(const struct merge_type *t, const json_t *a, const json_t *b)
{
    struct merge_diff d = {.added = json_object(),
                           .modified = json_object(),
                           .removed = json_object(),
                           .no_object = json_object(),
                           .no_list = json_array()};

    diff(t, a, b, NULL, &d);
    return d;
}

void mergewalk_diff_done(struct merge_diff *d)
{
    json_decref(d->added);
    json_decref(d->modified);
    json_decref(d->removed);
    json_decref(d->no_object);
    json_decref(d->no_list);
}

/* ---- two laid over each other ---- */

static json_t *merge(const struct merge_type *t, const json_t *live, const json_t *config);

static json_t *merge_objects(const struct merge_type *t, const json_t *live, const json_t *config)
{
    json_t *out = live ? json_copy((json_t *)(uintptr_t)live) : json_object(), *value;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)config, key, value) {
        struct merge_type child = merge_type_field(t, key);

        json_object_set_new(out, key, merge(&child, json_object_get(live, key), value));
    }
    return out;
}

/*
 * Takes from the live list up to the item `element`, or to `shared`, the next item that both lists have in the order of
 * the configuration. What only the live list has keeps its place; shared items that stand elsewhere are passed over.
 */
static void take_live(const struct merge_type *t, const json_t *live, size_t *at, const json_t *wanted,
                      const char *shared, const char *element, json_t *out)
{
    for (; *at < json_array_size(live); (*at)++) {
        AUTO_FREE char *next = merge_type_element(t, json_array_get(live, *at));

        if (!next || !json_object_get(wanted, next)) {
            json_array_append(out, json_array_get(live, *at));
        } else if (shared && strcmp(next, shared) == 0) {
            *at += str_same(next, element);
            return;
        }
    }
}

static json_t *merge_lists(const struct merge_type *t, const json_t *live, const json_t *config)
{
    json_t *wanted = index_items(t, config), *there = index_items(t, live), *out = json_array(), *value;
    struct merge_type item = merge_type_item(t);
    void *shared = json_object_iter(wanted);
    const char *element;
    size_t at = 0;

    json_object_foreach (wanted, element, value) {
        while (shared && !json_object_get(there, json_object_iter_key(shared)))
            shared = json_object_iter_next(wanted, shared);
        take_live(t, live, &at, wanted, shared ? json_object_iter_key(shared) : NULL, element, out);
        json_array_append_new(out, merge(&item, json_object_get(there, element), value));
        if (shared && strcmp(json_object_iter_key(shared), element) == 0)
            shared = json_object_iter_next(wanted, shared);
    }
    take_live(t, live, &at, wanted, NULL, NULL, out);
    json_decref(wanted);
    json_decref(there);
    return out;
}

static json_t *merge(const struct merge_type *t, const json_t *live, const json_t *config)
{
    enum merge_how how = merge_type_how(t, config);

    if (live && merge_type_how(t, live) != how)
        live = NULL;
    if (how == MERGE_STRUCT || how == MERGE_MAP)
        return merge_objects(t, live, config);
    if (how == MERGE_SET || how == MERGE_KEYED)
        return merge_lists(t, live, config);
    return json_incref((json_t *)(uintptr_t)config);
}

json_t *mergewalk_merge(const struct merge_type *t, const json_t *live, const json_t *config)
{
    return merge(t, live, config);
}

/* ---- paths away ---- */

static json_t *without(const struct merge_type *t, const json_t *value, const json_t *set);

/* A part that stays; without what is below it in the set. NULL: nothing was left of it. */
static json_t *part_without(const struct merge_type *t, json_t *value, const json_t *node)
{
    return node ? without(t, value, node) : json_incref(value);
}

static json_t *object_without(const struct merge_type *t, const json_t *object, const json_t *set)
{
    json_t *out = json_object(), *value;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        AUTO_FREE char *element = mem_printf("f:%s", key);
        const json_t *node = json_object_get(set, element);
        struct merge_type child = merge_type_field(t, key);
        json_t *left = fieldset_has(node) ? NULL : part_without(&child, value, node);

        if (left)
            json_object_set_new(out, key, left);
    }
    return out;
}

static json_t *list_without(const struct merge_type *t, const json_t *list, const json_t *set)
{
    struct merge_type child = merge_type_item(t);
    json_t *out = json_array(), *item;
    size_t i;

    json_array_foreach (list, i, item) {
        AUTO_FREE char *element = merge_type_element(t, item);
        const json_t *node = element ? json_object_get(set, element) : NULL;
        json_t *left = fieldset_has(node) ? NULL : part_without(&child, item, node);

        if (left)
            json_array_append_new(out, left);
    }
    return out;
}

static json_t *without(const struct merge_type *t, const json_t *value, const json_t *set)
{
    enum merge_how how = merge_type_how(t, value);
    json_t *out = NULL;

    if (how == MERGE_STRUCT || how == MERGE_MAP)
        out = object_without(t, value, set);
    else if (how == MERGE_SET || how == MERGE_KEYED)
        out = list_without(t, value, set);
    else
        return json_incref((json_t *)(uintptr_t)value);
    if (is_empty(out) && !is_empty(value)) {
        json_decref(out);
        return NULL;
    }
    return out;
}

/* A struct's field belongs to who owns something below it; so it goes, and stays, with that. */
static json_t *with_fields(const struct merge_type *t, const json_t *set)
{
    json_t *out = json_object(), *child;
    const char *element;

    json_object_foreach ((json_t *)(uintptr_t)set, element, child) {
        struct merge_type type = {.how = MERGE_ANY};
        json_t *node;

        if (element[0] == '.') {
            json_object_set_new(out, element, json_object());
            continue;
        }
        if (element[0] == 'f')
            type = merge_type_field(t, element + 2);
        else if (element[0] == 'k')
            type = merge_type_item(t);
        node = with_fields(&type, child);
        json_object_set_new(out, element, node);
        if (element[0] == 'f' && t->how == MERGE_STRUCT)
            json_object_set_new(node, ".", json_object());
    }
    return out;
}

static json_t *named_fields(const struct merge_type *t, const json_t *object)
{
    json_t *set = mergewalk_fields(t, object, NULL), *named = with_fields(t, set);

    json_decref(set);
    return named;
}

/*
 * In three steps, each from the whole merged object. First all that was applied before goes, with all that is below it.
 * Then what somebody owns comes back. Last, what nobody owned stays: a list's item goes only when it was ours, not
 * because it stood below something of ours.
 */
json_t *mergewalk_prune(const struct merge_type *t, const json_t *merged, const json_t *last_set, const json_t *kept)
{
    json_t *last = with_fields(t, last_set), *owned = with_fields(t, kept), *all = named_fields(t, merged);
    json_t *first = without(t, merged, last), *left, *stay, *gone, *second, *out;

    left = named_fields(t, first ? first : json_null());
    stay = fieldset_union(left, owned);
    gone = fieldset_difference(all, stay);
    second = without(t, merged, gone);
    json_decref(left);
    json_decref(stay);
    json_decref(gone);
    left = named_fields(t, second ? second : json_null());
    stay = fieldset_difference(all, left);
    gone = fieldset_intersection(stay, last);
    out = without(t, merged, gone);
    json_decref(left);
    json_decref(stay);
    json_decref(gone);
    json_decref(first);
    json_decref(second);
    json_decref(last);
    json_decref(owned);
    json_decref(all);
    return out ? out : json_object();
}
