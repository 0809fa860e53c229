/*
 * arena: memory of one pass. Everything made while one object is worked on comes from here and goes at once; nobody
 * frees single pieces. JSON values can be tied to it: they lose one reference on reset.
 */
#ifndef STASHD_ARENA_H
#define STASHD_ARENA_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/str.h"

struct arena {
    /* private */
    struct arena_block *blocks;
    struct arena_json *json;
};

void arena_init(struct arena *a);
void arena_reset(struct arena *a); /* frees all but keeps the first block for the next pass */
void arena_done(struct arena *a);

/* Aligned for any type, cleared. Never NULL. */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_str(struct arena *a, struct str s) __attribute__((returns_nonnull)); /* a NUL-terminated copy */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3), returns_nonnull));

/* Steals one reference of value (NULL passes through) and returns it borrowed until the reset. */
json_t *arena_json(struct arena *a, json_t *value_take);

#endif
