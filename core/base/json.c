/* json: see json.h. */
#include "core/base/json.h"

#include "core/base/mem.h"

static json_t *step(const json_t *at, struct str name)
{
    uint64_t i;

    if (json_is_object(at))
        return json_object_getn(at, name.p, name.n);
    if (json_is_array(at) && str_to_u64(name, &i) == 0)
        return json_array_get(at, (size_t)i);
    return NULL;
}

json_t *json_at(const json_t *root, const char *path)
{
    struct str rest = str_of(path), name;
    const json_t *at = root;

    while (at && str_cut(&rest, '.', &name))
        at = step(at, name);
    return (json_t *)(uintptr_t)at; /* jansson's own getters drop const in the same way */
}

const char *json_text(const json_t *root, const char *path)
{
    const char *text = json_string_value(json_at(root, path));

    return text ? text : "";
}

int64_t json_int(const json_t *root, const char *path, int64_t fallback)
{
    const json_t *value = json_at(root, path);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_flag(const json_t *root, const char *path, bool fallback)
{
    const json_t *value = json_at(root, path);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

struct str json_str(const json_t *string)
{
    return json_is_string(string) ? (struct str){json_string_value(string), json_string_length(string)} : STR_NONE;
}

const char *json_meta(const json_t *object, const char *map, const char *key)
{
    const char *text = json_string_value(json_object_get(json_at(json_object_get(object, "metadata"), map), key));

    return text ? text : "";
}

bool json_has_text(const json_t *array, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach (array, i, item)
        if (str_same(json_string_value(item), text))
            return true;
    return false;
}

/* ---- text ---- */

/* Up to the first byte that can't stand in a string as it is; what is no ASCII can. */
static size_t plain_length(struct str s)
{
    const char *p = s.p, *end = s.n ? s.p + s.n : s.p;

    while ((p = str_plain_run(p, end)) < end && (unsigned char)*p >= 0x80)
        p++;
    return (size_t)(p - s.p);
}

static void write_escaped(struct buf *out, char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = memchr(from, c, sizeof(from) - 1);

    if (at)
        buf_printf(out, "\\%c", to[at - from]);
    else
        buf_printf(out, "\\u%04X", (unsigned char)c);
}

static void write_string(struct buf *out, struct str s)
{
    char *room = plain_length(s) == s.n ? buf_reserve(out, s.n + 2) : NULL;

    if (room) { /* nearly always */
        room[0] = '"';
        memcpy(room + 1, s.p, s.n);
        room[s.n + 1] = '"';
        buf_commit(out, s.n + 2);
        return;
    }
    buf_putc(out, '"');
    while (s.n) {
        size_t n = plain_length(s);

        buf_add(out, s.p, n);
        if (n < s.n)
            write_escaped(out, s.p[n++]);
        s = (struct str){s.p + n, s.n - n};
    }
    buf_putc(out, '"');
}

static void write_real(struct buf *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);

    buf_puts(out, text);
    mem_free(text);
}

static void write_object(struct buf *out, const json_t *object)
{
    const char *key;
    size_t n;
    json_t *value;
    bool first = true;

    buf_putc(out, '{');
    json_object_keylen_foreach ((json_t *)(uintptr_t)object, key, n, value) {
        if (!first)
            buf_putc(out, ',');
        first = false;
        write_string(out, (struct str){key, n});
        buf_putc(out, ':');
        json_write(out, value);
    }
    buf_putc(out, '}');
}

static void write_array(struct buf *out, const json_t *array)
{
    json_t *value;
    size_t i;

    buf_putc(out, '[');
    json_array_foreach (array, i, value) {
        if (i)
            buf_putc(out, ',');
        json_write(out, value);
    }
    buf_putc(out, ']');
}

void json_write(struct buf *out, const json_t *value)
{
    if (!value) {
        buf_puts(out, "null");
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(out, value);
        break;
    case JSON_ARRAY:
        write_array(out, value);
        break;
    case JSON_STRING:
        write_string(out, json_str(value));
        break;
    case JSON_INTEGER:
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(out, value);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_puts(out, json_is_true(value) ? "true" : "false");
        break;
    case JSON_NULL:
        buf_puts(out, "null");
        break;
    }
}

char *json_compact(const json_t *value)
{
    struct buf out;

    buf_init(&out, SIZE_MAX / 4);
    json_write(&out, value);
    return buf_take(&out);
}

/* ---- copies ---- */

static json_t *clone_object(const json_t *object)
{
    json_t *copy = json_object(), *value;
    const char *key;
    size_t n;

    json_object_keylen_foreach ((json_t *)(uintptr_t)object, key, n, value)
        json_object_setn_new_nocheck(copy, key, n, json_clone(value));
    return copy;
}

static json_t *clone_array(const json_t *array)
{
    json_t *copy = json_array(), *value;
    size_t i;

    json_array_foreach (array, i, value)
        json_array_append_new(copy, json_clone(value));
    return copy;
}

json_t *json_clone(const json_t *value)
{
    if (json_is_object(value))
        return clone_object(value);
    if (json_is_array(value))
        return clone_array(value);
    return json_incref((json_t *)(uintptr_t)value); /* NULL stays NULL */
}
