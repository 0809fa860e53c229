/*
 * queue: see queue.h. Keys that wait for a time are in a heap by due time; keys whose time has come are in one list a
 * priority, each first in, first out. A map finds a key by "<controller>\0<ns>\0<name>" for merging. A key is one block
 * with its texts: after a start there is one for each object.
 */
#include "controllers/queue.h"

#include <assert.h>

#include "controllers/world.h"
#include "core/base/map.h"
#include "core/base/mem.h"

enum { BEGUN_IN_A_ROW = 3 };
enum { ID_MAX = 512 }; /* a controller's name, a namespace of 63 bytes, a name of 253 */

struct queue {
    struct map keys;
    struct heap later;
    struct list ready[N_QUEUE_PRIORITIES];
    unsigned begun_in_a_row;
};

struct queue *queue_new(uint64_t seed)
{
    struct queue *q = mem_zalloc(sizeof(*q));

    map_init_borrowing(&q->keys, seed);
    heap_init(&q->later);
    for (size_t i = 0; i < N_QUEUE_PRIORITIES; i++)
        list_init(&q->ready[i]);
    return q;
}

/* What a key is found by; made on the stack: nearly always it is there already, or gone again soon. */
struct id {
    size_t n, ns, name; /* length; where they begin */
    char bytes[ID_MAX];
};

/* False: no object of Kubernetes has such a name. */
static bool make_id(const struct controller *c, const char *ns, const char *name, struct id *out)
{
    const char *parts[] = {c->name, ns ? ns : "", name};
    size_t at[3];

    out->n = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(parts[i]) + 1;

        if (out->n + n > sizeof(out->bytes))
            return false;
        at[i] = out->n;
        memcpy(out->bytes + out->n, parts[i], n);
        out->n += n;
    }
    out->ns = at[1];
    out->name = at[2];
    return true;
}

static struct queue_key *find(const struct queue *q, const struct id *id)
{
    return map_get(&q->keys, (struct str){id->bytes, id->n});
}

static struct queue_key *key_new(struct queue *q, const struct controller *c, bool has_ns, const struct id *id)
{
    struct queue_key *key = mem_alloc(sizeof(*key) + id->n);

    *key = (struct queue_key){.controller = c, .priority = QUEUE_LOW, .id_n = id->n};
    memcpy(key->id, id->bytes, id->n);
    key->ns = has_ns ? key->id + id->ns : NULL;
    key->name = key->id + id->name;
    list_init(&key->refusals);
    list_init(&key->link);
    map_put(&q->keys, (struct str){key->id, key->id_n}, key);
    return key;
}

static void key_free(struct queue *q, struct queue_key *key)
{
    map_del(&q->keys, (struct str){key->id, key->id_n});
    heap_del(&q->later, &key->node);
    list_del(&key->link);
    refusals_free(&key->refusals);
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
    struct queue_key *key;
    struct id id;

    if (!make_id(c, ns, name, &id))
        return;
    key = find(q, &id);
    if (!key)
        key = key_new(q, c, ns != NULL, &id);
    raise_priority(q, key, priority);
    switch (key->state) {
    case QUEUE_RUNNING:
        add_while_running(key, due_ns, asked_ms);
        return;
    case QUEUE_IDLE:
        key->asked_ms = asked_ms;
        if (due_ns == 0)
            make_ready(q, key);
        else
            wait_for(q, key, due_ns);
        break;
    case QUEUE_LATER:
        if (due_ns && due_ns < key->due_ns) {
            heap_del(&q->later, &key->node);
            wait_for(q, key, due_ns);
        }
        break;
    case QUEUE_READY:
        break;
    }
    if (asked_ms < key->asked_ms)
        key->asked_ms = asked_ms;
    if (key->state == QUEUE_LATER && due_ns == 0)
        make_ready(q, key);
}

static void collect_due(struct queue *q, uint64_t now_ns)
{
    for (struct heap_node *n; (n = heap_first(&q->later)) && n->key <= now_ns;)
        make_ready(q, (struct queue_key *)(void *)((char *)n - offsetof(struct queue_key, node)));
}

static struct list *pop_next(struct queue *q)
{
    struct list *l = q->begun_in_a_row < BEGUN_IN_A_ROW ? list_pop(&q->ready[QUEUE_BEGUN]) : NULL;

    if (l) {
        q->begun_in_a_row++;
        return l;
    }
    q->begun_in_a_row = 0;
    if ((l = list_pop(&q->ready[QUEUE_HIGH])) || (l = list_pop(&q->ready[QUEUE_BEGUN])))
        return l;
    return list_pop(&q->ready[QUEUE_LOW]);
}

struct queue_key *queue_take(struct queue *q, uint64_t now_ns)
{
    struct queue_key *key;
    struct list *l;

    collect_due(q, now_ns);
    if (!(l = pop_next(q)))
        return NULL;
    key = LIST_ENTRY(l, struct queue_key, link);
    key->state = QUEUE_RUNNING;
    key->priority = QUEUE_LOW;
    key->again = false;
    return key;
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
        if (again_ns == 0)
            make_ready(q, key);
        else
            wait_for(q, key, again_ns);
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
    struct queue_key *key;
    struct id id;

    key = make_id(c, ns, name, &id) ? find(q, &id) : NULL;
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
