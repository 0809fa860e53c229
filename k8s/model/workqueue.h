/*
 * workqueue: keys to be worked on, each at a time of its own. Equal keys merge, the earlier time wins. Keys are handled
 * in turns of env, never inside workqueue_add; a handler may add keys, its own too.
 */
#ifndef STASHD_MODEL_WORKQUEUE_H
#define STASHD_MODEL_WORKQUEUE_H

#include "core/base/env.h"
#include "core/base/map.h"

struct workqueue {
    /* private */
    struct env *env;
    struct timer timer;
    struct heap due;
    struct map keys; /* struct work */
    void (*on_key)(void *ctx, const char *key);
    void *ctx;
};

void workqueue_init(struct workqueue *q, struct env *env, void (*on_key)(void *ctx, const char *key), void *ctx);
void workqueue_done(struct workqueue *q);
void workqueue_add(struct workqueue *q, const char *key, uint64_t in_ms);

#endif
