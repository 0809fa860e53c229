/* meta: see meta.h. */
#include "k8s/model/meta.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/cause.h"

/* ---- what the server sets ---- */

static void generate_name(struct model *m, json_t *meta)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789"; /* no vowels: no words */
    const char *prefix = json_string_value(json_object_get(meta, "generateName"));
    uint64_t random = env_random(m->env);
    char name[254];
    size_t n;

    if (!prefix || !*prefix || *json_text(meta, "name"))
        return;
    n = strlen(prefix) > 58 ? 58 : strlen(prefix);
    memcpy(name, prefix, n);
    for (size_t i = 0; i < 5; i++, random /= sizeof(letters) - 1)
        name[n++] = letters[random % (sizeof(letters) - 1)];
    name[n] = 0;
    json_object_set_new(meta, "name", json_string(name));
}

/* Typed metadata has no empty maps and lists. */
static void drop_empty(json_t *meta)
{
    static const char *const members[] = {"labels", "annotations", "finalizers", "ownerReferences"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_t *value = json_object_get(meta, members[i]);

        if ((json_is_object(value) && !json_object_size(value)) || (json_is_array(value) && !json_array_size(value)))
            json_object_del(meta, members[i]);
    }
}

void meta_create(struct request *q, json_t *object)
{
    static const char *const servers[] = {"resourceVersion", "uid", "creationTimestamp", "deletionTimestamp",
                                          "deletionGracePeriodSeconds", "generation", "selfLink", "managedFields"};
    json_t *meta = json_object_get(object, "metadata");
    char text[40];

    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++)
        json_object_del(meta, servers[i]);
    drop_empty(meta);
    generate_name(q->m, meta);
    if (q->r->namespaced)
        json_object_set_new(meta, "namespace", json_string(q->ns));
    else
        json_object_del(meta, "namespace");
    model_new_uid(q->m, text);
    json_object_set_new(meta, "uid", json_string(text));
    json_object_set_new(meta, "creationTimestamp", json_string(model_now(q->m, text)));
    if (q->r->bumps_generation)
        json_object_set_new(meta, "generation", json_integer(1));
}

void meta_update(json_t *object, const json_t *old)
{
    static const char *const servers[] = {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                                          "generation", "resourceVersion", "namespace", "name"};
    json_t *meta = json_object_get(object, "metadata"), *was = json_object_get(old, "metadata");


    drop_empty(meta);
    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
        json_t *value = json_object_get(was, servers[i]);

        if (value)
            json_object_set(meta, servers[i], value);
        else
            json_object_del(meta, servers[i]);
    }
    json_object_del(meta, "selfLink");
    json_object_del(meta, "managedFields");
}

static bool same_but_meta_and_status(const struct resource *r, const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)a, key, value) {
        if (strcmp(key, "metadata") == 0 || (strcmp(key, "status") == 0 && r->has_status))
            continue;
        if (!json_equal(value, json_object_get(b, key)))
            return false;
    }
    return true;
}

void meta_generation(const struct resource *r, json_t *object, const json_t *old)
{
    json_int_t was = json_int(old, "metadata.generation", 1);
    bool same;

    if (!r->bumps_generation)
        return;
    same = same_but_meta_and_status(r, object, old) && same_but_meta_and_status(r, old, object);
    json_object_set_new(json_object_get(object, "metadata"), "generation", json_integer(same ? was : was + 1));
}

/* ---- checks ---- */

static void add(json_t *causes, const char *reason, const char *field, const char *fmt, ...) PRINTF_LIKE(4, 5);

static void add(json_t *causes, const char *reason, const char *field, const char *fmt, ...)
{
    char message[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    cause_add(causes, reason, field, message);
}

/* The name part of a label's key or value: at most 63 of letters, digits, '-', '_', '.', alphanumeric at both ends. */
static bool is_label_word(struct str s)
{
    if (!s.n || s.n > 63)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (i == 0 || i == s.n - 1 || (c != '-' && c != '_' && c != '.')))
            return false;
    }
    return true;
}

static bool is_qualified(struct str key)
{
    const char *slash = key.n ? memchr(key.p, '/', key.n) : NULL;
    struct str name = key;

    if (slash) {
        if (!str_is_dns_name((struct str){key.p, (size_t)(slash - key.p)}))
            return false;
        name = (struct str){slash + 1, (size_t)(key.p + key.n - slash - 1)};
    }
    return is_label_word(name);
}

static void validate_map(const json_t *meta, const char *map, bool values_are_labels, json_t *ret)
{
    json_t *values = json_object_get(meta, map), *value;
    const char *key;
    char field[64];
    size_t total = 0;

    (void)snprintf(field, sizeof(field), "metadata.%s", map);
    json_object_foreach(values, key, value) {
        const char *text = json_string_value(value);

        if (!text) {
            add(ret, "FieldValueTypeInvalid", field, "Invalid value: \"%s\": must be a string", key);
            continue;
        }
        total += strlen(key) + strlen(text);
        if (!is_qualified(str_of(key)))
            add(ret, "FieldValueInvalid", field,
                      "Invalid value: \"%s\": name part must consist of alphanumeric characters, '-', '_' or '.', and "
                      "must start and end with an alphanumeric character",
                      key);
        if (values_are_labels && *text && !is_label_word(str_of(text)))
            add(ret, "FieldValueInvalid", field,
                      "Invalid value: \"%s\": a valid label must be an empty string or consist of alphanumeric "
                      "characters, '-', '_' or '.', and must start and end with an alphanumeric character%s",
                      text, strlen(text) > 63 ? ", and be no more than 63 characters" : "");
    }
    if (!values_are_labels && total > 256 * 1024)
        add(ret, "FieldValueTooLong", field, "Too long: may not be more than 262144 bytes");
}

/* Names of RBAC kinds are a path's word; others DNS names, and of Namespaces and Services a DNS label. */
static void validate_name(const struct resource *r, const char *name, json_t *ret)
{
    bool label = !*r->group && (strcmp(r->kind, "Namespace") == 0 || strcmp(r->kind, "Service") == 0);

    if (!*name) {
        add(ret, "FieldValueRequired", "metadata.name", "Required value: name or generateName is required");
    } else if (strcmp(r->group, "rbac.authorization.k8s.io") == 0) {
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strpbrk(name, "/%"))
            add(ret, "FieldValueInvalid", "metadata.name", "Invalid value: \"%s\": may not contain '/' or '%%'",
                      name);
    } else if (label ? !str_is_dns_label(str_of(name)) : !str_is_dns_name(str_of(name))) {
        add(ret, "FieldValueInvalid", "metadata.name", "Invalid value: \"%s\": a lowercase RFC 1123 %s", name,
            label ? "label must consist of lower case alphanumeric characters or '-', and must start and end with an "
                    "alphanumeric character"
                  : "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
                    "with an alphanumeric character");
    }
}

static void validate_owners(const json_t *meta, json_t *ret)
{
    static const char *const needed[] = {"apiVersion", "kind", "name", "uid"};
    const json_t *owner;
    size_t i, controllers = 0;
    char field[64];

    json_array_foreach(json_object_get(meta, "ownerReferences"), i, owner) {
        for (size_t k = 0; k < 4; k++) {
            (void)snprintf(field, sizeof(field), "metadata.ownerReferences[%zu].%s", i, needed[k]);
            if (!*json_text(owner, needed[k]))
                add(ret, "FieldValueInvalid", field, "Invalid value: \"\": %s must not be empty", needed[k]);
        }
        controllers += json_flag(owner, "controller", false);
    }
    if (controllers > 1)
        add(ret, "FieldValueInvalid", "metadata.ownerReferences",
                  "Invalid value: only one reference can have Controller set to true");
}

static bool holds(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (str_same(json_string_value(item), text))
            return true;
    return false;
}

static void validate_finalizers(const json_t *meta, const json_t *old, json_t *ret)
{
    const json_t *was = json_at(old, "metadata.finalizers"), *item;
    bool going = json_at(old, "metadata.deletionTimestamp") != NULL;
    size_t i;

    json_array_foreach(json_object_get(meta, "finalizers"), i, item) {
        const char *name = json_string_value(item);

        if (!name || !is_qualified(str_of(name)))
            add(ret, "FieldValueInvalid", "metadata.finalizers",
                      "Invalid value: \"%s\": name part must consist of alphanumeric characters", name ? name : "");
        else if (going && !holds(was, name))
            add(ret, "FieldValueForbidden", "metadata.finalizers",
                      "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
                      "[]string{\"%s\"}",
                      name);
    }
}

void meta_validate(const struct resource *r, const json_t *object, const json_t *old, json_t *ret_causes)
{
    const json_t *meta = json_object_get(object, "metadata");

    validate_name(r, json_text(meta, "name"), ret_causes);
    validate_map(meta, "labels", true, ret_causes);
    validate_map(meta, "annotations", false, ret_causes);
    validate_owners(meta, ret_causes);
    validate_finalizers(meta, old, ret_causes);
}
