/* workqueue: see workqueue.h. A heap by due time, a map by key, one timer for the first. */
#include "k8s/model/workqueue.h"

#include "core/base/mem.h"

struct work {
    struct heap_node node;
    struct work *next; /* while its turn is prepared */
    char key[];
};

static struct work *work_of(struct heap_node *node)
{
    return (struct work *)(void *)((char *)node - offsetof(struct work, node));
}

static void arm(struct workqueue *q)
{
    struct heap_node *first = heap_first(&q->due);

    if (first)
        timer_set_at(q->env, &q->timer, first->key);
    else
        timer_clear(q->env, &q->timer);
}

/* All that is due now is taken out first: what the handlers add has its turn later. */
static struct work *take_due(struct workqueue *q)
{
    uint64_t now = env_now_ns(q->env);
    struct work *head = NULL, **tail = &head;
    struct heap_node *node;

    while ((node = heap_first(&q->due)) && node->key <= now) {
        struct work *w = work_of(heap_pop(&q->due));

        map_del(&q->keys, str_of(w->key));
        w->next = NULL;
        *tail = w;
        tail = &w->next;
    }
    return head;
}

static void on_timer(struct timer *t)
{
    struct workqueue *q = t->data;
    struct work *w, *next;

    for (w = take_due(q); w; w = next) {
        next = w->next;
        q->on_key(q->ctx, w->key);
        mem_free(w);
    }
    arm(q);
}

void workqueue_init(struct workqueue *q, struct env *env, void (*on_key)(void *ctx, const char *key), void *ctx)
{
    *q = (struct workqueue){.env = env, .on_key = on_key, .ctx = ctx};
    timer_init(&q->timer, on_timer, q);
    heap_init(&q->due);
    map_init(&q->keys, env_random(env));
}

void workqueue_done(struct workqueue *q)
{
    struct heap_node *node;

    timer_clear(q->env, &q->timer);
    while ((node = heap_pop(&q->due)))
        mem_free(work_of(node));
    heap_done(&q->due);
    map_done(&q->keys);
}

void workqueue_add(struct workqueue *q, const char *key, uint64_t in_ms)
{
    uint64_t due = env_now_ns(q->env) + in_ms * 1000000u;
    struct work *w = map_get(&q->keys, str_of(key));

    if (w && w->node.key <= due)
        return;
    if (w) {
        heap_del(&q->due, &w->node);
    } else {
        size_t n = strlen(key) + 1;

        w = mem_zalloc(sizeof(*w) + n);
        memcpy(w->key, key, n);
        map_put(&q->keys, str_of(w->key), w);
    }
    heap_add(&q->due, &w->node, due);
    arm(q);
}
