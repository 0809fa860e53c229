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

#define DNS_NAME                                                                                                       \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "   \
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "                        \
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define DNS_LABEL                                                                                                      \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "    \
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "                     \
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define KEY_NAME                                                                                                       \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " \
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "                                      \
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define LABEL_VALUE                                                                                                    \
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "    \
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "  \
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

enum { LABEL_MAX = 63, NAME_MAX_BYTES = 253, ANNOTATIONS_MAX = 256 * 1024 };

/* Letters, digits, '-', '_', '.', alphanumeric at both ends. */
static bool is_label_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (i == 0 || i == s.n - 1 || (c != '-' && c != '_' && c != '.')))
            return false;
    }
    return s.n > 0;
}

/* What is wrong with a key such as "example.com/name"; NULL: nothing. Of annotations the prefix may be in capitals. */
static const char *key_fault(const char *key, bool any_case)
{
    const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;
    AUTO_FREE char *prefix = slash ? mem_strndup(key, (size_t)(slash - key)) : NULL;

    if (slash && strchr(name, '/'))
        return "a valid label key " KEY_NAME " with an optional DNS subdomain prefix and '/' (e.g. "
               "'example.com/MyName')";
    for (char *c = prefix; any_case && c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    if (prefix && !*prefix)
        return "prefix part must be non-empty";
    if (prefix && !str_is_dns_name(str_of(prefix)))
        return "prefix part " DNS_NAME;
    if (!*name)
        return "name part must be non-empty";
    if (strlen(name) > LABEL_MAX)
        return "name part must be no more than 63 bytes";
    return is_label_word(str_of(name)) ? NULL : "name part " KEY_NAME;
}

static void validate_map(const json_t *meta, const char *map, bool labels, json_t *ret)
{
    json_t *values = json_object_get(meta, map), *value;
    const char *key, *fault;
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
        if ((fault = key_fault(key, !labels)))
            add(ret, "FieldValueInvalid", field, "Invalid value: \"%s\": %s", key, fault);
        if (labels && *text && (strlen(text) > LABEL_MAX || !is_label_word(str_of(text))))
            add(ret, "FieldValueInvalid", field, "Invalid value: \"%s\": %s", text,
                strlen(text) > LABEL_MAX ? "must be no more than 63 bytes" : LABEL_VALUE);
    }
    if (!labels && total > ANNOTATIONS_MAX)
        add(ret, "FieldValueTooLong", field, "Too long: may not be more than %d bytes", ANNOTATIONS_MAX);
}

/* What is wrong with a name; NULL: nothing. RBAC's are a word of a path, others DNS names; of a Namespace a label. */
static const char *name_fault(const struct resource *r, const char *name)
{
    if (strcmp(r->group, "rbac.authorization.k8s.io") == 0) {
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            return name[1] ? "may not be '..'" : "may not be '.'";
        return strchr(name, '/') ? "may not contain '/'" : strchr(name, '%') ? "may not contain '%'" : NULL;
    }
    if (!*r->group && (strcmp(r->kind, "Namespace") == 0 || strcmp(r->kind, "Service") == 0)) {
        if (strlen(name) > LABEL_MAX)
            return "must be no more than 63 characters";
        return strchr(name, '.') ? "must not contain dots" : str_is_dns_label(str_of(name)) ? NULL : DNS_LABEL;
    }
    if (strlen(name) > NAME_MAX_BYTES)
        return "must be no more than 253 characters";
    return str_is_dns_name(str_of(name)) ? NULL : DNS_NAME;
}

/* A prefix is looked at with a letter after it, since it may end in '-'. */
static void validate_name(const struct resource *r, const json_t *meta, json_t *ret)
{
    const char *name = json_text(meta, "name"), *prefix = json_text(meta, "generateName"), *fault;
    AUTO_FREE char *whole = mem_printf("%.*sx", 57, prefix);

    if (*prefix && (fault = name_fault(r, whole)))
        add(ret, "FieldValueInvalid", "metadata.generateName", "Invalid value: \"%s\": %s", prefix, fault);
    if (!*name)
        add(ret, "FieldValueRequired", "metadata.name", "Required value: name or generateName is required");
    else if ((fault = name_fault(r, name)))
        add(ret, "FieldValueInvalid", "metadata.name", "Invalid value: \"%s\": %s", name, fault);
}

static void validate_owner(const json_t *owner, json_t *ret)
{
    static const char *const needed[][2] = {
        {"apiVersion", "version must not be empty"}, {"kind", "must not be empty"},
        {"name", "must not be empty"}, {"uid", "must not be empty"}};
    char field[64];

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        (void)snprintf(field, sizeof(field), "metadata.ownerReferences.%s", needed[i][0]);
        if (!*json_text(owner, needed[i][0]))
            add(ret, "FieldValueInvalid", field, "Invalid value: \"\": %s", needed[i][1]);
    }
    if (strcmp(json_text(owner, "kind"), "Event") == 0 && strcmp(json_text(owner, "apiVersion"), "v1") == 0) {
        struct place top = {0}, meta = {&top, "metadata", -1, false}, at = {&meta, "ownerReferences", -1, false};

        cause_invalid(ret, &at, owner, "/v1, Kind=Event is disallowed from being an owner");
    }
}

static void validate_owners(const json_t *meta, json_t *ret)
{
    struct place top = {0}, up = {&top, "metadata", -1, false}, at = {&up, "ownerReferences", -1, false};
    const json_t *owners = json_object_get(meta, "ownerReferences"), *owner;
    const json_t *first = NULL, *second = NULL;
    size_t i;

    json_array_foreach(owners, i, owner) {
        validate_owner(owner, ret);
        if (!json_flag(owner, "controller", false))
            continue;
        if (!first)
            first = owner;
        else if (!second)
            second = owner;
    }
    if (second)
        cause_invalid(ret, &at, owners,
                      "Only one reference can have Controller set to true. Found \"true\" in references for %s/%s "
                      "and %s/%s",
                      json_text(first, "kind"), json_text(first, "name"), json_text(second, "kind"),
                      json_text(second, "name"));
}

/* Custom kinds and their definitions may have short names as finalizers. */
static bool is_core(const struct resource *r)
{
    return r->builtin && strcmp(r->group, "apiextensions.k8s.io") != 0;
}

/* Only the core's own finalizers have no prefix. */
static void validate_finalizer(const char *name, size_t i, bool core, json_t *ret)
{
    static const char *const standard[] = {"orphan", "foregroundDeletion", "kubernetes"};
    const char *fault = key_fault(name, false);
    char field[64];

    (void)snprintf(field, sizeof(field), "metadata.finalizers[%zu]", i);
    if (fault)
        add(ret, "FieldValueInvalid", "metadata.finalizers", "Invalid value: \"%s\": %s", name, fault);
    for (size_t k = 0; k < sizeof(standard) / sizeof(standard[0]); k++)
        if (strcmp(name, standard[k]) == 0)
            return;
    if (core && !fault && !strchr(name, '/'))
        add(ret, "FieldValueInvalid", field,
            "Invalid value: \"%s\": name is neither a standard finalizer name nor is it fully qualified", name);
}

static void validate_finalizers(const struct resource *r, const json_t *meta, const json_t *old, json_t *ret)
{
    const json_t *was = json_at(old, "metadata.finalizers"), *item;
    bool going = json_at(old, "metadata.deletionTimestamp") != NULL;
    size_t i;

    json_array_foreach(json_object_get(meta, "finalizers"), i, item) {
        const char *name = json_string_value(item) ? json_string_value(item) : "";

        validate_finalizer(name, i, is_core(r), ret);
        if (going && !json_has_text(was, name))
            add(ret, "FieldValueForbidden", "metadata.finalizers",
                "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
                "[]string{\"%s\"}",
                name);
    }
}

void meta_validate(const struct resource *r, const json_t *object, const json_t *old, json_t *ret_causes)
{
    const json_t *meta = json_object_get(object, "metadata");

    validate_name(r, meta, ret_causes);
    validate_map(meta, "labels", true, ret_causes);
    validate_map(meta, "annotations", false, ret_causes);
    validate_owners(meta, ret_causes);
    validate_finalizers(r, meta, old, ret_causes);
}
