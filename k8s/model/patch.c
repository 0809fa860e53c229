/*
 * patch: JSON Patch (RFC 6902), merge patch (RFC 7386), and the choice by content type.
 */
#include "k8s/model/patch.h"

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

/* ---- merge patch ---- */

void patch_merge(json_t **target, const json_t *patch)
{
    const char *key;
    json_t *value;

    if (!json_is_object(patch)) {
        json_decref(*target);
        *target = json_clone(patch);
        return;
    }
    if (!json_is_object(*target)) {
        json_decref(*target);
        *target = json_object();
    }
    json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
        json_t *under;

        if (json_is_null(value)) {
            json_object_del(*target, key);
            continue;
        }
        under = json_incref(json_object_get(*target, key));
        patch_merge(&under, value);
        json_object_set_new(*target, key, under);
    }
}

/* ---- JSON Pointer ---- */

/* The next word of a pointer, with ~1 and ~0 undone, into out. False at its end. */
static bool pointer_next(const char **at, char *out, size_t size)
{
    size_t n = 0;

    if (**at != '/')
        return false;
    for ((*at)++; **at && **at != '/'; (*at)++) {
        char c = **at;

        if (c == '~' && ((*at)[1] == '0' || (*at)[1] == '1'))
            c = *++(*at) == '0' ? '~' : '/';
        if (n + 1 < size)
            out[n++] = c;
    }
    out[n] = 0;
    return true;
}

static json_t *child_of(json_t *parent, const char *word)
{
    uint64_t i;

    if (json_is_object(parent))
        return json_object_get(parent, word);
    if (json_is_array(parent) && str_to_u64(str_of(word), &i) == 0)
        return json_array_get(parent, (size_t)i);
    return NULL;
}

/* Parent of the place and the last word; NULL: the way there doesn't exist. "" (the whole) has no parent. */
static json_t *pointer_parent(json_t *root, const char *pointer, char *last, size_t size)
{
    const char *at = pointer;
    json_t *parent = root;

    if (!pointer_next(&at, last, size))
        return NULL;
    while (*at == '/') {
        parent = child_of(parent, last);
        if (!parent || !pointer_next(&at, last, size))
            return NULL;
    }
    return json_is_object(parent) || json_is_array(parent) ? parent : NULL;
}

static json_t *pointer_get(json_t *root, const char *pointer)
{
    char last[512];
    json_t *parent;

    if (!*pointer)
        return root;
    parent = pointer_parent(root, pointer, last, sizeof(last));
    return parent ? child_of(parent, last) : NULL;
}

/* ---- JSON Patch ---- */

static int place_add(json_t *parent, const char *word, json_t *value_take)
{
    uint64_t i;

    if (json_is_object(parent))
        return json_object_set_new(parent, word, value_take);
    if (strcmp(word, "-") == 0)
        return json_array_append_new(parent, value_take);
    if (str_to_u64(str_of(word), &i) < 0 || i > json_array_size(parent)) {
        json_decref(value_take);
        return -1;
    }
    return json_array_insert_new(parent, (size_t)i, value_take);
}

static int place_remove(json_t *parent, const char *word)
{
    uint64_t i;

    if (json_is_object(parent))
        return json_object_del(parent, word);
    return str_to_u64(str_of(word), &i) == 0 ? json_array_remove(parent, (size_t)i) : -1;
}

static int place_replace(json_t *parent, const char *word, json_t *value_take)
{
    uint64_t i;

    if (!child_of(parent, word)) {
        json_decref(value_take);
        return -1;
    }
    if (json_is_object(parent))
        return json_object_set_new(parent, word, value_take);
    if (str_to_u64(str_of(word), &i) < 0) {
        json_decref(value_take);
        return -1;
    }
    return json_array_set_new(parent, (size_t)i, value_take);
}

static bool move(json_t *root, const char *from, const char *path)
{
    char last[512], from_last[512];
    json_t *from_parent = pointer_parent(root, from, from_last, sizeof(from_last)), *parent;
    json_t *value = from_parent ? json_incref(child_of(from_parent, from_last)) : NULL;
    size_t n = strlen(from);
    bool into_itself = strncmp(path, from, n) == 0 && path[n] == '/';

    if (!value || into_itself || place_remove(from_parent, from_last) < 0) {
        json_decref(value);
        return false;
    }
    parent = pointer_parent(root, path, last, sizeof(last));
    if (parent)
        return place_add(parent, last, value) == 0;
    json_decref(value);
    return false;
}

/* Copies of copies double with each operation: all copies of a patch together are no larger than a request. */
static bool may_copy(const json_t *value, size_t *left)
{
    size_t n = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);

    if (!n || n > *left)
        return false;
    *left -= n;
    return true;
}

/* One operation; false when it can't be done. */
static bool operate(json_t **root, const json_t *o, size_t *copies_left)
{
    const char *op = json_text(o, "op"), *path = json_text(o, "path"), *from = json_text(o, "from");
    json_t *value = json_object_get(o, "value"), *parent;
    char last[512];

    if (!json_is_string(json_object_get(o, "path")))
        return false;
    if (strcmp(op, "test") == 0) {
        json_t *there = pointer_get(*root, path);

        return there && value && json_equal(there, value);
    }
    if (strcmp(op, "move") == 0 && *path)
        return move(*root, from, path);
    if (strcmp(op, "copy") == 0 || strcmp(op, "move") == 0)
        value = pointer_get(*root, from);
    if (strcmp(op, "copy") == 0 && value && !may_copy(value, copies_left))
        return false;
    if (!value && strcmp(op, "remove") != 0)
        return false;
    if (!*path) { /* the whole document */
        json_t *whole = json_clone(value);

        json_decref(whole ? *root : NULL);
        *root = whole ? whole : *root;
        return whole != NULL;
    }
    parent = pointer_parent(*root, path, last, sizeof(last));
    if (!parent)
        return false;
    if (strcmp(op, "copy") == 0 || strcmp(op, "add") == 0)
        return place_add(parent, last, json_clone(value)) == 0;
    if (strcmp(op, "replace") == 0)
        return place_replace(parent, last, json_clone(value)) == 0;
    return strcmp(op, "remove") == 0 && place_remove(parent, last) == 0;
}

int patch_json(json_t **target, const json_t *operations, struct error *e)
{
    const json_t *o;
    size_t i, copies_left = LIMIT_REQUEST_BODY;

    json_array_foreach(operations, i, o)
        if (!operate(target, o, &copies_left))
            return error_set(e, ERR_INVALID,
                             "the server rejected our request due to an error in our request: operation %zu, %s of %s, "
                             "can't be done",
                             i, json_text(o, "op"), json_text(o, "path"));
    return 0;
}

/* ---- by content type ---- */

int patch_apply(const struct resource *r, struct str content_type, const json_t *from, const json_t *patch,
                json_t **ret, struct error *e)
{
    bool is_list = json_is_array(patch);
    json_t *target = resource_copy(r, from, !is_list && !json_object_get(patch, "spec"));
    bool strategic = str_is(content_type, "application/strategic-merge-patch+json");
    int rc = 0;

    if (str_is(content_type, "application/json-patch+json")) {
        if (!is_list)
            rc = (error_set(e, ERR_INVALID, "a JSON patch is a list of operations"), PATCH_MALFORMED);
        else if (patch_json(&target, patch, e) < 0)
            rc = PATCH_INVALID;
    } else if (!json_is_object(patch)) {
        rc = (error_set(e, ERR_INVALID, "a patch of this type is an object"), PATCH_MALFORMED);
    } else if (strategic && r->builtin) {
        if (patch_strategic(target, patch, e) < 0)
            rc = PATCH_MALFORMED;
    } else if (str_is(content_type, "application/merge-patch+json")) {
        patch_merge(&target, patch);
    } else {
        error_set(e, ERR_INVALID,
                  "the body of the request was in an unknown format - accepted media types include: "
                  "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml%s",
                  r->builtin ? ", application/strategic-merge-patch+json" : "");
        rc = PATCH_UNSUPPORTED;
    }
    if (rc == 0 && !json_is_object(target))
        rc = (error_set(e, ERR_INVALID, "the patched object is no object"), PATCH_INVALID);
    if (rc == 0)
        *ret = target;
    else
        json_decref(target);
    return rc;
}
