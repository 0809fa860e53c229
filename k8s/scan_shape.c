/* scan_shape: see scan_shape.h. */
#include "k8s/scan_shape.h"

#include <assert.h>

#include "core/base/mem.h"

static int add_node(struct scan_shape *shape, struct str key)
{
    shape->nodes = mem_realloc(shape->nodes, (size_t)(shape->n + 1) * sizeof(*shape->nodes));
    shape->nodes[shape->n] = (struct scan_node){.key = key, .child = -1, .next = -1, .item = -1};
    return shape->n++;
}

/* By length and first byte. */
static uint64_t bit_of(struct str key)
{
    return key.n ? 1ull << ((key.n * 7 + (unsigned char)key.p[0]) & 63) : 0;
}

int scan_shape_find(const struct scan_shape *shape, int parent, struct str key)
{
    if (!(shape->nodes[parent].names & bit_of(key)))
        return -1;
    for (int at = shape->nodes[parent].child; at >= 0; at = shape->nodes[at].next) {
        const struct scan_node *n = &shape->nodes[at];

        if (n->key.n == key.n && key.n && n->key.p[0] == key.p[0] && memcmp(n->key.p, key.p, key.n) == 0)
            return at;
    }
    return -1;
}

static int add_key(struct scan_shape *shape, int parent, struct str key)
{
    int at = scan_shape_find(shape, parent, key);

    if (at >= 0)
        return at;
    at = add_node(shape, key);
    shape->nodes[at].next = shape->nodes[parent].child;
    shape->nodes[parent].child = at;
    shape->nodes[parent].names |= bit_of(key);
    return at;
}

/* The node at a path of names joined by '.', made where it is missing. */
static int add_path(struct scan_shape *shape, int parent, const char *path)
{
    struct str rest = str_of(path), key;

    while (str_cut(&rest, '.', &key))
        parent = add_key(shape, parent, key);
    return parent;
}

static void set(struct scan_shape *shape, int at, enum scan_action action, size_t arg)
{
    assert(shape->nodes[at].action == ACT_NONE);
    shape->nodes[at].action = action;
    shape->nodes[at].arg = arg;
}

static int add_items(struct scan_shape *shape, int list, enum scan_action action)
{
    int item = add_node(shape, STR_NONE);

    shape->nodes[list].item = item;
    shape->nodes[item].action = action;
    return item;
}

static void add_texts(struct scan_shape *shape, int parent, const char *const *paths, size_t first_slot)
{
    for (size_t i = 0; paths[i]; i++)
        set(shape, add_path(shape, parent, paths[i]), ACT_TEXT, first_slot + i);
}

static void add_field(struct scan_shape *shape, int object, const char *field, size_t slot)
{
    static const char *const condition[] = {"type", "status", "reason", NULL};
    int at;

    if (strncmp(field, "label:", 6) == 0)
        at = add_key(shape, add_path(shape, object, "metadata.labels"), str_of(field + 6));
    else if (strncmp(field, "annotation:", 11) == 0)
        at = add_key(shape, add_path(shape, object, "metadata.annotations"), str_of(field + 11));
    else
        at = add_path(shape, object, field);
    if (str_ends(str_of(field), STR(".conditions"))) {
        set(shape, at, ACT_CONDITIONS, slot);
        add_texts(shape, add_items(shape, at, ACT_CONDITION), condition, SLOT_TYPE);
    } else {
        set(shape, at, ACT_VALUE, slot);
    }
}

static void add_object(struct scan_shape *shape, int object, const struct kind *k)
{
    static const char *const meta[] = {"namespace", "name", "uid", "resourceVersion", "creationTimestamp",
                                       "deletionTimestamp", NULL};
    static const char *const ref[] = {"kind", "name", "uid", NULL};
    int metadata = add_path(shape, object, "metadata"), item;

    add_texts(shape, metadata, meta, SLOT_NS);
    set(shape, add_path(shape, metadata, "generation"), ACT_GENERATION, 0);
    item = add_items(shape, add_path(shape, metadata, "ownerReferences"), ACT_REF);
    add_texts(shape, item, ref, SLOT_REF_KIND);
    set(shape, add_path(shape, item, "controller"), ACT_CONTROLS, 0);
    for (size_t i = 0; i < k->n_fields; i++)
        add_field(shape, object, k->fields[i], SLOT_FIELDS + i);
}

void scan_shape_init(struct scan_shape *shape, const struct kind *k, enum scan_mode mode)
{
    int root, object;

    *shape = (struct scan_shape){0};
    root = add_node(shape, STR_NONE);
    shape->nodes[root].action = ACT_ENVELOPE;
    if (mode == SCAN_WATCH) {
        set(shape, add_path(shape, root, "type"), ACT_TEXT, SLOT_EVENT);
        object = add_path(shape, root, "object");
        set(shape, object, ACT_OBJECT, 0);
        add_object(shape, object, k);
        /* A Status comes in place of an object with ERROR. */
        set(shape, add_path(shape, object, "message"), ACT_TEXT, SLOT_MESSAGE);
        set(shape, add_path(shape, object, "code"), ACT_CODE, 0);
        set(shape, add_key(shape, add_path(shape, object, "metadata.annotations"), STR("k8s.io/initial-events-end")),
            ACT_TEXT, SLOT_INITIAL_END);
    } else {
        set(shape, add_path(shape, root, "metadata.resourceVersion"), ACT_TEXT, SLOT_LIST_RV);
        set(shape, add_path(shape, root, "metadata.continue"), ACT_TEXT, SLOT_CONTINUE);
        add_object(shape, add_items(shape, add_path(shape, root, "items"), ACT_OBJECT), k);
    }
}

void scan_shape_done(struct scan_shape *shape)
{
    mem_free(shape->nodes);
    *shape = (struct scan_shape){0};
}
