/*
 * heap: an intrusive pairing-free binary heap: the caller's nodes, ordered by key, then by the order of adding, so
 * that equal keys come out first in, first out and runs repeat (libuv's timers).
 */
#ifndef STASHD_HEAP_H
#define STASHD_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    /* private */
    uint64_t serial;
    size_t at; /* 1 + place in the heap; 0: not in one */
};

struct heap {
    /* private */
    struct heap_node **nodes;
    size_t n, cap;
    uint64_t serial;
};

void heap_init(struct heap *h);
void heap_done(struct heap *h); /* nodes are the caller's */
void heap_add(struct heap *h, struct heap_node *node, uint64_t key);
void heap_del(struct heap *h, struct heap_node *node); /* no-op when it is in no heap */
struct heap_node *heap_first(const struct heap *h);    /* NULL when empty */
struct heap_node *heap_pop(struct heap *h);
static inline bool heap_holds(const struct heap_node *node)
{
    return node->at != 0;
}

#endif
