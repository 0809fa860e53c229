/*
 * secret: bytes of a credential: wiped when done, kept out of core dumps, with no way into a log.
 */
#ifndef STASHD_SECRET_H
#define STASHD_SECRET_H

#include "core/base/str.h"

struct secret {
    char *bytes; /* NUL-terminated; NULL when empty */
    size_t n;
};

void secret_init(struct secret *s);
void secret_set(struct secret *s, struct str bytes); /* copies; the old value is wiped */
void secret_done(struct secret *s);                  /* wipes */
static inline struct str secret_str(const struct secret *s)
{
    return (struct str){s->bytes, s->n};
}

#endif
