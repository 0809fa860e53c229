/* map: see map.h. Slots in order of insertion, an index of slot numbers beside them; deleted slots are holes until the
 * next growth packs them. */
#include "core/base/map.h"

#include <assert.h>

#include "core/base/mem.h"

struct map_slot {
    const char *key;
    uint32_t key_n, hash;
    void *value; /* NULL: a hole */
};

static const uint32_t GONE = UINT32_MAX; /* an index entry whose slot was deleted */

static uint32_t hash_of(uint64_t seed, struct str key)
{
    return (uint32_t)str_hash(seed, key);
}

void map_init(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed};
}

void map_init_borrowing(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed, .borrows = true};
}

static void free_key(const struct map *m, struct map_slot *slot)
{
    if (!m->borrows)
        mem_free((char *)(uintptr_t)slot->key);
}

void map_done(struct map *m)
{
    for (uint32_t i = 0; i < m->n_slots; i++)
        if (m->slots[i].value)
            free_key(m, &m->slots[i]);
    mem_free(m->slots);
    mem_free(m->index);
    *m = (struct map){.seed = m->seed, .borrows = m->borrows};
}

/* Place in the index of the key, or of the first free entry when it is absent. */
static uint32_t *probe(const struct map *m, uint32_t hash, struct str key)
{
    uint32_t mask = m->n_index - 1, at = hash & mask, *free_at = NULL;

    for (;; at = (at + 1) & mask) {
        uint32_t *entry = &m->index[at];

        if (*entry == 0)
            return free_at ? free_at : entry;
        if (*entry == GONE) {
            if (!free_at)
                free_at = entry;
        } else {
            const struct map_slot *slot = &m->slots[*entry - 1];

            if (slot->hash == hash && str_eq((struct str){slot->key, slot->key_n}, key))
                return entry;
        }
    }
}

static void rebuild(struct map *m)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->n_slots; i++)
        if (m->slots[i].value)
            m->slots[n++] = m->slots[i];
    m->n_slots = n;
    m->cap_slots = n < 8 ? 16 : n + n / 2; /* slots are what it costs; time is spent in the index */
    m->slots = mem_realloc(m->slots, m->cap_slots * sizeof(struct map_slot));
    for (m->n_index = 32; m->n_index < m->cap_slots * 2; m->n_index *= 2)
        ;
    mem_free(m->index);
    m->index = mem_zalloc(m->n_index * sizeof(uint32_t));
    for (uint32_t i = 0; i < n; i++)
        *probe(m, m->slots[i].hash, (struct str){m->slots[i].key, m->slots[i].key_n}) = i + 1;
}

void *map_get(const struct map *m, struct str key)
{
    uint32_t entry;

    if (!m->n_index)
        return NULL;
    entry = *probe(m, hash_of(m->seed, key), key);
    return entry && entry != GONE ? m->slots[entry - 1].value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    uint32_t hash = hash_of(m->seed, key), *entry;
    struct map_slot *slot;
    void *old = NULL;

    assert(value);
    if (m->n_slots == m->cap_slots)
        rebuild(m);
    entry = probe(m, hash, key);
    if (*entry && *entry != GONE) {
        slot = &m->slots[*entry - 1];
        old = slot->value;
        slot->value = value;
        slot->key = m->borrows ? key.p : slot->key; /* the old one may go with the old value */
        return old;
    }
    m->slots[m->n_slots] = (struct map_slot){.key = m->borrows ? key.p : mem_strndup(key.p ? key.p : "", key.n),
                                             .key_n = (uint32_t)key.n,
                                             .hash = hash,
                                             .value = value};
    *entry = ++m->n_slots;
    m->n_live++;
    return NULL;
}

void *map_del(struct map *m, struct str key)
{
    struct map_slot *slot;
    uint32_t *entry;
    void *old;

    if (!m->n_index)
        return NULL;
    entry = probe(m, hash_of(m->seed, key), key);
    if (!*entry || *entry == GONE)
        return NULL;
    slot = &m->slots[*entry - 1];
    *entry = GONE;
    old = slot->value;
    free_key(m, slot);
    slot->value = NULL;
    m->n_live--;
    return old;
}

size_t map_size(const struct map *m)
{
    return m->n_live;
}

bool map_next(const struct map *m, size_t *it, struct str *key, void **value)
{
    while (*it < m->n_slots) {
        const struct map_slot *slot = &m->slots[(*it)++];

        if (!slot->value)
            continue;
        if (key)
            *key = (struct str){slot->key, slot->key_n};
        if (value)
            *value = slot->value;
        return true;
    }
    return false;
}
