/* shared: see shared.h. The pool's map borrows its keys from what it holds. */
#include "k8s/shared.h"

#include "core/base/map.h"
#include "core/base/mem.h"

struct shared_pool {
    struct map all;
    bool dropped;
};

struct shared_pool *shared_pool_new(uint64_t seed)
{
    struct shared_pool *p = mem_zalloc(sizeof(*p));

    map_init_borrowing(&p->all, seed);
    return p;
}

static void free_unused(struct shared_pool *p)
{
    if (!p->dropped || map_size(&p->all))
        return;
    map_done(&p->all);
    mem_free(p);
}

void shared_pool_drop(struct shared_pool *p)
{
    p->dropped = true;
    free_unused(p);
}

const struct shared *shared_get(struct shared_pool *p, struct str bytes)
{
    struct shared *s = p ? map_get(&p->all, bytes) : NULL;

    if (s) {
        s->refs++;
        return s;
    }
    s = mem_alloc(sizeof(*s) + bytes.n);
    s->pool = p;
    s->refs = 1;
    s->n = (uint32_t)bytes.n;
    if (bytes.n)
        memcpy(s->bytes, bytes.p, bytes.n);
    if (p)
        (void)map_put(&p->all, (struct str){s->bytes, s->n}, s);
    return s;
}

void shared_unref(const struct shared *s)
{
    struct shared *mine = (struct shared *)(uintptr_t)s; /* its bytes never change, its count does */

    if (--mine->refs)
        return;
    if (mine->pool) {
        (void)map_del(&mine->pool->all, (struct str){mine->bytes, mine->n});
        free_unused(mine->pool);
    }
    mem_free(mine);
}
