/*
 * map: string key to pointer. Open addressing, hash seeded from env so that nobody outside can choose collisions;
 * iteration is in order of insertion, so runs repeat. Keys are copied, or lie in the caller's values; values are the
 * caller's.
 */
#ifndef STASHD_MAP_H
#define STASHD_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

struct map {
    /* private */
    struct map_slot *slots; /* in order of insertion, with holes */
    uint32_t *index;        /* hash table of slot numbers + 1 */
    uint32_t n_index, n_slots, cap_slots, n_live;
    bool borrows;
    uint64_t seed;
};

void map_init(struct map *m, uint64_t seed);
/* Keys are not copied: each has to live as long as the value that it was last put with. */
void map_init_borrowing(struct map *m, uint64_t seed);
void map_done(struct map *m); /* values are not touched */

void *map_get(const struct map *m, struct str key); /* NULL when absent */
/* Sets and returns what was there before, or NULL. value is never NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_del(struct map *m, struct str key); /* what was there, or NULL */
size_t map_size(const struct map *m);

/* for (size_t it = 0; map_next(m, &it, &key, &value);) — the body may delete the current key. */
bool map_next(const struct map *m, size_t *it, struct str *key, void **value);

#endif
