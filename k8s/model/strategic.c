/*
 * strategic: strategic merge patches: lists whose items have a key are merged item by item. The real server reads the
 * keys from its Go types; here they are a table by field name, which for the kinds we serve is ambiguous only for
 * "ports".
 */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/patch.h"

static const struct {
    const char *field, *key; /* key "": a list of plain values, merged as a set */
} merge_keys[] = {
    {"containers", "name"},     {"initContainers", "name"},  {"ephemeralContainers", "name"},
    {"env", "name"},            {"volumes", "name"},         {"volumeMounts", "mountPath"},
    {"volumeDevices", "devicePath"}, {"imagePullSecrets", "name"}, {"secrets", "name"},
    {"hostAliases", "ip"},      {"ownerReferences", "uid"},  {"conditions", "type"},
    {"addresses", "type"},      {"podIPs", "ip"},            {"hostIPs", "ip"},
    {"topologySpreadConstraints", "topologyKey"},            {"resourceClaims", "name"},
    {"finalizers", ""},         {"podCIDRs", ""},            {"ports", "port"},
};

static const char *key_of(const char *field, const json_t *patch, const json_t *target)
{
    if (strcmp(field, "ports") == 0) {
        if (json_at(patch, "0.containerPort") || json_at(target, "0.containerPort"))
            return "containerPort";
        return json_at(patch, "0.port") || json_at(target, "0.port") ? "port" : NULL;
    }
    for (size_t i = 0; i < sizeof(merge_keys) / sizeof(merge_keys[0]); i++)
        if (strcmp(merge_keys[i].field, field) == 0)
            return merge_keys[i].key;
    return NULL;
}

static int merge_object(json_t *target, const json_t *patch, struct error *e);

/* A copy of a patch's value as it is stored: without directives and nulls. */
static json_t *plain_copy(const json_t *patch)
{
    json_t *out, *value;
    const char *key;
    size_t i;

    if (json_is_object(patch)) {
        out = json_object();
        json_object_foreach((json_t *)(uintptr_t)patch, key, value)
            if (key[0] != '$' && !json_is_null(value))
                json_object_set_new(out, key, plain_copy(value));
        return out;
    }
    if (!json_is_array(patch))
        return json_clone(patch);
    out = json_array();
    json_array_foreach(patch, i, value)
        if (!json_is_object(value) || !json_object_get(value, "$patch"))
            json_array_append_new(out, plain_copy(value));
    return out;
}

static size_t find_by(const json_t *list, const char *key, const json_t *wanted)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (json_equal(*key ? json_object_get(item, key) : item, wanted))
            return i;
    return SIZE_MAX;
}

static int merge_keyed(json_t *target, const json_t *patch, const char *key, struct error *e)
{
    json_t *item;
    size_t i;

    json_array_foreach(patch, i, item) {
        const char *directive = json_text(item, "$patch");
        json_t *wanted = *key ? json_object_get(item, key) : item;
        size_t at;

        if (strcmp(directive, "replace") == 0 && json_object_size(item) == 1) {
            json_array_clear(target);
            continue;
        }
        if (!wanted)
            return error_set(e, ERR_INVALID, "map: %s does not contain declared merge key: %s", "list item", key);
        at = find_by(target, key, wanted);
        if (strcmp(directive, "delete") == 0) {
            for (; at != SIZE_MAX; at = find_by(target, key, wanted))
                json_array_remove(target, at);
        } else if (at == SIZE_MAX) {
            json_array_append_new(target, plain_copy(item));
        } else if (*key && merge_object(json_array_get(target, at), item, e) < 0) {
            return ERR_INVALID;
        }
    }
    return 0;
}

/* Puts the items that `order` names in its order, in the places such items have now; others stay where they are. */
static void reorder(json_t *list, const json_t *order, const char *key)
{
    json_t *sorted = json_array(), *wanted;
    size_t i, next = 0, n = json_array_size(list);

    json_array_foreach(order, i, wanted) {
        size_t at = find_by(list, key, *key ? json_object_get(wanted, key) : wanted);

        if (at != SIZE_MAX && find_by(sorted, key, *key ? json_object_get(wanted, key) : wanted) == SIZE_MAX)
            json_array_append(sorted, json_array_get(list, at));
    }
    for (i = 0; i < n; i++) {
        json_t *item = json_array_get(list, i);

        if (find_by(sorted, key, *key ? json_object_get(item, key) : item) != SIZE_MAX &&
            next < json_array_size(sorted))
            json_array_set(list, i, json_array_get(sorted, next++));
    }
    json_decref(sorted);
}

static int merge_list(json_t *target, const char *field, const json_t *patch, struct error *e)
{
    json_t *list = json_object_get(target, field);
    const char *key = key_of(field, patch, list);

    if (!key) {
        json_object_set_new(target, field, plain_copy(patch));
        return 0;
    }
    /* The target is our own deep copy: it may be changed in place. */
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(target, field, list);
    }
    return merge_keyed(list, patch, key, e);
}

static const char *directive_field(const char *key, const char *directive)
{
    size_t n = strlen(directive);

    return strncmp(key, directive, n) == 0 && key[n] == '/' ? key + n + 1 : NULL;
}

static int merge_field(json_t *target, const char *key, const json_t *value, struct error *e)
{
    const char *field = directive_field(key, "$deleteFromPrimitiveList");
    json_t *under = json_object_get(target, key), *item;
    size_t i;

    if (field) {
        json_t *list = json_object_get(target, field);

        json_array_foreach(value, i, item)
            for (size_t at; (at = find_by(list, "", item)) != SIZE_MAX;)
                json_array_remove(list, at);
        return 0;
    }
    if (key[0] == '$')
        return 0;
    if (json_is_null(value) || strcmp(json_text(value, "$patch"), "delete") == 0) {
        json_object_del(target, key);
        return 0;
    }
    if (json_is_array(value))
        return merge_list(target, key, value, e);
    if (json_is_object(value) && json_is_object(under))
        return merge_object(under, value, e);
    json_object_set_new(target, key, plain_copy(value));
    return 0;
}

static void retain_keys(json_t *target, const json_t *keys)
{
    const char *key;
    json_t *value;
    void *next;

    if (!json_is_array(keys))
        return;
    json_object_foreach_safe(target, next, key, value) {
        json_t *name = json_string(key);

        if (find_by(keys, "", name) == SIZE_MAX)
            json_object_del(target, key);
        json_decref(name);
    }
}

static int merge_object(json_t *target, const json_t *patch, struct error *e)
{
    const char *key, *field;
    json_t *value;

    if (strcmp(json_text(patch, "$patch"), "replace") == 0) {
        json_t *plain = plain_copy(patch);

        json_object_clear(target);
        json_object_update(target, plain);
        json_decref(plain);
        return 0;
    }
    json_object_foreach((json_t *)(uintptr_t)patch, key, value)
        if (merge_field(target, key, value, e) < 0)
            return ERR_INVALID;
    /* Orders last: they speak of the merged lists. */
    json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
        field = directive_field(key, "$setElementOrder");
        if (field && json_is_array(json_object_get(target, field))) {
            const char *by = key_of(field, value, json_object_get(target, field));

            if (by)
                reorder(json_object_get(target, field), value, by);
        }
    }
    retain_keys(target, json_object_get(patch, "$retainKeys"));
    return 0;
}

int patch_strategic(json_t *target, const json_t *patch, struct error *e)
{
    return merge_object(target, patch, e);
}
