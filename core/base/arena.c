/* arena: see arena.h. Blocks grow from 4 kB by doubling to 64 kB; a bigger piece gets a block of its own. */
#include "core/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum { BLOCK_MIN = 4096, BLOCK_MAX = 65536, ALIGN = 16, SHORT = 256 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(ALIGN) char bytes[];
};

struct arena_json {
    struct arena_json *next;
    json_t *value;
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

static void release(struct arena *a, struct arena_block *keep)
{
    for (struct arena_json *j = a->json; j; j = j->next)
        json_decref(j->value);
    a->json = NULL;
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        if (b != keep)
            mem_free(b);
    }
    a->blocks = keep;
}

void arena_reset(struct arena *a)
{
    struct arena_block *first = a->blocks;

    while (first && first->next)
        first = first->next;
    release(a, first);
    if (first)
        first->used = 0;
}

void arena_done(struct arena *a)
{
    release(a, NULL);
}

static struct arena_block *grow(struct arena *a, size_t n)
{
    size_t size = a->blocks ? a->blocks->size * 2 : BLOCK_MIN;
    struct arena_block *b;

    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < n)
        size = n;
    b = mem_alloc(sizeof(*b) + size);
    b->size = size;
    b->used = 0;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;
    void *p;

    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!b || b->size - b->used < n)
        b = grow(a, n);
    p = b->bytes + b->used;
    b->used += n;
    return memset(p, 0, n);
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_str(a, str_of(s));
}

char *arena_str(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    char text[SHORT]; /* most are: then it is printed once */
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < SHORT)
        return arena_str(a, (struct str){text, n > 0 ? (size_t)n : 0});
    p = arena_alloc(a, (size_t)n + 1);
    va_start(ap, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

json_t *arena_json(struct arena *a, json_t *value_take)
{
    struct arena_json *j;

    if (!value_take)
        return NULL;
    j = arena_alloc(a, sizeof(*j));
    j->value = value_take;
    j->next = a->json;
    a->json = j;
    return value_take;
}
