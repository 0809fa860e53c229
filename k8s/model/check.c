/*
 * check: what a kind says of an object before it is stored: its types, unknown fields, defaults, rules.
 */
#include "k8s/model/check.h"

#include "core/base/base64.h"
#include "core/base/json.h"
#include "k8s/model/builtin.h"
#include "k8s/model/crd.h"
#include "k8s/model/meta.h"
#include "k8s/model/schema.h"
#include "k8s/model/typed.h"

/* Typed kinds have no nulls: a null is an absent field. */
void check_drop_nulls(json_t *value)
{
    const char *key;
    json_t *item;
    void *next;
    size_t i;

    json_object_foreach_safe(value, next, key, item) {
        if (json_is_null(item))
            json_object_del(value, key);
        else
            check_drop_nulls(item);
    }
    json_array_foreach(value, i, item)
        check_drop_nulls(item);
}

/* ---- Secrets ---- */

/* stringData is write-only: folded into data. */
static void fold_string_data(json_t *secret)
{
    json_t *data = json_object_get(secret, "data"), *value;
    const char *key;

    if (!json_object_get(secret, "stringData"))
        return;
    if (!json_is_object(data)) {
        data = json_object();
        json_object_set_new(secret, "data", data);
    }
    json_object_foreach(json_object_get(secret, "stringData"), key, value) {
        struct buf out;

        buf_init(&out, 4 * 1024 * 1024);
        base64_encode(&out, json_str(value));
        json_object_set_new(data, key, json_stringn(out.data, out.len));
        buf_done(&out);
    }
    json_object_del(secret, "stringData");
}

/* ---- kinds ---- */

/* Unknown fields of a custom kind, by the query's fieldValidation: Strict refuses, Warn (the default) tells. */
static int tell_unknown(struct request *q, const json_t *dropped)
{
    char mode[16];
    const json_t *path;
    size_t i;
    struct buf text;
    int status = 0;

    request_query(q, "fieldValidation", mode, sizeof(mode));
    if (!json_array_size(dropped) || strcmp(mode, "Ignore") == 0)
        return 0;
    buf_init(&text, 8192);
    json_array_foreach(dropped, i, path) {
        if (strcmp(mode, "Strict") != 0)
            request_warn(q, "unknown field \"%s\"", json_string_value(path));
        buf_printf(&text, "%sunknown field \"%s\"", i ? ", " : "", json_string_value(path));
    }
    if (strcmp(mode, "Strict") == 0)
        status = request_fail(q, 400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: strict decoding "
                                                    "error: %s",
                              q->r->kind, q->r->version, q->r->kind, text.data);
    buf_done(&text);
    return status;
}

/* What decoding into a Go struct does; before defaults and checks, which rely on types. */
int check_typed(struct request *q, json_t *object, const json_t *old)
{
    json_t *dropped = json_array(), *value;
    const char *key;
    struct error e;
    void *next;
    int status = 0;

    json_object_foreach_safe (object, next, key, value) {
        if (json_is_null(value))
            json_object_del(object, key);
        else if (value != json_object_get(old, key)) /* what is stored has none */
            check_drop_nulls(value);
    }
    if (typed_check(q->r->kind, object, old, dropped, &e) < 0)
        status = request_fail(q, 400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: %s", q->r->kind,
                              q->r->version, q->r->kind, e.msg);
    if (!status)
        status = tell_unknown(q, dropped);
    json_decref(dropped);
    return status;
}

static int check_custom(struct request *q, json_t *object, const json_t *old, json_t *causes)
{
    json_t *dropped = json_array();
    int status;

    schema_prune(q->r->schema, object, dropped);
    status = tell_unknown(q, dropped);
    json_decref(dropped);
    if (status)
        return status;
    schema_default(q->r->schema, object);
    schema_validate(q->r->schema, object, old, causes);
    return 0;
}

/* Defaults and checks of the kind. 0, or the refusal. */
int check_kind(struct request *q, json_t *object, const json_t *old)
{
    json_t *causes = json_array();
    int status = 0;

    meta_validate(q->r, object, old, causes);
    if (q->r->builtin) {
        if (strcmp(q->r->kind, "Secret") == 0)
            fold_string_data(object);
        if (crd_is(q->r))
            crd_default(object);
        builtin_default(q->r, object, old);
        builtin_validate(q->r, object, old, causes);
        if (crd_is(q->r))
            crd_validate(object, old, causes);
    } else if (q->r->schema) {
        status = check_custom(q, object, old, causes);
    }
    if (!status && json_array_size(causes))
        return request_invalid(q, json_text(object, "metadata.name"), causes);
    json_decref(causes);
    return status;
}
