/*
 * redact: known credentials never leave a worker (multitenancy.md 11): each occurrence of a value of 6 bytes or more
 * in a text becomes "[redacted]". The values are also given to the log.
 */
#ifndef STASHD_REDACT_H
#define STASHD_REDACT_H

#include "core/base/buf.h"
#include "core/base/secret.h"

enum {
    REDACT_MAX = 256, /* a key of 4096 bits has 50 lines, and there may be three */
    REDACT_MIN_BYTES = 6,
};

struct redact {
    /* Readable: for struct log's secrets. */
    struct str views[REDACT_MAX];
    size_t n;
    struct secret values[REDACT_MAX]; /* private */
};

/* Also known in its percent-encoded form and, of several lines (keys in PEM or JSON), line by line. Shorter values, and
 * those over REDACT_MAX, are passed over. */
void redact_add(struct redact *r, struct str value);
void redact_done(struct redact *r); /* wipes */

/* Appends text without credentials. */
void redact_text(const struct redact *r, struct buf *out, struct str text);
/* In place, for a message: cut at size - 1 bytes. */
void redact_message(const struct redact *r, char *text, size_t size);

/* Words of a command line for a log: values of options that look like credentials become "***". */
void redact_argv(const struct redact *r, struct buf *out, const char *const *argv);

#endif
