/*
 * status: refusals as Kubernetes' Status objects, worded as users of kubectl know them, and the small parts of making
 * an answer.
 */
#include <stdarg.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/cause.h"
#include "k8s/model/request.h"

const char *request_what(const struct request *q, char out[256])
{
    (void)snprintf(out, 256, "%s%s%s", q->plural, *q->group ? "." : "", q->group);
    return out;
}

void request_drop_answer(struct request *q)
{
    json_decref(q->answer);
    stored_unref(q->stored);
    q->answer = NULL;
    q->stored = NULL;
    q->is_list = false;
}

/* Of a request that made no sense, the answer names no object. */
static bool tells_of_object(const char *reason)
{
    static const char *const those[] = {"NotFound", "AlreadyExists", "Conflict", "Forbidden", "Invalid"};

    for (size_t i = 0; i < sizeof(those) / sizeof(those[0]); i++)
        if (strcmp(those[i], reason) == 0)
            return true;
    return false;
}

static int refuse(struct request *q, int code, const char *reason, const char *message)
{
    json_t *details = NULL;

    if (q->is_resource && tells_of_object(reason)) {
        details = json_object();
        if (*q->name)
            json_object_set_new(details, "name", json_string(q->name));
        if (*q->group)
            json_object_set_new(details, "group", json_string(q->group));
        json_object_set_new(details, "kind", json_string(q->plural));
    }
    request_drop_answer(q);
    q->answer = json_pack("{s:s, s:s, s:{}, s:s, s:o, s:s*, s:o*, s:i}", "kind", "Status", "apiVersion", "v1",
                          "metadata", "status", "Failure", "message", cause_string(message), "reason",
                          *reason ? reason : NULL, "details", details, "code", code);
    return code;
}

int request_fail(struct request *q, int code, const char *reason, const char *fmt, ...)
{
    char message[2048];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return refuse(q, code, reason, message);
}

static json_t *details_of(struct request *q)
{
    json_t *details = json_object_get(q->answer, "details");

    if (!details) {
        details = json_object();
        json_object_set_new(q->answer, "details", details);
    }
    return details;
}

void request_cause(struct request *q, const char *reason, const char *message, const char *field)
{
    json_t *details = details_of(q), *causes = json_object_get(details, "causes");

    if (!causes) {
        causes = json_array();
        json_object_set_new(details, "causes", causes);
    }
    json_array_append_new(causes, json_pack("{s:s, s:o, s:s*}", "reason", reason, "message", cause_string(message),
                                            "field", field));
}

/* 'BackupSession.stash.appscode.com "x" is invalid: [spec.a: Required value, spec.b: Invalid value: 1: …]' */
static int invalid(struct request *q, const char *kind, const char *group, const char *name, json_t *causes_take)
{
    size_t n = json_array_size(causes_take), i;
    const json_t *cause;
    json_t *details;
    struct buf text;

    buf_init(&text, 32 * 1024);
    buf_printf(&text, "%s%s%s \"%s\" is invalid: %s", kind, *group ? "." : "", group, name, n > 1 ? "[" : "");
    json_array_foreach(causes_take, i, cause) {
        const char *field = json_text(cause, "field");

        buf_printf(&text, "%s%s%s%s", i ? ", " : "", field, *field ? ": " : "", json_text(cause, "message"));
    }
    buf_puts(&text, n > 1 ? "]" : "");
    refuse(q, 422, "Invalid", text.data);
    buf_done(&text);
    details = json_pack("{s:s, s:o}", "kind", kind, "causes", causes_take);
    if (*name)
        json_object_set_new(details, "name", json_string(name));
    if (*group)
        json_object_set_new(details, "group", json_string(group));
    json_object_set_new(q->answer, "details", details);
    return 422;
}

int request_invalid(struct request *q, const char *name, json_t *causes_take)
{
    return invalid(q, q->r->kind, q->group, name, causes_take);
}

int request_invalid_options(struct request *q, const char *kind, json_t *causes_take)
{
    return invalid(q, kind, "meta.k8s.io", "", causes_take);
}

int request_not_found(struct request *q, const char *name)
{
    char what[256];

    return request_fail(q, 404, "NotFound", "%s \"%s\" not found", request_what(q, what), name);
}

json_t *request_as(const struct resource *r, const json_t *object)
{
    char version[256];
    json_t *copy;

    if (!r || r->builtin || strcmp(json_text(object, "apiVersion"), resource_api_version(r, version)) == 0)
        return json_incref((json_t *)(uintptr_t)object);
    copy = json_copy((json_t *)(uintptr_t)object);
    json_object_set_new(copy, "apiVersion", json_string(version));
    return copy;
}

int request_answer_stored(struct request *q, int code, struct stored *o)
{
    request_drop_answer(q);
    q->answer = request_as(q->r, o->json);
    if (q->answer == o->json)
        q->stored = stored_ref(o);
    return code;
}

int request_answer(struct request *q, int code, const json_t *object)
{
    request_drop_answer(q);
    q->answer = request_as(q->r, object);
    return code;
}

void request_warn(struct request *q, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    buf_printf(&q->warnings, "%s\n", text);
}

const char *request_query(const struct request *q, const char *key, char *out, size_t size)
{
    if (!http_query(q->query, key, out, size))
        out[0] = 0;
    return out;
}

bool request_query_flag(const struct request *q, const char *key)
{
    char text[8];

    request_query(q, key, text, sizeof(text));
    return strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "True") == 0;
}
