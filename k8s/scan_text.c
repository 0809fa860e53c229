/* scan_text: see scan_text.h. */
#include "k8s/scan_text.h"

void scan_text_begin(struct scan_text *t, struct buf *out)
{
    *t = (struct scan_text){.out = out, .start = out->len};
}

/* A high surrogate stood alone. */
static void drop_high(struct scan_text *t)
{
    if (t->high)
        buf_put_utf8(t->out, 0xfffd);
    t->high = 0;
}

static void put_unit(struct scan_text *t)
{
    unsigned u = t->unit;

    if (u >= 0xdc00 && u < 0xe000 && t->high) {
        buf_put_utf8(t->out, 0x10000 + ((t->high - 0xd800) << 10) + (u - 0xdc00));
        t->high = 0;
        return;
    }
    drop_high(t);
    if (u >= 0xd800 && u < 0xdc00)
        t->high = u;
    else
        buf_put_utf8(t->out, u >= 0xdc00 && u < 0xe000 ? 0xfffd : u);
}

static int escape(struct scan_text *t, char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = c ? strchr(from, c) : NULL;

    t->step = TEXT_PLAIN;
    if (c == 'u') {
        t->step = TEXT_HEX;
        t->unit = t->n_hex = 0;
        return 0;
    }
    if (!at)
        return -1;
    drop_high(t);
    buf_putc(t->out, to[at - from]);
    return 0;
}

static int hex(struct scan_text *t, char c)
{
    unsigned digit;

    if (c >= '0' && c <= '9')
        digit = (unsigned)(c - '0');
    else if ((c | 32) >= 'a' && (c | 32) <= 'f')
        digit = (unsigned)((c | 32) - 'a' + 10);
    else
        return -1;
    t->unit = t->unit << 4 | digit;
    if (++t->n_hex == 4) {
        t->step = TEXT_PLAIN;
        put_unit(t);
    }
    return 0;
}

/* The high bit of the first byte that is zero; maybe others of bytes after it. */
static uint64_t zero_bytes(uint64_t x)
{
    return (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
}

/* Eight bytes at a time: most strings are shorter than what a call of memchr is worth. */
const char *scan_text_run(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t word, found;

        memcpy(&word, p, 8);
        if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
            word = __builtin_bswap64(word);
        found = zero_bytes(word ^ 0x2222222222222222u) | zero_bytes(word ^ 0x5c5c5c5c5c5c5c5cu);
        if (found)
            return p + __builtin_ctzll(found) / 8;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

static bool is_ascii(const char *p, size_t n)
{
    uint64_t all = 0, word;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        all |= word;
    }
    word = 0;
    memcpy(&word, p, n);
    return !((all | word) & 0x8080808080808080u);
}

/* Whoever reads the text makes JSON of it again some day, and jansson takes UTF-8 only. */
static void clean(char *p, size_t n)
{
    if (is_ascii(p, n))
        return;
    for (size_t i = 0, len; i < n; i += len ? len : 1) {
        len = str_utf8_first((struct str){p + i, n - i});
        if (!len)
            p[i] = '?';
    }
}

/* Nearly always: all of it is here, and nothing in it is escaped. */
static bool take_whole(struct scan_text *t, const char **p, const char *end)
{
    const char *from = *p, *quote = scan_text_run(from, end);

    if (quote == end || *quote != '"')
        return false;
    buf_add(t->out, from, (size_t)(quote - from));
    if (t->out->len > t->start)
        clean(t->out->data + t->start, t->out->len - t->start);
    *p = quote + 1;
    return true;
}

int scan_text_feed(struct scan_text *t, const char **p, const char *end)
{
    int rc = 0;

    if (t->step == TEXT_PLAIN && !t->high && t->out->len == t->start && take_whole(t, p, end))
        return 1;
    while (*p < end && rc == 0) {
        const char *from = *p;

        if (t->step == TEXT_ESCAPE) {
            rc = escape(t, *(*p)++);
        } else if (t->step == TEXT_HEX) {
            rc = hex(t, *(*p)++);
        } else if (*from == '"') {
            drop_high(t);
            ++*p;
            if (t->out->len > t->start)
                clean(t->out->data + t->start, t->out->len - t->start);
            return 1;
        } else if (*from == '\\') {
            t->step = TEXT_ESCAPE;
            ++*p;
        } else {
            drop_high(t);
            *p = scan_text_run(from, end);
            buf_add(t->out, from, (size_t)(*p - from));
        }
    }
    return rc;
}
