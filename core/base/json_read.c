/*
 * json_read: a tree from a text, as jansson's own reader makes it, which looks at each byte through several calls and
 * copies each string twice. Here a string is searched eight bytes at a time and copied once, into the tree.
 *
 * What jansson refuses is refused: depth over DEPTH_MAX, numbers out of range, what is no UTF-8, NUL in a key. So is a
 * bare NUL behind a number, which jansson takes for the end of its buffer and passes over.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum { DEPTH_MAX = 2048, NUMBER_MAX = 64 };

struct reader {
    const char *at, *end;
    struct buf text; /* of a string with escapes */
    unsigned depth;
    bool strict;
};

static json_t *read_value(struct reader *r);

/* The next byte that is no blank; 0 at the end, which no value begins with. */
static char next_sign(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
    return r->at < r->end ? *r->at : 0;
}

static bool take(struct reader *r, char sign)
{
    if (next_sign(r) != sign)
        return false;
    r->at++;
    return true;
}

/* ---- strings ---- */

/* Past what may stand in a string as it is; NULL: there is something that may not. */
static const char *text_run(const char *p, const char *end)
{
    for (;;) {
        size_t n;

        p = str_plain_run(p, end);
        if (p == end || (unsigned char)*p < 0x20)
            return NULL; /* a string has an end */
        if (*p == '"' || *p == '\\')
            return p;
        n = str_utf8_first((struct str){p, (size_t)(end - p)});
        if (!n)
            return NULL;
        p += n;
    }
}

static bool read_hex(struct reader *r, unsigned *ret)
{
    unsigned value = 0;

    if (r->end - r->at < 4)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        char c = *r->at++, low = (char)(c | 0x20);

        if (c >= '0' && c <= '9')
            value = value << 4 | (unsigned)(c - '0');
        else if (low >= 'a' && low <= 'f')
            value = value << 4 | (unsigned)(low - 'a' + 10);
        else
            return false;
    }
    *ret = value;
    return true;
}

/* After "\u". Halves of a pair come in pairs. */
static bool read_unicode(struct reader *r)
{
    unsigned c, low;

    if (!read_hex(r, &c) || (c >= 0xdc00 && c < 0xe000))
        return false;
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return false;
        r->at += 2;
        if (!read_hex(r, &low) || low < 0xdc00 || low >= 0xe000)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    if (!c && r->strict)
        return false;
    buf_put_utf8(&r->text, c);
    return true;
}

static bool read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;
    char c;

    if (r->at == r->end)
        return false;
    c = *r->at++;
    if (c == 'u')
        return read_unicode(r);
    at = memchr(from, c, sizeof(from) - 1);
    if (!at)
        return false;
    buf_putc(&r->text, to[at - from]);
    return true;
}

/* After the first backslash at `run`; from: where the string began. */
static bool read_escaped(struct reader *r, const char *from, const char *run, struct str *ret)
{
    buf_clear(&r->text);
    while (*run == '\\') {
        buf_add(&r->text, from, (size_t)(run - from));
        r->at = run + 1;
        if (!read_escape(r))
            return false;
        from = r->at;
        run = text_run(from, r->end);
        if (!run)
            return false;
    }
    buf_add(&r->text, from, (size_t)(run - from));
    r->at = run + 1;
    *ret = buf_str(&r->text);
    return buf_error(&r->text) == 0;
}

/* Borrowed until the next one. */
static bool read_string(struct reader *r, struct str *ret)
{
    const char *from, *run;

    if (!take(r, '"'))
        return false;
    from = r->at;
    run = text_run(from, r->end);
    if (!run)
        return false;
    if (*run == '\\')
        return read_escaped(r, from, run, ret);
    *ret = (struct str){from, (size_t)(run - from)};
    r->at = run + 1;
    return true;
}

/* ---- numbers and words ---- */

static size_t digits(struct reader *r)
{
    const char *from = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return (size_t)(r->at - from);
}

static bool is_at(const struct reader *r, const char *signs)
{
    return r->at < r->end && *r->at && strchr(signs, *r->at);
}

/* Its end, by the grammar; false: it is none. */
static bool skip_number(struct reader *r, bool *ret_is_real)
{
    *ret_is_real = false;
    r->at += is_at(r, "-");
    if (is_at(r, "0"))
        r->at++;
    else if (!digits(r))
        return false;
    if (is_at(r, ".")) {
        *ret_is_real = true;
        r->at++;
        if (!digits(r))
            return false;
    }
    if (is_at(r, "eE")) {
        *ret_is_real = true;
        r->at++;
        r->at += is_at(r, "+-");
        if (!digits(r))
            return false;
    }
    return true;
}

static json_t *real_of(const char *text)
{
    double value;

    errno = 0;
    value = strtod(text, NULL);
    if (errno == ERANGE && (value > 1 || value < -1)) /* too small is nought, or nearly */
        return NULL;
    return json_real(value);
}

static json_t *read_number(struct reader *r)
{
    const char *from = r->at;
    char small[NUMBER_MAX], *text = small;
    json_t *value = NULL;
    bool is_real;
    int64_t whole;
    size_t n;

    if (!skip_number(r, &is_real))
        return NULL;
    n = (size_t)(r->at - from);
    if (!is_real)
        return str_to_i64((struct str){from, n}, &whole) == 0 ? json_integer(whole) : NULL;
    if (n >= sizeof(small))
        text = mem_alloc(n + 1);
    memcpy(text, from, n);
    text[n] = 0;
    value = real_of(text);
    if (text != small)
        mem_free(text);
    return value;
}

static json_t *read_word(struct reader *r)
{
    static const struct str words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    struct str left = {r->at, (size_t)(r->end - r->at)};

    for (unsigned i = 0; i < 3; i++) {
        if (!str_starts(left, words[i]))
            continue;
        r->at += words[i].n;
        return i == 2 ? json_null() : json_boolean(i == 0);
    }
    return NULL;
}

/* ---- containers ---- */

static bool read_member(struct reader *r, json_t *object)
{
    struct str text;
    char small[64], *key = small;
    size_t n, before = json_object_size(object);
    json_t *value;
    bool good;

    if (!read_string(r, &text) || (text.n && memchr(text.p, 0, text.n)))
        return false;
    n = text.n;
    if (text.p == r->text.data) { /* the value may need that memory */
        key = n > sizeof(small) ? mem_alloc(n) : small;
        memcpy(key, text.p, n);
        text.p = key;
    }
    value = take(r, ':') ? read_value(r) : NULL;
    good = value && json_object_setn_new_nocheck(object, text.p, n, value) == 0;
    good = good && (!r->strict || json_object_size(object) > before); /* else the key had come before */
    if (key != small)
        mem_free(key);
    return good;
}

static bool read_item(struct reader *r, json_t *array)
{
    json_t *value = read_value(r);

    return value && json_array_append_new(array, value) == 0;
}

/* After the opening bracket. */
static json_t *read_members(struct reader *r, json_t *into, char end, bool (*read)(struct reader *r, json_t *into))
{
    bool good = true;

    if (take(r, end))
        return into;
    do
        good = read(r, into);
    while (good && take(r, ','));
    if (good && take(r, end))
        return into;
    json_decref(into);
    return NULL;
}

static json_t *read_value(struct reader *r)
{
    struct str text;
    json_t *value = NULL;
    char sign = next_sign(r);

    if (++r->depth > DEPTH_MAX)
        return NULL;
    if (sign == '{' || sign == '[') {
        r->at++;
        value = sign == '{' ? read_members(r, json_object(), '}', read_member)
                            : read_members(r, json_array(), ']', read_item);
    } else if (sign == '"') {
        value = read_string(r, &text) ? json_stringn_nocheck(text.p, text.n) : NULL;
    } else if (sign == '-' || (sign >= '0' && sign <= '9')) {
        value = read_number(r);
    } else {
        value = read_word(r);
    }
    r->depth--;
    return value;
}

static json_t *read_text(struct str text, bool strict)
{
    struct reader r = {.at = text.p, .end = text.n ? text.p + text.n : text.p, .strict = strict};
    json_t *value = NULL;
    char sign;

    buf_init(&r.text, SIZE_MAX / 4);
    sign = next_sign(&r);
    if (sign == '{' || sign == '[')
        value = read_value(&r);
    buf_done(&r.text);
    if (value && next_sign(&r) == 0 && r.at == r.end)
        return value;
    json_decref(value);
    return NULL;
}

json_t *json_read(struct str text)
{
    return read_text(text, false);
}

json_t *json_read_strict(struct str text)
{
    return read_text(text, true);
}
