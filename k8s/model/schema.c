/*
 * schema: compiles a structural schema into nodes.
 *
 * Structural means here: every field that is specified has a type, unless it is int-or-string or keeps whatever it is
 * given. Inside allOf, anyOf, oneOf and not, types may be left out, for these only check values.
 */
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/model/schema_node.h"

struct compiling {
    const struct place *at;
    unsigned depth;
    bool values_only; /* inside allOf and the like */
    struct error *e;
};

static struct schema *compile(const json_t *source, struct compiling *c, const struct place *at);

static int fail(const struct place *at, struct error *e, const char *what)
{
    struct buf path;
    int rc;

    buf_init(&path, 4096);
    cause_place(at, &path);
    rc = error_set(e, ERR_INVALID, "%s: %s", path.data, what);
    buf_done(&path);
    return rc;
}

static int read_type(struct schema *s, const json_t *source, const struct place *at, struct compiling *c)
{
    static const char *const names[] = {"", "object", "array", "string", "integer", "number", "boolean"};
    const char *name = json_text(source, "type");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            s->type = (enum schema_type)i;
            break;
        }
        if (i + 1 == sizeof(names) / sizeof(names[0]))
            return fail(at, c->e, "Unsupported value: type must be object, array, string, integer, number or boolean");
    }
    if (json_object_get(source, "$ref"))
        s->preserve = true; /* a built-in kind's metadata: checked elsewhere */
    if (s->type == TYPE_ANY && !c->values_only && !s->int_or_string && !s->preserve)
        return fail(at, c->e, "Required value: type must not be empty for specified object fields");
    return 0;
}

static void read_limits(struct schema *s, const json_t *source)
{
    s->min_length = json_int(source, "minLength", -1);
    s->max_length = json_int(source, "maxLength", -1);
    s->min_items = json_int(source, "minItems", -1);
    s->max_items = json_int(source, "maxItems", -1);
    s->min_properties = json_int(source, "minProperties", -1);
    s->max_properties = json_int(source, "maxProperties", -1);
    s->has_min = json_is_number(json_object_get(source, "minimum"));
    s->has_max = json_is_number(json_object_get(source, "maximum"));
    s->min = json_number_value(json_object_get(source, "minimum"));
    s->max = json_number_value(json_object_get(source, "maximum"));
    s->multiple_of = json_number_value(json_object_get(source, "multipleOf"));
    s->min_exclusive = json_flag(source, "exclusiveMinimum", false);
    s->max_exclusive = json_flag(source, "exclusiveMaximum", false);
}

static void read_flags(struct schema *s, const json_t *source)
{
    const char *list_type = json_text(source, "x-kubernetes-list-type");

    s->nullable = json_flag(source, "nullable", false);
    s->int_or_string = json_flag(source, "x-kubernetes-int-or-string", false);
    s->preserve = json_flag(source, "x-kubernetes-preserve-unknown-fields", false);
    s->embedded = json_flag(source, "x-kubernetes-embedded-resource", false);
    s->is_set = strcmp(list_type, "set") == 0;
    s->is_keyed = strcmp(list_type, "map") == 0;
    s->is_atomic = strcmp(json_text(source, "x-kubernetes-map-type"), "atomic") == 0;
    s->format = schema_format_find(json_text(source, "format"));
    s->required = json_incref(json_object_get(source, "required"));
    s->keys = json_incref(json_object_get(source, "x-kubernetes-list-map-keys"));
    s->values = json_incref(json_object_get(source, "enum"));
    s->fallback = json_incref(json_object_get(source, "default"));
}

static int read_pattern(struct schema *s, const json_t *source, const struct place *at, struct compiling *c)
{
    const char *pattern = json_string_value(json_object_get(source, "pattern"));
    int rc;

    if (!pattern)
        return 0;
    s->pattern = mem_strdup(pattern);
    s->regex = schema_pattern_compile(pattern, c->e);
    if (s->regex)
        return 0;
    rc = ERR_INVALID;
    return c->e ? error_wrap(c->e, rc, "pattern %s", pattern) : fail(at, c->e, "pattern");
}

static int read_rules(struct schema *s, const json_t *source, struct compiling *c)
{
    const json_t *rules = json_object_get(source, "x-kubernetes-validations"), *rule;
    size_t i;
    int rc;

    if (json_array_size(rules) == 0)
        return 0;
    s->rules = mem_zalloc(json_array_size(rules) * sizeof(*s->rules));
    json_array_foreach (rules, i, rule) {
        rc = schema_rule_parse(&s->rules[i], rule, c->e);
        if (rc < 0)
            return rc;
        s->n_rules++;
    }
    return 0;
}

static int read_properties(struct schema *s, const json_t *source, const struct place *at, struct compiling *c)
{
    json_t *properties = json_object_get(source, "properties"), *value;
    const char *name;

    json_object_foreach (properties, name, value) {
        struct place below = {.up = at, .name = name};
        struct schema *child = compile(value, c, &below);

        if (!child)
            return ERR_INVALID;
        map_put(&s->properties, str_of(name), child);
    }
    return 0;
}

static int read_child(struct schema **out, const json_t *source, const char *key, const struct place *at,
                      struct compiling *c)
{
    const json_t *value = json_object_get(source, key);
    struct place below = {.up = at, .name = key};
    bool values_only = c->values_only;

    if (!json_is_object(value))
        return 0;
    c->values_only = values_only || strcmp(key, "not") == 0;
    *out = compile(value, c, &below);
    c->values_only = values_only;
    return *out ? 0 : ERR_INVALID;
}

static int read_list(struct schema_list *out, const json_t *source, const char *key, const struct place *at,
                     struct compiling *c)
{
    const json_t *list = json_object_get(source, key), *value;
    struct place below = {.up = at, .name = key};
    bool values_only = c->values_only;
    size_t i;

    if (json_array_size(list) == 0)
        return 0;
    out->items = mem_zalloc(json_array_size(list) * sizeof(struct schema *));
    c->values_only = true;
    json_array_foreach (list, i, value) {
        struct place item = {.up = &below, .index = (ssize_t)i};

        out->items[i] = compile(value, c, &item);
        if (!out->items[i])
            return ERR_INVALID;
        out->n++;
    }
    c->values_only = values_only;
    return 0;
}

static int read_additional(struct schema *s, const json_t *source, const struct place *at, struct compiling *c)
{
    if (json_is_true(json_object_get(source, "additionalProperties"))) {
        json_t *anything = json_pack("{s:b}", "x-kubernetes-preserve-unknown-fields", 1);

        s->additional = compile(anything, c, at);
        json_decref(anything);
        return s->additional ? 0 : ERR_BUG;
    }
    return read_child(&s->additional, source, "additionalProperties", at, c);
}

static int read_all(struct schema *s, const json_t *source, const struct place *at, struct compiling *c)
{
    int rc;

    read_flags(s, source);
    read_limits(s, source);
    if ((rc = read_type(s, source, at, c)) < 0 || (rc = read_pattern(s, source, at, c)) < 0 ||
        (rc = read_rules(s, source, c)) < 0 || (rc = read_properties(s, source, at, c)) < 0 ||
        (rc = read_child(&s->items, source, "items", at, c)) < 0 || (rc = read_additional(s, source, at, c)) < 0 ||
        (rc = read_child(&s->not_this, source, "not", at, c)) < 0 ||
        (rc = read_list(&s->all_of, source, "allOf", at, c)) < 0 ||
        (rc = read_list(&s->any_of, source, "anyOf", at, c)) < 0)
        return rc;
    return read_list(&s->one_of, source, "oneOf", at, c);
}

static struct schema *compile(const json_t *source, struct compiling *c, const struct place *at)
{
    struct schema *s;
    int rc;

    if (!json_is_object(source)) {
        (void)fail(at, c->e, "a schema must be an object");
        return NULL;
    }
    if (c->depth >= LIMIT_JSON_DEPTH) {
        (void)fail(at, c->e, "nested too deep");
        return NULL;
    }
    s = mem_zalloc(sizeof(*s));
    map_init(&s->properties, 1); /* keys are the CRD's author's, who can do worse than collide */
    c->depth++;
    rc = read_all(s, source, at, c);
    c->depth--;
    if (rc == 0)
        return s;
    schema_free(s);
    return NULL;
}

struct schema *schema_compile(const json_t *open_api_v3_schema, struct error *e)
{
    struct place nowhere = {0}, root = {.up = &nowhere, .name = "openAPIV3Schema"};
    struct compiling c = {.e = e};
    struct schema *s = compile(open_api_v3_schema, &c, &root);

    if (s && s->type != TYPE_OBJECT) {
        (void)fail(&root, e, "Invalid value: type must be object at the root");
        schema_free(s);
        return NULL;
    }
    return s;
}

static void free_list(struct schema_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        schema_free(l->items[i]);
    mem_free(l->items);
}

static void free_rules(struct schema *s)
{
    for (size_t i = 0; i < s->n_rules; i++) {
        mem_free(s->rules[i].left);
        mem_free(s->rules[i].right);
        mem_free(s->rules[i].message);
    }
    mem_free(s->rules);
}

void schema_free(struct schema *s)
{
    struct str key;
    void *child;

    if (!s)
        return;
    for (size_t it = 0; map_next(&s->properties, &it, &key, &child);)
        schema_free(child);
    map_done(&s->properties);
    schema_free(s->items);
    schema_free(s->additional);
    schema_free(s->not_this);
    free_list(&s->all_of);
    free_list(&s->any_of);
    free_list(&s->one_of);
    free_rules(s);
    json_decref(s->required);
    json_decref(s->keys);
    json_decref(s->values);
    json_decref(s->fallback);
    mem_free(s->pattern);
    schema_pattern_free(s->regex);
    mem_free(s);
}
