/* fieldset: see fieldset.h. */
#include "k8s/model/fieldset.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

#define HERE "."

bool fieldset_has(const json_t *node)
{
    return json_object_get(node, HERE) != NULL;
}

bool fieldset_is_empty(const json_t *set)
{
    return json_object_size(set) == 0;
}

static json_t *node_of(json_t *set, const struct fieldpath *path)
{
    json_t *parent, *node;

    if (!path)
        return set;
    parent = node_of(set, path->up);
    node = json_object_get(parent, path->element);
    if (!node) {
        node = json_object();
        json_object_set_new(parent, path->element, node);
    }
    return node;
}

void fieldset_insert(json_t *set, const struct fieldpath *path)
{
    json_t *node;

    if (!path)
        return;
    node = node_of(set, path);
    if (!fieldset_has(node))
        json_object_set_new(node, HERE, json_object());
}

/* ---- FieldsV1 ---- */

static json_t *read_node(const json_t *from, bool root)
{
    json_t *to = json_object(), *child;
    const char *key;

    if (!root && json_object_size(from) == 0)
        json_object_set_new(to, HERE, json_object());
    json_object_foreach ((json_t *)(uintptr_t)from, key, child) {
        if (strcmp(key, HERE) == 0)
            json_object_set_new(to, key, json_object());
        else if (key[0] && strchr("fkvi", key[0]) && key[1] == ':') /* a client may have written anything */
            json_object_set_new(to, key, read_node(child, false));
    }
    return to;
}

json_t *fieldset_read(const json_t *fields_v1)
{
    return read_node(fields_v1, true);
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

/* The node's elements in order; freed with mem_free. */
static const char **elements(const json_t *node, size_t *ret_n)
{
    const char **all = mem_alloc((json_object_size(node) + 1) * sizeof(*all)), *key;
    json_t *child;

    *ret_n = 0;
    json_object_foreach ((json_t *)(uintptr_t)node, key, child)
        all[(*ret_n)++] = key;
    qsort(all, *ret_n, sizeof(*all), by_text);
    return all;
}

json_t *fieldset_write(const json_t *set)
{
    json_t *to = json_object();
    const char **all;
    size_t n;

    if (fieldset_has(set) && json_object_size(set) == 1)
        return to;
    all = elements(set, &n);
    for (size_t i = 0; i < n; i++)
        json_object_set_new(to, all[i],
                            strcmp(all[i], HERE) == 0 ? json_object() : fieldset_write(json_object_get(set, all[i])));
    mem_free(all);
    return to;
}

static bool wire_has(const json_t *node)
{
    return node && (json_object_size(node) == 0 || fieldset_has(node));
}

bool fieldset_wire_touches(const json_t *fields_v1, const json_t *set)
{
    const char *key;
    json_t *child;

    json_object_foreach ((json_t *)(uintptr_t)set, key, child) {
        const json_t *other = json_object_get(fields_v1, key);

        if (!other || strcmp(key, HERE) == 0)
            continue;
        if ((fieldset_has(child) && wire_has(other)) || fieldset_wire_touches(other, child))
            return true;
    }
    return false;
}

bool fieldset_wire_covers(const json_t *fields_v1, const json_t *set)
{
    const char *key;
    json_t *child;

    json_object_foreach ((json_t *)(uintptr_t)set, key, child) {
        const json_t *other = json_object_get(fields_v1, key);

        if (strcmp(key, HERE) == 0)
            continue;
        if ((fieldset_has(child) && !wire_has(other)) || !fieldset_wire_covers(other, child))
            return false;
    }
    return true;
}

/* ---- two sets ---- */

static void put(json_t *to, const char *key, json_t *child_take)
{
    if (fieldset_is_empty(child_take) && strcmp(key, HERE) != 0)
        json_decref(child_take);
    else
        json_object_set_new(to, key, child_take);
}

json_t *fieldset_union(const json_t *a, const json_t *b)
{
    json_t *to = json_object(), *child;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)a, key, child)
        json_object_set_new(to, key, fieldset_union(child, json_object_get(b, key)));
    json_object_foreach ((json_t *)(uintptr_t)b, key, child)
        if (!json_object_get(a, key))
            json_object_set_new(to, key, json_clone(child));
    return to;
}

json_t *fieldset_intersection(const json_t *a, const json_t *b)
{
    json_t *to = json_object(), *child;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)a, key, child)
        if (json_object_get(b, key))
            put(to, key, fieldset_intersection(child, json_object_get(b, key)));
    return to;
}

json_t *fieldset_difference(const json_t *a, const json_t *b)
{
    json_t *to = json_object(), *child;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)a, key, child) {
        const json_t *other = json_object_get(b, key);

        if (strcmp(key, HERE) != 0)
            put(to, key, fieldset_difference(child, other));
        else if (!other)
            json_object_set_new(to, key, json_object());
    }
    return to;
}

json_t *fieldset_without(const json_t *a, const json_t *b)
{
    json_t *to = json_object(), *child;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)a, key, child) {
        const json_t *other = json_object_get(b, key);

        if (strcmp(key, HERE) == 0)
            json_object_set_new(to, key, json_object());
        else if (!fieldset_has(other))
            put(to, key, fieldset_without(child, other));
    }
    if (json_object_size(a) > 1 && json_object_size(to) == 1 && fieldset_has(to))
        json_object_del(to, HERE);
    return to;
}

/* ---- for people ---- */

/* {"a":"x","b":1} as [a="x",b=1] */
static void print_keys(const char *element, struct buf *out)
{
    json_t *keys = json_loads(element, 0, NULL), *value;
    const char *key, *comma = "[";

    json_object_foreach (keys, key, value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        buf_printf(out, "%s%s=%s", comma, key, text);
        mem_free(text);
        comma = ",";
    }
    buf_putc(out, ']');
    json_decref(keys);
}

static void print_element(const char *element, struct buf *out)
{
    switch (element[0]) {
    case 'f':
        buf_printf(out, ".%s", element + 2);
        break;
    case 'k':
        print_keys(element + 2, out);
        break;
    case 'v':
        buf_printf(out, "[=%s]", element + 2);
        break;
    default:
        buf_printf(out, "[%s]", element + 2);
    }
}

void fieldpath_print(const struct fieldpath *path, struct buf *out)
{
    if (!path)
        return;
    fieldpath_print(path->up, out);
    print_element(path->element, out);
}

struct printing {
    struct buf path;
    void (*fn)(void *ctx, const char *path);
    void *ctx;
};

static void cut(struct buf *path, size_t n)
{
    path->len = n;
    path->data[n] = 0;
}

/* Members of a node first, then what is below them. */
static void print_node(const json_t *node, struct printing *p)
{
    size_t n, at = p->path.len;
    const char **all = elements(node, &n);

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n; i++) {
            const json_t *child = json_object_get(node, all[i]);

            if (strcmp(all[i], HERE) == 0)
                continue;
            print_element(all[i], &p->path);
            if (pass == 1)
                print_node(child, p);
            else if (fieldset_has(child))
                p->fn(p->ctx, p->path.data);
            cut(&p->path, at);
        }
    }
    mem_free(all);
}

void fieldset_each(const json_t *set, void (*fn)(void *ctx, const char *path), void *ctx)
{
    struct printing p = {.fn = fn, .ctx = ctx};

    buf_init(&p.path, 64 * 1024);
    buf_puts(&p.path, ""); /* so that there is something to cut */
    print_node(set, &p);
    buf_done(&p.path);
}
