/* heap: see heap.h. A 4-ary heap of pointers: flatter than a binary one, so fewer cache lines a pop. */
#include "core/base/heap.h"

#include <assert.h>

#include "core/base/mem.h"

enum { ARITY = 4 };

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_done(struct heap *h)
{
    for (size_t i = 0; i < h->n; i++)
        h->nodes[i]->at = 0;
    mem_free(h->nodes);
    heap_init(h);
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->serial < b->serial;
}

static void place(struct heap *h, size_t i, struct heap_node *node)
{
    h->nodes[i] = node;
    node->at = i + 1;
}

static void sift_up(struct heap *h, size_t i, struct heap_node *node)
{
    while (i > 0 && before(node, h->nodes[(i - 1) / ARITY])) {
        place(h, i, h->nodes[(i - 1) / ARITY]);
        i = (i - 1) / ARITY;
    }
    place(h, i, node);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *node)
{
    for (;;) {
        size_t best = i, first = i * ARITY + 1;

        for (size_t c = first; c < first + ARITY && c < h->n; c++)
            if (before(h->nodes[c], best == i ? node : h->nodes[best]))
                best = c;
        if (best == i)
            break;
        place(h, i, h->nodes[best]);
        i = best;
    }
    place(h, i, node);
}

void heap_add(struct heap *h, struct heap_node *node, uint64_t key)
{
    assert(!node->at);
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->nodes = mem_realloc(h->nodes, h->cap * sizeof(struct heap_node *));
    }
    node->key = key;
    node->serial = h->serial++;
    sift_up(h, h->n++, node);
}

void heap_del(struct heap *h, struct heap_node *node)
{
    struct heap_node *last;
    size_t i;

    if (!node->at)
        return;
    i = node->at - 1;
    assert(i < h->n && h->nodes[i] == node);
    node->at = 0;
    last = h->nodes[--h->n];
    if (last == node)
        return;
    if (i > 0 && before(last, h->nodes[(i - 1) / ARITY]))
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->n ? h->nodes[0] : NULL;
}

struct heap_node *heap_pop(struct heap *h)
{
    struct heap_node *first = heap_first(h);

    if (first)
        heap_del(h, first);
    return first;
}
