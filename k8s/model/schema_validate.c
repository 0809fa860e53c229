/*
 * schema_validate: what is wrong with an object, by its schema.
 *
 * A value that is the same as in the old object is let through unchecked, so that a CRD that became stricter does not
 * block writes to other fields (the API server's ratcheting). Old and new values are matched by name in objects, by key
 * in lists of type map; items of other lists have no old value.
 */
#include <math.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/schema_node.h"

struct check {
    json_t *causes;
};

static void check_value(const struct schema *s, const json_t *value, const json_t *old, const struct place *at,
                        const struct check *c);

static const char *name_of_type(enum schema_type t)
{
    static const char *const names[] = {"any", "object", "array", "string", "integer", "number", "boolean"};

    return names[t];
}

static enum schema_type type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return TYPE_OBJECT;
    case JSON_ARRAY:
        return TYPE_ARRAY;
    case JSON_STRING:
        return TYPE_STRING;
    case JSON_INTEGER:
        return TYPE_INTEGER;
    case JSON_REAL:
        return trunc(json_real_value(value)) == json_real_value(value) ? TYPE_INTEGER : TYPE_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return TYPE_BOOLEAN;
    case JSON_NULL:
        break;
    }
    return TYPE_ANY;
}

/* The place as the messages repeat it: "spec.schedule in body must be …". */
static char *place_text(const struct place *at)
{
    struct buf path;

    buf_init(&path, 64 * 1024);
    cause_place(at, &path);
    return buf_take(&path);
}

static bool type_fits(const struct schema *s, const json_t *value)
{
    enum schema_type t = type_of(value);

    if (json_is_null(value))
        return s->nullable || (s->type == TYPE_ANY && !s->int_or_string);
    if (s->int_or_string)
        return t == TYPE_INTEGER || t == TYPE_STRING;
    return s->type == TYPE_ANY || s->type == t || (s->type == TYPE_NUMBER && t == TYPE_INTEGER);
}

static void refuse_type(const struct schema *s, const json_t *value, const struct place *at, const struct check *c)
{
    const char *given = json_is_null(value) ? "null" : name_of_type(type_of(value));
    AUTO_FREE char *path = place_text(at);

    cause_type(c->causes, at, given, "%s in body must be of type %s: \"%s\"", path,
               s->int_or_string ? "integer,string" : name_of_type(s->type), given);
}

static bool is_under(const struct schema *s, double n)
{
    return s->has_min && (s->min_exclusive ? n <= s->min : n < s->min);
}

static bool is_over(const struct schema *s, double n)
{
    return s->has_max && (s->max_exclusive ? n >= s->max : n > s->max);
}

static bool is_multiple(const struct schema *s, double n)
{
    return s->multiple_of <= 0 || fmod(n, s->multiple_of) == 0;
}

static bool has_format(const struct schema *s, double n)
{
    return s->format != FORMAT_INT32 || (n >= INT32_MIN && n <= INT32_MAX);
}

/* Most values are fine, and then no text of their place is made; so are strings. */
static void check_number(const struct schema *s, const json_t *value, const struct place *at, const struct check *c)
{
    double n = json_number_value(value);
    AUTO_FREE char *path = NULL;

    if (!is_under(s, n) && !is_over(s, n) && is_multiple(s, n) && has_format(s, n))
        return;
    path = place_text(at);
    if (is_under(s, n))
        cause_invalid(c->causes, at, value, "%s in body should be greater than %s%.17g", path,
                      s->min_exclusive ? "" : "or equal to ", s->min);
    if (is_over(s, n))
        cause_invalid(c->causes, at, value, "%s in body should be less than %s%.17g", path,
                      s->max_exclusive ? "" : "or equal to ", s->max);
    if (!is_multiple(s, n))
        cause_invalid(c->causes, at, value, "%s in body should be a multiple of %.17g", path, s->multiple_of);
    if (!has_format(s, n))
        cause_invalid(c->causes, at, value, "Checked value must be of type integer with format int32 in %s", path);
}

static size_t count_chars(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80; /* UTF-8: all but following bytes */
    return n;
}

static void check_string(const struct schema *s, const json_t *value, const struct place *at, const struct check *c)
{
    const char *text = json_string_value(value);
    size_t chars = count_chars(text);
    bool is_short = s->min_length >= 0 && chars < (size_t)s->min_length;
    bool is_long = s->max_length >= 0 && chars > (size_t)s->max_length;
    bool fits = !s->regex || regexec(s->regex, text, 0, NULL, 0) == 0;
    AUTO_FREE char *path = NULL;

    if (!is_short && !is_long && fits && schema_format_fits(s->format, str_of(text)))
        return;
    path = place_text(at);
    if (is_short)
        cause_invalid(c->causes, at, value, "%s in body should be at least %lld chars long", path,
                      (long long)s->min_length);
    else if (is_long)
        cause_too_long(c->causes, at, (size_t)s->max_length);
    else if (!fits)
        cause_invalid(c->causes, at, value, "%s in body should match '%s'", path, s->pattern);
    if (!schema_format_fits(s->format, str_of(text)))
        cause_type(c->causes, at, text, "%s in body must be of type %s: \"%s\"", path,
                   schema_format_name(s->format), text);
}

static void check_required(const struct schema *s, const json_t *object, const struct place *at,
                           const struct check *c)
{
    const json_t *name;
    size_t i;

    json_array_foreach (s->required, i, name) {
        struct place below = {.up = at, .name = json_string_value(name)};

        if (below.name && !json_object_get(object, below.name))
            cause_required(c->causes, &below, NULL);
    }
}

static void check_embedded(const json_t *object, const struct place *at, const struct check *c)
{
    static const char *const names[] = {"apiVersion", "kind"};

    for (size_t i = 0; i < 2; i++) {
        struct place below = {.up = at, .name = names[i]};

        if (json_text(object, names[i])[0] == '\0')
            cause_required(c->causes, &below, NULL);
    }
}

static void check_object(const struct schema *s, const json_t *object, const json_t *old, const struct place *at,
                         const struct check *c)
{
    size_t n = json_object_size(object);
    const char *name;
    json_t *value;

    check_required(s, object, at, c);
    if (s->embedded)
        check_embedded(object, at, c);
    if (s->min_properties >= 0 && n < (size_t)s->min_properties)
        cause_invalid(c->causes, at, object, "should have at least %lld properties", (long long)s->min_properties);
    if (s->max_properties >= 0 && n > (size_t)s->max_properties)
        cause_too_many(c->causes, at, n, (size_t)s->max_properties);
    json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
        struct place below = {.up = at, .name = name};
        const struct schema *child = map_get(&s->properties, str_of(name));

        if ((!at->up || s->embedded) && strcmp(name, "metadata") == 0)
            continue; /* of a resource: it has rules of its own */
        child = child ? child : s->additional;
        if (child)
            check_value(child, value, json_object_get(old, name), &below, c);
    }
}

/* The fields that tell an item of a list of type map from the others, as an object of one reference. */
static json_t *key_of(const struct schema *s, const json_t *item)
{
    json_t *key = json_object();
    const json_t *name;
    size_t i;

    json_array_foreach (s->keys, i, name)
        json_object_set(key, json_string_value(name), json_object_get(item, json_string_value(name)));
    return key;
}

static const json_t *find_by_key(const struct schema *s, const json_t *list, const json_t *key)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        json_t *other = key_of(s, item);
        bool same = json_equal(key, other);

        json_decref(other);
        if (same)
            return item;
    }
    return NULL;
}

/* In the words of a set: the text of each value seen so far is a key of `seen`. */
static void check_unique(const json_t *key, json_t *seen, const struct place *at, const struct check *c)
{
    AUTO_FREE char *text = json_dumps(key, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

    if (json_object_get(seen, text))
        cause_duplicate(c->causes, at, key);
    json_object_set_new(seen, text, json_true());
}

static void check_item(const struct schema *s, const json_t *item, const json_t *old_list, json_t *seen,
                       const struct place *at, const struct check *c)
{
    const json_t *old = NULL;

    if (s->is_set) {
        check_unique(item, seen, at, c);
    } else if (s->is_keyed && json_is_object(item)) {
        json_t *key = key_of(s, item);

        check_unique(key, seen, at, c);
        old = find_by_key(s, old_list, key);
        json_decref(key);
    }
    if (s->items)
        check_value(s->items, item, old, at, c);
}

static void check_array(const struct schema *s, const json_t *list, const json_t *old, const struct place *at,
                        const struct check *c)
{
    size_t n = json_array_size(list), i;
    json_t *seen = json_object();
    const json_t *item;

    if (s->min_items >= 0 && n < (size_t)s->min_items) {
        AUTO_FREE char *path = place_text(at);
        json_t *count = json_integer((json_int_t)n);

        cause_invalid(c->causes, at, count, "%s in body should have at least %lld items", path,
                      (long long)s->min_items);
        json_decref(count);
    }
    if (s->max_items >= 0 && n > (size_t)s->max_items)
        cause_too_many(c->causes, at, n, (size_t)s->max_items);
    json_array_foreach (list, i, item) {
        struct place below = {.up = at, .index = (ssize_t)i};

        check_item(s, item, old, seen, &below, c);
    }
    json_decref(seen);
}

/* How many of the schemas take the value. */
static size_t count_fitting(const struct schema_list *l, const json_t *value, const struct place *at)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct check trial = {.causes = json_array()};

        check_value(l->items[i], value, NULL, at, &trial);
        n += json_array_size(trial.causes) == 0;
        json_decref(trial.causes);
    }
    return n;
}

static void check_combined(const struct schema *s, const json_t *value, const struct place *at, const struct check *c)
{
    struct schema_list not_list = {(struct schema **)(uintptr_t)&s->not_this, s->not_this ? 1 : 0};
    AUTO_FREE char *path = NULL;
    size_t n;

    if (s->all_of.n + s->any_of.n + s->one_of.n + not_list.n == 0)
        return;
    path = place_text(at);
    for (size_t i = 0; i < s->all_of.n; i++)
        check_value(s->all_of.items[i], value, NULL, at, c);
    if (s->any_of.n > 0 && count_fitting(&s->any_of, value, at) == 0)
        cause_type(c->causes, at, "", "\"%s\" must validate at least one schema (anyOf)", path);
    n = s->one_of.n > 0 ? count_fitting(&s->one_of, value, at) : 1;
    if (n != 1)
        cause_type(c->causes, at, "", "\"%s\" must validate one and only one schema (oneOf). Found %s valid", path,
                   n == 0 ? "none" : "more than one");
    if (count_fitting(&not_list, value, at) > 0)
        cause_type(c->causes, at, "", "\"%s\" must not validate the schema (not)", path);
}

static void check_enum(const struct schema *s, const json_t *value, const struct place *at, const struct check *c)
{
    const json_t *one;
    size_t i;

    json_array_foreach (s->values, i, one)
        if (json_equal(one, value))
            return;
    cause_unsupported(c->causes, at, value, s->values);
}

static void check_value(const struct schema *s, const json_t *value, const json_t *old, const struct place *at,
                        const struct check *c)
{
    if (old && json_equal(value, old))
        return;
    if (!type_fits(s, value)) {
        refuse_type(s, value, at, c);
        return;
    }
    if (json_is_null(value))
        return;
    if (s->values)
        check_enum(s, value, at, c);
    if (json_is_number(value))
        check_number(s, value, at, c);
    else if (json_is_string(value))
        check_string(s, value, at, c);
    else if (json_is_array(value))
        check_array(s, value, old, at, c);
    else if (json_is_object(value))
        check_object(s, value, old, at, c);
    check_combined(s, value, at, c);
    for (size_t i = 0; i < s->n_rules; i++)
        if (!schema_rule_holds(&s->rules[i], value, old))
            cause_type(c->causes, at, name_of_type(type_of(value)), "%s", s->rules[i].message);
}

int schema_validate(const struct schema *s, const json_t *object, const json_t *old, json_t *ret_causes)
{
    struct check c = {.causes = ret_causes};
    struct place root = {0};
    size_t before = json_array_size(ret_causes);

    check_value(s, object, old, &root, &c);
    return (int)(json_array_size(ret_causes) - before);
}
