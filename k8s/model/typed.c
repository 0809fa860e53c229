/* typed: see typed.h. The table of fields is proto's. */
#include "k8s/model/typed.h"

#include <stdio.h>

#include "core/base/buf.h"
#include "core/base/limits.h"
#include "k8s/model/cause.h"
#include "k8s/model/proto.h"

struct walk {
    const json_t *old; /* the whole as it is stored, NULL: it is new */
    json_t *dropped;
    struct error *e;
    int depth;
};

static bool message(struct walk *w, const struct proto_message *m, json_t *object, const struct place *at);

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

static bool mismatch(struct walk *w, const struct proto_message *m, const json_t *v, const char *wanted,
                     const struct place *at)
{
    struct buf text;
    char path[512];

    buf_init(&text, 64 * 1024);
    cause_place(at, &text);
    without_indexes(buf_str(&text), path, sizeof(path));
    buf_done(&text);
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

static void drop(struct walk *w, json_t *object, const char *key, const struct place *at)
{
    struct buf text;

    buf_init(&text, 64 * 1024);
    cause_place(at, &text);
    json_array_append_new(w->dropped, json_stringn(text.data, text.len));
    buf_done(&text);
    json_object_del(object, key);
}

/* One value of the field's type, not the list or map around it. */
static bool value(struct walk *w, const struct proto_message *m, const struct proto_field *f, json_t *v,
                  const struct place *at)
{
    const struct proto_message *inner;

    if (f->type[1]) {
        inner = proto_find(f->type);
        if (!json_is_object(v))
            return mismatch(w, m, v, f->type, at);
        return !inner || message(w, inner, v, at);
    }
    switch (f->type[0]) {
    case 's':
    case 'y':
        return json_is_string(v) || mismatch(w, m, v, "string", at);
    case 't':
    case 'u':
        if (!json_is_string(v))
            return mismatch(w, m, v, "Time", at);
        return f->type[0] == 'u' || time_fits(w, json_string_value(v));
    case 'b':
        return json_is_boolean(v) || mismatch(w, m, v, "bool", at);
    case 'i':
        return json_is_integer(v) || mismatch(w, m, v, "int32", at);
    case 'q':
        return json_is_string(v) || json_is_number(v) || mismatch(w, m, v, "Quantity", at);
    case 'n':
        return json_is_string(v) || json_is_integer(v) || mismatch(w, m, v, "IntOrString", at);
    default:
        return true; /* skipped, refused: nothing is known */
    }
}

static bool field(struct walk *w, const struct proto_message *m, const struct proto_field *f, json_t *v,
                  const struct place *at)
{
    const char *key;
    json_t *item;
    bool ok = true;
    size_t i;

    if (f->list) {
        if (!json_is_array(v))
            return mismatch(w, m, v, "[]", at);
        json_array_foreach(v, i, item)
            ok = ok && value(w, m, f, item, &(struct place){.up = at, .index = (ssize_t)i});
        return ok;
    }
    if (f->map) {
        if (!json_is_object(v))
            return mismatch(w, m, v, "map[string]string", at);
        json_object_foreach(v, key, item)
            ok = ok && value(w, m, f, item, &(struct place){.up = at, .name = key, .bracket = true});
        return ok;
    }
    return value(w, m, f, v, at);
}

/* As it was: it was checked then. */
static bool is_stored(const struct walk *w, const char *key, const json_t *v)
{
    const json_t *was = json_object_get(w->old, key);

    return was && json_equal(was, v);
}

static bool message(struct walk *w, const struct proto_message *m, json_t *object, const struct place *at)
{
    struct proto_field f;
    const char *key;
    json_t *v;
    void *next;
    bool ok = ++w->depth < LIMIT_JSON_DEPTH;

    json_object_foreach_safe(object, next, key, v) {
        bool envelope = w->depth == 1 && (strcmp(key, "kind") == 0 || strcmp(key, "apiVersion") == 0);
        struct place below = {.up = at, .name = key};

        if (!ok || envelope || (w->depth == 1 && is_stored(w, key, v)))
            continue;
        if (!proto_field_named(m, key, &f))
            drop(w, object, key, &below);
        else if (!json_is_null(v))
            ok = field(w, m, &f, v, &below);
    }
    w->depth--;
    return ok;
}

int typed_check(const char *kind, json_t *object, const json_t *old, json_t *ret_dropped, struct error *e)
{
    const struct proto_message *m = proto_find(kind);
    struct walk w = {.old = old, .dropped = ret_dropped, .e = e};
    struct place top = {0};

    return !m || message(&w, m, object, &top) ? 0 : ERR_INVALID;
}
