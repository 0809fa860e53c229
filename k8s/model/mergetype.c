/* mergetype: see mergetype.h. */
#include "k8s/model/mergetype.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/proto.h"
#include "k8s/model/schema_node.h"

/* ---- built-in kinds ---- */

static struct merge_type of_message(const char *message)
{
    return (struct merge_type){.how = merge_rule_is_atomic(message) ? MERGE_LEAF : MERGE_STRUCT, .message = message};
}

/* Message names live in the tables; scalars have names of one letter. */
static const char *message_name(const char *type)
{
    const struct proto_message *m = type[0] && type[1] ? proto_find(type) : NULL;

    return m ? m->name : NULL;
}

static struct merge_type of_list(const struct merge_rule *rule, const char *item)
{
    struct merge_type t = {.how = MERGE_LEAF, .message = item};

    if (rule && rule->keys && strcmp(rule->keys, "!") != 0) {
        t.how = rule->keys[0] ? MERGE_KEYED : MERGE_SET;
        t.is_always_there = rule->keys[0] == '+';
        t.keys = rule->keys + t.is_always_there;
        t.message = rule->child ? rule->child : item;
    }
    return t;
}

static struct merge_type of_child(const char *child)
{
    struct merge_type t = of_message(child + (child[0] == '?'));

    t.is_always_there = child[0] != '?';
    return t;
}

static struct merge_type of_known(const struct merge_rule *rule, const struct proto_field *f)
{
    const char *message = message_name(f->type);

    if (f->list)
        return of_list(rule, message);
    if (f->map)
        return (struct merge_type){.how = rule && rule->keys ? MERGE_LEAF : MERGE_MAP, .message = message};
    if (rule && rule->child)
        return of_child(rule->child);
    if (message) {
        struct merge_type t = of_message(message);

        t.is_always_there = !f->pointer && t.how == MERGE_STRUCT;
        return t;
    }
    return (struct merge_type){.how = f->skipped || f->refused || f->type[1] ? MERGE_ANY : MERGE_LEAF};
}

static struct merge_type of_field(const struct merge_type *t, const char *name)
{
    const struct proto_message *m = t->message ? proto_find(t->message) : NULL;
    const struct merge_rule *rule = t->message ? merge_rule_find(t->message, name) : NULL;
    struct proto_field f;

    if (m && proto_field_named(m, name, &f))
        return of_known(rule, &f);
    if (!rule)
        return (struct merge_type){.how = MERGE_ANY};
    if (!rule->keys)
        return of_child(rule->child);
    if (strcmp(rule->keys, "!") == 0)
        return (struct merge_type){.how = MERGE_LEAF};
    return of_list(rule, rule->child);
}

/* ---- custom kinds ---- */

static struct merge_type of_schema(const struct schema *s)
{
    struct merge_type t = {.how = MERGE_ANY, .schema = s};

    if (!s)
        return (struct merge_type){.how = MERGE_ANY};
    switch (s->type) {
    case TYPE_ANY:
        t.how = s->int_or_string ? MERGE_LEAF : MERGE_ANY;
        break;
    case TYPE_OBJECT:
        t.how = s->is_atomic             ? MERGE_LEAF
                : map_size(&s->properties) > 0 ? MERGE_STRUCT
                : s->additional          ? MERGE_MAP
                                         : MERGE_ANY;
        break;
    case TYPE_ARRAY:
        t.how = s->is_keyed ? MERGE_KEYED : s->is_set ? MERGE_SET : MERGE_LEAF;
        break;
    case TYPE_STRING:
    case TYPE_INTEGER:
    case TYPE_NUMBER:
    case TYPE_BOOLEAN:
        t.how = MERGE_LEAF;
        break;
    }
    return t;
}

static const struct schema *schema_field(const struct schema *s, const char *name)
{
    const struct schema *child = map_get(&s->properties, str_of(name));

    return child ? child : s->additional;
}

/* ---- both ---- */

struct merge_type merge_type_of(const struct resource *r)
{
    if (!r->builtin)
        return (struct merge_type){.how = MERGE_STRUCT, .is_root = true, .schema = r->schema};
    return (struct merge_type){.how = MERGE_STRUCT, .is_root = true, .message = r->kind};
}

struct merge_type merge_type_field(const struct merge_type *t, const char *name)
{
    if (t->is_root && strcmp(name, "metadata") == 0)
        return of_message("ObjectMeta");
    if (t->schema)
        return of_schema(schema_field(t->schema, name));
    if (t->how == MERGE_MAP)
        return t->message ? of_message(t->message) : (struct merge_type){.how = MERGE_LEAF};
    return t->how == MERGE_STRUCT ? of_field(t, name) : (struct merge_type){.how = MERGE_ANY};
}

struct merge_type merge_type_item(const struct merge_type *t)
{
    if (t->how == MERGE_SET)
        return (struct merge_type){.how = MERGE_LEAF};
    if (t->schema)
        return of_schema(t->schema->items);
    return t->message ? of_message(t->message) : (struct merge_type){.how = MERGE_ANY};
}

enum merge_how merge_type_how(const struct merge_type *t, const json_t *value)
{
    switch (t->how) {
    case MERGE_STRUCT:
    case MERGE_MAP:
        return json_is_object(value) ? t->how : MERGE_LEAF;
    case MERGE_SET:
    case MERGE_KEYED:
        return json_is_array(value) ? t->how : MERGE_LEAF;
    case MERGE_ANY:
        return json_is_object(value) ? MERGE_MAP : MERGE_LEAF;
    case MERGE_LEAF:
        break;
    }
    return MERGE_LEAF;
}

/* ---- items ---- */

/* A key that an item leaves out has its default. Built-in kinds have a protocol's, and Go's "" for all others. */
static json_t *key_value(const struct merge_type *list, const json_t *item, const char *key)
{
    const struct schema *s = list->schema && list->schema->items ? schema_field(list->schema->items, key) : NULL;
    json_t *value = json_object_get(item, key);

    if (value && !json_is_null(value))
        return json_incref(value);
    if (s && s->fallback)
        return json_incref(s->fallback);
    return list->schema ? NULL : json_string(strcmp(key, "protocol") == 0 ? "TCP" : "");
}

static bool add_key(json_t *keys, const struct merge_type *list, const json_t *item, const char *key)
{
    json_t *value = key_value(list, item, key);

    if (value)
        json_object_set_new(keys, key, value);
    return value != NULL;
}

static bool collect_keys(json_t *keys, const struct merge_type *list, const json_t *item)
{
    struct str rest = str_of(list->keys), key;
    bool any = false;
    const json_t *name;
    size_t i;

    if (list->schema) {
        json_array_foreach (list->schema->keys, i, name)
            any = add_key(keys, list, item, json_string_value(name)) || any;
        return any;
    }
    while (str_cut(&rest, ',', &key)) {
        AUTO_FREE char *text = mem_strndup(key.p, key.n);

        any = add_key(keys, list, item, text) || any;
    }
    return any;
}

static char *element_of(char kind, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    char *element = mem_printf("%c:%s", kind, text);

    mem_free(text);
    return element;
}

char *merge_type_element(const struct merge_type *list, const json_t *item)
{
    json_t *keys;
    char *element = NULL;

    if (list->how == MERGE_SET)
        return json_is_object(item) || json_is_array(item) ? NULL : element_of('v', item);
    if (!json_is_object(item))
        return NULL;
    keys = json_object();
    if (collect_keys(keys, list, item))
        element = element_of('k', keys);
    json_decref(keys);
    return element;
}
