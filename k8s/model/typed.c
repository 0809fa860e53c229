/* typed: see typed.h. The table of fields is proto's. */
#include "k8s/model/typed.h"

#include <stdio.h>

#include "core/base/buf.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/model/proto.h"

struct walk {
    struct buf path; /* "spec.containers[0].env" */
    json_t *dropped;
    struct error *e;
    int depth;
};

static bool message(struct walk *w, const struct proto_message *m, json_t *object);

static const char *go_type(const json_t *v)
{
    static const char *const names[] = {"object", "array", "string", "number", "number", "bool", "bool", "null"};

    return names[json_typeof(v)];
}

/* In these messages a place has no indexes. */
static void without_indexes(struct str path, char *out, size_t size)
{
    size_t n = 0;
    bool inside = false;

    for (size_t i = 0; i < path.n && n + 1 < size; i++) {
        inside = inside || path.p[i] == '[';
        if (!inside)
            out[n++] = path.p[i];
        inside = inside && path.p[i] != ']';
    }
    out[n] = 0;
}

static bool mismatch(struct walk *w, const struct proto_message *m, const json_t *v, const char *wanted)
{
    char path[512];

    without_indexes(buf_str(&w->path), path, sizeof(path));
    (void)error_set(w->e, ERR_INVALID, "json: cannot unmarshal %s into Go struct field %s.%s of type %s", go_type(v),
                    m->name, path, wanted);
    return false;
}

static bool time_fits(struct walk *w, const char *text)
{
    int64_t ms;

    if (str_parse_time(str_of(text), &ms) == 0)
        return true;
    (void)error_set(w->e, ERR_INVALID,
                    "parsing time \"%.64s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"%.64s\" as \"2006\"", text,
                    text);
    return false;
}

/* One value of the field's type, not the list or map around it. */
static bool value(struct walk *w, const struct proto_message *m, const struct proto_field *f, json_t *v)
{
    const struct proto_message *inner;

    if (f->type[1]) {
        inner = proto_find(f->type);
        if (!json_is_object(v))
            return mismatch(w, m, v, f->type);
        return !inner || message(w, inner, v);
    }
    switch (f->type[0]) {
    case 's':
    case 'y':
        return json_is_string(v) || mismatch(w, m, v, "string");
    case 't':
    case 'u':
        return json_is_string(v) ? f->type[0] == 'u' || time_fits(w, json_string_value(v)) : mismatch(w, m, v, "Time");
    case 'b':
        return json_is_boolean(v) || mismatch(w, m, v, "bool");
    case 'i':
        return json_is_integer(v) || mismatch(w, m, v, "int32");
    case 'q':
        return json_is_string(v) || json_is_number(v) || mismatch(w, m, v, "Quantity");
    case 'n':
        return json_is_string(v) || json_is_integer(v) || mismatch(w, m, v, "IntOrString");
    default:
        return true; /* skipped, refused: nothing is known */
    }
}

static void path_cut(struct walk *w, size_t n)
{
    w->path.len = n;
    if (w->path.data)
        w->path.data[n] = 0;
}

static bool field(struct walk *w, const struct proto_message *m, const struct proto_field *f, json_t *v)
{
    size_t at = w->path.len, i;
    const char *key;
    json_t *item;
    bool ok = true;

    if (f->list) {
        if (!json_is_array(v))
            return mismatch(w, m, v, "[]");
        json_array_foreach(v, i, item) {
            buf_printf(&w->path, "[%zu]", i);
            ok = ok && value(w, m, f, item);
            path_cut(w, at);
        }
        return ok;
    }
    if (f->map) {
        if (!json_is_object(v))
            return mismatch(w, m, v, "map[string]string");
        json_object_foreach(v, key, item) {
            buf_printf(&w->path, "[%s]", key);
            ok = ok && value(w, m, f, item);
            path_cut(w, at);
        }
        return ok;
    }
    return value(w, m, f, v);
}

static bool message(struct walk *w, const struct proto_message *m, json_t *object)
{
    size_t at = w->path.len;
    struct proto_field f;
    const char *key;
    json_t *v;
    void *next;
    bool ok = ++w->depth < LIMIT_JSON_DEPTH;

    json_object_foreach_safe(object, next, key, v) {
        bool envelope = w->depth == 1 && (strcmp(key, "kind") == 0 || strcmp(key, "apiVersion") == 0);

        if (!ok || envelope)
            continue;
        buf_printf(&w->path, "%s%s", at ? "." : "", key);
        if (!proto_field_named(m, key, &f)) {
            json_array_append_new(w->dropped, json_stringn(w->path.data, w->path.len));
            json_object_del(object, key);
        } else if (!json_is_null(v)) {
            ok = field(w, m, &f, v);
        }
        path_cut(w, at);
    }
    w->depth--;
    return ok;
}

int typed_check(const char *kind, json_t *object, json_t *ret_dropped, struct error *e)
{
    const struct proto_message *m = proto_find(kind);
    struct walk w = {.dropped = ret_dropped, .e = e};
    bool ok;

    if (!m)
        return 0;
    buf_init(&w.path, 64 * 1024);
    ok = message(&w, m, object);
    buf_done(&w.path);
    return ok ? 0 : ERR_INVALID;
}
