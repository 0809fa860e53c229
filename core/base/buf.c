/* buf: see buf.h. */
#include "core/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum { DOUBLE_BELOW = 64 * 1024 };

static char nothing[1]; /* what data points to before the first append; never written */

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.data = nothing, .max = max_bytes};
}

void buf_done(struct buf *b)
{
    if (b->cap)
        mem_free(b->data);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->cap)
        b->data[0] = 0;
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t want;

    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    want = b->len + n + 1;
    if (want > b->cap) {
        size_t cap = b->cap ? b->cap : 64;

        while (cap < want)
            cap += cap < DOUBLE_BELOW ? cap : cap / 2;
        b->data = mem_realloc(b->cap ? b->data : NULL, cap);
        b->cap = cap;
        b->data[b->len] = 0;
    }
    return b->data + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
    assert(b->len + n < b->cap || n == 0);
    b->len += n;
    if (b->cap)
        b->data[b->len] = 0;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    char *p;

    if (!n)
        return;
    p = buf_reserve(b, n);
    if (!p)
        return;
    memcpy(p, bytes, n);
    buf_commit(b, n);
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    char *p = buf_reserve(b, 1);

    if (!p)
        return;
    p[0] = c;
    p[1] = 0;
    b->len++;
}

void buf_put_utf8(struct buf *b, unsigned c)
{
    char bytes[4];
    size_t n = 0;

    if (c < 0x80) {
        bytes[n++] = (char)c;
    } else if (c < 0x800) {
        bytes[n++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        bytes[n++] = (char)(0xe0 | c >> 12);
        bytes[n++] = (char)(0x80 | (c >> 6 & 63));
    } else {
        bytes[n++] = (char)(0xf0 | c >> 18);
        bytes[n++] = (char)(0x80 | (c >> 12 & 63));
        bytes[n++] = (char)(0x80 | (c >> 6 & 63));
    }
    if (c >= 0x80)
        bytes[n++] = (char)(0x80 | (c & 63));
    buf_add(b, bytes, n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n <= 0)
        return;
    p = buf_reserve(b, (size_t)n);
    if (!p)
        return;
    if ((size_t)n < sizeof(text)) {
        memcpy(p, text, (size_t)n);
    } else {
        va_start(ap, fmt);
        (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    buf_commit(b, (size_t)n);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (!n)
        return;
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

int buf_error(const struct buf *b)
{
    return b->failed ? ERR_TOOBIG : 0;
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->data, b->len};
}

char *buf_take(struct buf *b)
{
    char *p = b->cap ? b->data : mem_strdup("");

    buf_init(b, b->max);
    return p;
}
