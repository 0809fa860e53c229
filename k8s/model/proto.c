/* proto: see proto.h. The wire format is protobuf's: a key (number and type), then a varint or counted bytes. */
#include "k8s/model/proto.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct wire { /* one field as it lies on the wire */
    unsigned number, type;
    uint64_t value;   /* varint */
    struct str bytes; /* counted bytes */
};

/* ---- the wire ---- */

static bool varint(struct str *in, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && in->n; shift += 7) {
        unsigned char c = (unsigned char)*in->p++;

        in->n--;
        value |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* 1: a field, 0: the end, -1: malformed. */
static int wire_next(struct str *in, struct wire *w)
{
    uint64_t key;

    if (!in->n)
        return 0;
    if (!varint(in, &key) || key >> 3 > 100000)
        return -1;
    *w = (struct wire){.number = (unsigned)(key >> 3), .type = (unsigned)(key & 7)};
    if (w->type == WIRE_VARINT)
        return varint(in, &w->value) ? 1 : -1;
    if (w->type == WIRE_BYTES) {
        uint64_t n;

        if (!varint(in, &n) || n > in->n)
            return -1;
        w->bytes = (struct str){in->p, (size_t)n};
        *in = (struct str){in->p + n, in->n - (size_t)n};
        return 1;
    }
    return -1; /* fixed 32 and 64 bit numbers: no kind here has any */
}

/* ---- the table ---- */

static int message_cmp(const void *key, const void *m)
{
    return strcmp(key, ((const struct proto_message *)m)->name);
}

const struct proto_message *proto_find(const char *name)
{
    return bsearch(name, proto_messages, n_proto_messages, sizeof(proto_messages[0]), message_cmp);
}

/* Cut to what fits; our own table has nothing that long. */
static void copy_word(char *out, size_t size, struct str word)
{
    size_t n = word.n < size ? word.n : size - 1;

    if (n)
        memcpy(out, word.p, n);
    out[n] = 0;
}

/* "12 name type": f from a field's text without its ';'. */
static void field_read(struct str text, struct proto_field *f)
{
    struct str word, rest = str_trim(text);

    *f = (struct proto_field){.list = false};
    (void)str_cut(&rest, ' ', &word);
    (void)str_cut(&rest, ' ', &word);
    copy_word(f->name, sizeof(f->name), word);
    f->list = rest.n && *rest.p == '*';
    f->map = rest.n && *rest.p == '%';
    if (f->list || f->map)
        rest = (struct str){rest.p + 1, rest.n - 1};
    f->pointer = rest.n && rest.p[rest.n - 1] == '?';
    rest.n -= f->pointer;
    f->skipped = str_is(rest, "-");
    f->refused = str_is(rest, "!");
    copy_word(f->type, sizeof(f->type), rest);
}

bool proto_field_numbered(const struct proto_message *m, unsigned number, struct proto_field *f)
{
    struct str rest = str_of(m->fields), one;

    while (str_cut(&rest, ';', &one)) {
        if (strtoul(one.n ? one.p : "0", NULL, 10) == number) {
            field_read(one, f);
            return true;
        }
    }
    return false;
}

/* The field whose name stands at `at`, between blanks. */
static void field_around(const char *fields, const char *at, struct proto_field *f)
{
    const char *from = at, *end = strchr(at + 1, ';');

    while (from > fields && from[-1] >= '0' && from[-1] <= '9')
        from--;
    field_read((struct str){from, (size_t)(end - from)}, f);
}

/* The next place of " name " in the fields, with a number in front of it. */
static const char *name_place(const char *fields, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = strchr(fields, ' '); at; at = strchr(at + 1, ' '))
        if (at > fields && at[-1] >= '0' && at[-1] <= '9' && strncmp(at + 1, name, n) == 0 && at[1 + n] == ' ')
            return at;
    return NULL;
}

bool proto_field_named(const struct proto_message *m, const char *name, struct proto_field *f)
{
    const char *at = *name == '.' || strchr(name, ' ') ? NULL : name_place(m->fields, name);

    if (at) {
        field_around(m->fields, at, f);
        return true;
    }
    for (at = name_place(m->fields, "."); at; at = name_place(at + 1, ".")) {
        const struct proto_message *inner;

        field_around(m->fields, at, f);
        inner = proto_find(f->type);
        if (inner && proto_field_named(inner, name, f))
            return true;
    }
    return false;
}

/* ---- values ---- */

static bool message(const struct proto_message *m, struct str in, json_t *into, int depth, struct error *e);

static json_t *bad(struct error *e, const char *what)
{
    (void)error_set(e, ERR_INVALID, "protobuf: malformed %s", what);
    return NULL;
}

static json_t *time_value(struct str in, bool fractions, struct error *e)
{
    int64_t seconds = 0, nanos = 0;
    char text[32], full[64];
    struct wire w;
    bool any = false;

    while (wire_next(&in, &w) == 1) {
        any = true;
        if (w.number == 1)
            seconds = (int64_t)w.value;
        else if (w.number == 2)
            nanos = (int64_t)w.value;
    }
    /* Go's zero time is no time. */
    if (!any || seconds <= -62135596800 || seconds > 253402300799)
        return json_null();
    if (nanos < 0 || nanos > 999999999)
        return bad(e, "time");
    str_format_time(seconds, text);
    if (!fractions)
        return json_string(text);
    (void)snprintf(full, sizeof(full), "%.19s.%06lldZ", text, (long long)(nanos / 1000));
    return json_string(full);
}

static json_t *text_value(struct str s, struct error *e)
{
    json_t *value = s.n && memchr(s.p, 0, s.n) ? NULL : json_stringn(s.n ? s.p : "", s.n);

    return value ? value : bad(e, "text");
}

static json_t *quantity_value(struct str in, struct error *e)
{
    struct wire w = {0};

    return wire_next(&in, &w) == 1 && w.number == 1 ? text_value(w.bytes, e) : json_string("0");
}

static json_t *int_or_string(struct str in, struct error *e)
{
    bool is_text = false;
    int64_t number = 0;
    struct str text = STR_NONE;
    struct wire w;

    while (wire_next(&in, &w) == 1) {
        if (w.number == 1)
            is_text = w.value == 1;
        else if (w.number == 2)
            number = (int64_t)w.value;
        else if (w.number == 3)
            text = w.bytes;
    }
    return is_text ? text_value(text, e) : json_integer(number);
}

static json_t *bytes_value(struct str s)
{
    struct buf out;
    json_t *value;

    buf_init(&out, 2 * (size_t)LIMIT_REQUEST_BODY);
    base64_encode(&out, s);
    value = json_stringn(out.data, out.len);
    buf_done(&out);
    return value;
}

/* NULL with e; JSON null: leave it out. */
static json_t *value_of(const struct proto_field *f, const struct wire *w, int depth, struct error *e)
{
    const struct proto_message *m;
    json_t *object;

    if (f->type[1] == 0) {
        switch (f->type[0]) {
        case 'b':
            return json_boolean(w->value);
        case 'i':
            return json_integer((json_int_t)w->value);
        case 's':
            return w->type == WIRE_BYTES ? text_value(w->bytes, e) : bad(e, f->name);
        case 't':
        case 'u':
            return time_value(w->bytes, f->type[0] == 'u', e);
        case 'q':
            return quantity_value(w->bytes, e);
        case 'n':
            return int_or_string(w->bytes, e);
        case 'y':
            return bytes_value(w->bytes);
        default:
            return bad(e, f->name);
        }
    }
    m = proto_find(f->type);
    if (!m)
        return bad(e, f->type);
    object = json_object();
    if (message(m, w->bytes, object, depth + 1, e))
        return object;
    json_decref(object);
    return NULL;
}

/* Zero as Go sends it for what nobody set. */
static bool is_zero(const json_t *v)
{
    return json_is_null(v) || json_is_false(v) || (json_is_integer(v) && !json_integer_value(v)) ||
           (json_is_string(v) && !json_string_length(v)) || (json_is_object(v) && !json_object_size(v));
}

/* A map's entry: key 1, value 2; an absent value is the type's zero. */
static bool add_entry(json_t *object, const struct proto_field *f, struct str in, int depth, struct error *e)
{
    struct wire w, value = {.type = WIRE_BYTES};
    json_t *map = json_object_get(object, f->name), *v;
    char *key = NULL;
    bool ok;

    while (wire_next(&in, &w) == 1) {
        if (w.number == 1) {
            if (w.bytes.n && memchr(w.bytes.p, 0, w.bytes.n)) {
                mem_free(key);
                return bad(e, "key") != NULL;
            }
            mem_free(key);
            key = mem_strndup(w.bytes.n ? w.bytes.p : "", w.bytes.n);
        } else if (w.number == 2) {
            value = w;
        }
    }
    if (!map) {
        map = json_object();
        json_object_set_new(object, f->name, map);
    }
    v = value_of(f, &value, depth, e);
    ok = v && json_object_set_new(map, key ? key : "", v) == 0;
    if (v && !ok)
        (void)bad(e, "key");
    mem_free(key);
    return ok;
}

static bool add_field(json_t *object, const struct proto_field *f, const struct wire *w, int depth, struct error *e)
{
    const struct proto_message *m;
    json_t *value, *list;

    if (f->skipped)
        return true;
    if (f->map)
        return add_entry(object, f, w->bytes, depth, e);
    if (strcmp(f->name, ".") == 0) {
        m = proto_find(f->type);
        return m && message(m, w->bytes, object, depth + 1, e);
    }
    value = value_of(f, w, depth, e);
    if (!value)
        return false;
    if (f->list) {
        list = json_object_get(object, f->name);
        if (!list) {
            list = json_array();
            json_object_set_new(object, f->name, list);
        }
        json_array_append_new(list, value);
    } else if (json_is_null(value) || (!f->pointer && is_zero(value))) {
        json_decref(value);
    } else {
        json_object_set_new(object, f->name, value);
    }
    return true;
}

/* Fills `into`, which stays the caller's. */
static bool message(const struct proto_message *m, struct str in, json_t *into, int depth, struct error *e)
{
    struct proto_field f;
    struct wire w;
    int rc = depth > LIMIT_JSON_DEPTH ? -1 : 1;

    while (rc == 1 && (rc = wire_next(&in, &w)) == 1) {
        if (!proto_field_numbered(m, w.number, &f) || f.refused) {
            (void)error_set(e, ERR_INVALID, "protobuf: field %u of %s is not known here; send JSON", w.number, m->name);
            break;
        }
        if (!add_field(into, &f, &w, depth, e))
            break;
    }
    if (rc < 0)
        (void)bad(e, m->name);
    return rc == 0;
}

json_t *proto_load(struct str bytes, struct error *e)
{
    struct str raw = STR_NONE, type = STR_NONE, api = STR_NONE, kind = STR_NONE;
    const struct proto_message *m;
    json_t *object, *version;
    struct wire w;
    char name[128];

    if (!str_starts(bytes, (struct str){"k8s\0", 4}))
        return bad(e, "envelope");
    bytes = (struct str){bytes.p + 4, bytes.n - 4};
    while (wire_next(&bytes, &w) == 1) {
        if (w.number == 1)
            type = w.bytes;
        else if (w.number == 2)
            raw = w.bytes;
    }
    while (wire_next(&type, &w) == 1) {
        if (w.number == 1)
            api = w.bytes;
        else if (w.number == 2)
            kind = w.bytes;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)kind.n, kind.n ? kind.p : "");
    m = proto_find(name);
    if (!m) {
        (void)error_set(e, ERR_INVALID, "protobuf: kind %s is not known here; send JSON", name);
        return NULL;
    }
    object = json_object();
    version = text_value(api, e);
    if (!version) {
        json_decref(object);
        return NULL;
    }
    json_object_set_new(object, "apiVersion", version);
    json_object_set_new(object, "kind", json_string(name));
    if (!message(m, raw, object, 0, e)) {
        json_decref(object);
        return NULL;
    }
    return object;
}
