/*
 * queue: see queue.h. Keys that wait for a time are in a heap by due time; keys whose time has come are in one list a
 * priority, first in, first out. A map finds a key by "<controller> <ns>/<name>" for merging.
 */
#include "controllers/queue.h"

#include <assert.h>

#include "controllers/world.h"
#include "core/base/map.h"
#include "core/base/mem.h"

struct queue {
    struct map keys;
    struct heap later;
    struct list ready[N_QUEUE_PRIORITIES];
};

struct queue *queue_new(uint64_t seed)
{
    struct queue *q = mem_zalloc(sizeof(*q));

    map_init(&q->keys, seed);
    heap_init(&q->later);
    for (size_t i = 0; i < N_QUEUE_PRIORITIES; i++)
        list_init(&q->ready[i]);
    return q;
}

static char *make_id(const struct controller *c, const char *ns, const char *name)
{
    return mem_printf("%s %s/%s", c->name, ns ? ns : "", name);
}

static struct queue_key *key_new(struct queue *q, const struct controller *c, const char *ns, const char *name,
                                 char *id_take)
{
    struct queue_key *key = mem_zalloc(sizeof(*key));

    key->controller = c;
    key->id = id_take;
    key->ns = ns ? mem_strdup(ns) : NULL;
    key->name = mem_strdup(name);
    key->priority = QUEUE_LOW;
    list_init(&key->refusals);
    list_init(&key->link);
    map_put(&q->keys, str_of(key->id), key);
    return key;
}

static void key_free(struct queue *q, struct queue_key *key)
{
    map_del(&q->keys, str_of(key->id));
    heap_del(&q->later, &key->node);
    list_del(&key->link);
    refusals_free(&key->refusals);
    mem_free((char *)key->ns);
    mem_free((char *)key->name);
    mem_free(key->id);
    mem_free(key);
}

void queue_free(struct queue *q)
{
    queue_clear(q);
    assert(map_size(&q->keys) == 0);
    map_done(&q->keys);
    heap_done(&q->later);
    mem_free(q);
}

static void wait_for(struct queue *q, struct queue_key *key, uint64_t due_ns)
{
    key->state = QUEUE_LATER;
    key->due_ns = due_ns;
    heap_add(&q->later, &key->node, due_ns);
}

static void make_ready(struct queue *q, struct queue_key *key)
{
    heap_del(&q->later, &key->node);
    key->state = QUEUE_READY;
    list_add_tail(&q->ready[key->priority], &key->link);
}

/* A ready key that becomes more urgent changes the line. */
static void raise_priority(struct queue *q, struct queue_key *key, enum queue_priority priority)
{
    if (priority >= key->priority)
        return;
    key->priority = priority;
    if (key->state == QUEUE_READY) {
        list_del(&key->link);
        list_add_tail(&q->ready[priority], &key->link);
    }
}

static void add_while_running(struct queue_key *key, uint64_t due_ns, int64_t asked_ms)
{
    if (!key->again || due_ns < key->due_ns)
        key->due_ns = due_ns;
    if (!key->again || asked_ms < key->next_asked_ms)
        key->next_asked_ms = asked_ms;
    key->again = true;
    key->dropped = false;
}

void queue_add(struct queue *q, const struct controller *c, const char *ns, const char *name, uint64_t due_ns,
               enum queue_priority priority, int64_t asked_ms)
{
    char *id = make_id(c, ns, name);
    struct queue_key *key = map_get(&q->keys, str_of(id));

    if (key)
        mem_free(id);
    else
        key = key_new(q, c, ns, name, id);
    raise_priority(q, key, priority);
    switch (key->state) {
    case QUEUE_RUNNING:
        add_while_running(key, due_ns, asked_ms);
        return;
    case QUEUE_IDLE:
        key->asked_ms = asked_ms;
        wait_for(q, key, due_ns);
        break;
    case QUEUE_LATER:
        if (due_ns < key->due_ns) {
            heap_del(&q->later, &key->node);
            wait_for(q, key, due_ns);
        }
        break;
    case QUEUE_READY:
        break;
    }
    if (asked_ms < key->asked_ms)
        key->asked_ms = asked_ms;
    if (key->state == QUEUE_LATER && key->due_ns == 0)
        make_ready(q, key);
}

static void collect_due(struct queue *q, uint64_t now_ns)
{
    for (struct heap_node *n; (n = heap_first(&q->later)) && n->key <= now_ns;)
        make_ready(q, (struct queue_key *)(void *)((char *)n - offsetof(struct queue_key, node)));
}

struct queue_key *queue_take(struct queue *q, uint64_t now_ns)
{
    collect_due(q, now_ns);
    for (size_t i = 0; i < N_QUEUE_PRIORITIES; i++) {
        struct list *l = list_pop(&q->ready[i]);
        struct queue_key *key;

        if (!l)
            continue;
        key = LIST_ENTRY(l, struct queue_key, link);
        key->state = QUEUE_RUNNING;
        key->priority = QUEUE_LOW;
        key->again = false;
        return key;
    }
    return NULL;
}

void queue_done(struct queue *q, struct queue_key *key, uint64_t again_ns, int64_t again_asked_ms)
{
    bool added = key->again;
    uint64_t added_ns = key->due_ns;
    int64_t asked_ms = key->failures ? key->asked_ms : again_asked_ms;

    assert(key->state == QUEUE_RUNNING);
    key->state = QUEUE_IDLE;
    key->again = false;
    if (key->dropped) {
        key_free(q, key);
        return;
    }
    if (added && (again_ns == UINT64_MAX || key->next_asked_ms < asked_ms))
        asked_ms = key->next_asked_ms;
    if (added && added_ns < again_ns)
        again_ns = added_ns;
    if (again_ns != UINT64_MAX) {
        key->asked_ms = asked_ms;
        wait_for(q, key, again_ns);
        if (again_ns == 0)
            make_ready(q, key);
    } else if (key->failures == 0 && list_empty(&key->refusals)) {
        key_free(q, key);
    }
}

static void drop(struct queue *q, struct queue_key *key)
{
    if (key->state == QUEUE_RUNNING) {
        key->dropped = true;
        key->again = false;
    } else {
        key_free(q, key);
    }
}

void queue_drop(struct queue *q, const struct controller *c, const char *ns, const char *name)
{
    AUTO_FREE char *id = make_id(c, ns, name);
    struct queue_key *key = map_get(&q->keys, str_of(id));

    if (key)
        drop(q, key);
}

void queue_clear(struct queue *q)
{
    size_t it = 0;
    struct str id;
    void *key;

    while (map_next(&q->keys, &it, &id, &key))
        drop(q, key);
}

uint64_t queue_next_ns(const struct queue *q)
{
    const struct heap_node *n = heap_first(&q->later);

    for (size_t i = 0; i < N_QUEUE_PRIORITIES; i++) {
        if (!list_empty(&q->ready[i]))
            return 0;
    }
    return n ? n->key : UINT64_MAX;
}

size_t queue_waiting(const struct queue *q, const struct controller *c)
{
    size_t it = 0, n = 0;
    struct str id;
    void *p;

    while (map_next(&q->keys, &it, &id, &p)) {
        const struct queue_key *key = p;

        n += key->controller == c && (key->state == QUEUE_READY || key->state == QUEUE_LATER);
    }
    return n;
}

size_t queue_size(const struct queue *q)
{
    return map_size(&q->keys);
}
