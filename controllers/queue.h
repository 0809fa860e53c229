/*
 * queue: keys that wait for a pass. Pure: times come in.
 *
 * Equal keys merge: the earliest time and the higher priority win. A key that is being worked on is not given out
 * again; what is added meanwhile waits until queue_done. A key lives while it waits, runs, has failed or remembers a
 * refusal; objects at rest cost nothing here.
 */
#ifndef STASHD_QUEUE_H
#define STASHD_QUEUE_H

#include "controllers/controller.h"
#include "core/base/heap.h"
#include "core/base/list.h"

struct queue; /* opaque */

enum queue_priority {
    QUEUE_BEGUN, /* what it waits for is half done: its documents are still at hand, and what follows is near */
    QUEUE_HIGH,  /* something happened */
    QUEUE_LOW,   /* first lists: everything is looked at once, behind what happens meanwhile */
    N_QUEUE_PRIORITIES
};

enum queue_state {
    QUEUE_IDLE,    /* only remembered: it failed or was refused, and nothing is due */
    QUEUE_LATER,   /* waits for its time */
    QUEUE_READY,   /* its time has come, waits for a free pass */
    QUEUE_RUNNING, /* between queue_take and queue_done */
};

struct queue_key {
    const struct controller *controller;
    const char *ns, *name; /* ns NULL: cluster-scoped */
    uint32_t failures;     /* passes failed in a row: the caller's, kept between passes */
    int64_t asked_ms;      /* Unix time: when the pass at hand was first asked for; kept over failures */
    struct list refusals;  /* of struct world_refusal */

    /* private */
    enum queue_state state;
    enum queue_priority priority;
    bool again, dropped;
    uint64_t due_ns;
    int64_t next_asked_ms;
    struct heap_node node;
    struct list link;
    size_t id_n;
    char id[]; /* "<controller>\0<ns>\0<name>": ns and name point into it */
};

struct queue *queue_new(uint64_t seed);
void queue_free(struct queue *q); /* no key may be running */

/* due_ns 0: at once. asked_ms: what a pass sees as the time it was asked for; with several the earliest. */
void queue_add(struct queue *q, const struct controller *c, const char *ns, const char *name, uint64_t due_ns,
               enum queue_priority priority, int64_t asked_ms);

/* The next ready key, running from now on; NULL when none is due. What is begun goes first, but each fourth time, so
 * that who begins without end does not keep out what happened; what is low waits for both. */
struct queue_key *queue_take(struct queue *q, uint64_t now_ns);
/* The pass has ended. again_ns UINT64_MAX: nothing more unless it was added meanwhile; a time with failures > 0 is a
 * retry and keeps asked_ms, else asked_ms becomes again_asked_ms. The key may be gone afterwards. */
void queue_done(struct queue *q, struct queue_key *key, uint64_t again_ns, int64_t again_asked_ms);

/* The object is gone: its key is too, or will be when its pass ends. */
void queue_drop(struct queue *q, const struct controller *c, const char *ns, const char *name);
/* All keys; running ones when their pass ends. */
void queue_clear(struct queue *q);

/* When queue_take would give something: 0 now, UINT64_MAX never. */
uint64_t queue_next_ns(const struct queue *q);
size_t queue_waiting(const struct queue *q, const struct controller *c); /* ready or later */
size_t queue_size(const struct queue *q);                               /* all keys, for tests */

#endif
