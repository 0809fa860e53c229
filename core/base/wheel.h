/*
 * wheel: a hierarchical timer wheel: 100,000 due times at 24 bytes each, O(1) to add and remove. Pure: `now` comes in,
 * expired entries and the next wake-up go out (h2o's). The unit is the caller's tick (the scheduler: Unix seconds).
 */
#ifndef STASHD_WHEEL_H
#define STASHD_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/list.h"

struct wheel_entry {
    struct list link; /* private */
    uint64_t due;     /* as given to wheel_add */
};

enum { WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_LEVELS = 6 };

struct wheel {
    /* private */
    uint64_t now;
    uint64_t busy[WHEEL_LEVELS]; /* bit n: slot n is not empty */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    struct list far; /* beyond 2^36 ticks */
};

void wheel_init(struct wheel *w, uint64_t now);
void wheel_entry_init(struct wheel_entry *e);
bool wheel_holds(const struct wheel_entry *e);

/* A due time that has passed already expires with the next wheel_advance. e must not be in a wheel. */
void wheel_add(struct wheel *w, struct wheel_entry *e, uint64_t due);
void wheel_del(struct wheel *w, struct wheel_entry *e); /* no-op when it is in none */

/* Moves all entries with due <= now to the end of *expired, ordered by due time, then by order of adding. `now` may
 * go back (a clock step): nothing expires then and nothing is lost. */
void wheel_advance(struct wheel *w, uint64_t now, struct list *expired);

/* A time not later than the first due time at which wheel_advance should be called; UINT64_MAX when empty. */
uint64_t wheel_next(const struct wheel *w);

/* For tests: every entry is in the slot that its due time asks for. */
bool wheel_validate(const struct wheel *w);

#endif
