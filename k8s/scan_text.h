/* scan_text: a JSON string as its bytes arrive: escapes to UTF-8, appended to a buf. Private to scan. */
#ifndef STASHD_SCAN_TEXT_H
#define STASHD_SCAN_TEXT_H

#include "core/base/buf.h"

struct scan_text {
    struct buf *out;
    size_t start; /* length of out when the string began */
    /* private */
    enum { TEXT_PLAIN, TEXT_ESCAPE, TEXT_HEX } step;
    unsigned unit, n_hex;
    unsigned high; /* a high surrogate that waits for its low one; 0: none */
};

void scan_text_begin(struct scan_text *t, struct buf *out); /* after the opening quote */
/* Eats from *p. 1: the closing quote was eaten; 0: more is needed; -1: a bad escape. A NUL or a half surrogate pair
 * becomes U+FFFD's like in Go: never an error, a tenant can write it. What is no UTF-8 becomes '?'. */
int scan_text_feed(struct scan_text *t, const char **p, const char *end);

/* First quote or backslash; end when there is none. */
const char *scan_text_run(const char *p, const char *end);

#endif
