/*
 * buf: growing bytes with a cap.
 *
 * Invariants: data is never NULL and data[len] is always 0; len <= max. A failed append (cap reached) *sticks*:
 * build a whole text and check buf_error once. A sticky buffer keeps what it had and takes nothing more.
 */
#ifndef STASHD_BUF_H
#define STASHD_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct buf {
    char *data;
    size_t len;
    size_t max; /* most bytes this buffer may hold */
    /* private */
    size_t cap;
    bool failed;
};

/* No memory is taken until the first append. */
void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b); /* b may be used again after buf_init only */
void buf_clear(struct buf *b); /* keeps the memory, forgets the failure */

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_put_utf8(struct buf *b, unsigned c); /* a code point */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Room for n more bytes at data + len, to be filled and counted with buf_commit; NULL over the cap (sticks). */
char *buf_reserve(struct buf *b, size_t n) NODISCARD;
void buf_commit(struct buf *b, size_t n);

/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);

/* 0, or ERR_TOOBIG when an append was refused. */
int buf_error(const struct buf *b) NODISCARD;

struct str buf_str(const struct buf *b); /* borrowed: until the next change */
char *buf_take(struct buf *b);           /* the text, to be freed with mem_free; b is empty */

#endif
