/*
 * problems: what is wrong with an object, all found at once: a text for people each, and the field that it is about.
 * The reconciler joins the texts into a condition, the admission webhook refuses with the same ones: who asks either
 * reads the same words.
 *
 * Memory: all of it is the arena's.
 */
#ifndef STASHD_PROBLEMS_H
#define STASHD_PROBLEMS_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/list.h"

struct problem {
    struct list link;
    const char *field; /* "spec.schedule"; a path that the API server would give */
    const char *text;  /* whole by itself: names the field where that helps */
};

struct problems {
    struct arena *arena;
    struct list list; /* of struct problem, in the order found */
    size_t n;
};

void problems_init(struct problems *p, struct arena *a);
/* After PROBLEMS_MAX nothing is added: a list of thousands helps nobody. field is copied, text cut at LIMIT_MESSAGE. */
void problems_add(struct problems *p, const char *field, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* All texts with "; " between; "" for none; cut at LIMIT_MESSAGE. */
const char *problems_join(const struct problems *p);

enum { PROBLEMS_MAX = 64 };

#endif
