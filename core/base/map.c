/* map: see map.h. Slots in order of insertion, an index of slot numbers beside them; deleted slots are holes until the
 * next growth packs them. */
#include "core/base/map.h"

#include <assert.h>

#include "core/base/mem.h"

struct map_slot {
    char *key; /* NULL: a hole */
    size_t key_n;
    uint64_t hash;
    void *value;
};

static const uint32_t GONE = UINT32_MAX; /* an index entry whose slot was deleted */

/* FNV-1a over a seed, finished by a multiply-xor so that low bits depend on all of the key. */
static uint64_t hash_of(uint64_t seed, struct str key)
{
    uint64_t h = seed ^ 0xcbf29ce484222325u;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

void map_init(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed};
}

void map_done(struct map *m)
{
    for (uint32_t i = 0; i < m->n_slots; i++)
        mem_free(m->slots[i].key);
    mem_free(m->slots);
    mem_free(m->index);
    map_init(m, m->seed);
}

/* Place in the index of the key, or of the first free entry when it is absent. */
static uint32_t *probe(const struct map *m, uint64_t hash, struct str key)
{
    uint32_t mask = m->n_index - 1, at = (uint32_t)hash & mask, *free_at = NULL;

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
        if (m->slots[i].key)
            m->slots[n++] = m->slots[i];
    m->n_slots = n;
    m->cap_slots = n < 8 ? 16 : n * 2;
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
    uint64_t hash = hash_of(m->seed, key);
    uint32_t *entry;
    void *old = NULL;

    assert(value);
    if (m->n_slots == m->cap_slots)
        rebuild(m);
    entry = probe(m, hash, key);
    if (*entry && *entry != GONE) {
        old = m->slots[*entry - 1].value;
        m->slots[*entry - 1].value = value;
        return old;
    }
    m->slots[m->n_slots] =
        (struct map_slot){.key = mem_strndup(key.p ? key.p : "", key.n), .key_n = key.n, .hash = hash, .value = value};
    *entry = ++m->n_slots;
    m->n_live++;
    return NULL;
}

void *map_del(struct map *m, struct str key)
{
    struct map_slot *slot;
    uint32_t *entry;

    if (!m->n_index)
        return NULL;
    entry = probe(m, hash_of(m->seed, key), key);
    if (!*entry || *entry == GONE)
        return NULL;
    slot = &m->slots[*entry - 1];
    *entry = GONE;
    mem_free(slot->key);
    slot->key = NULL;
    m->n_live--;
    return slot->value;
}

size_t map_size(const struct map *m)
{
    return m->n_live;
}

bool map_next(const struct map *m, size_t *it, struct str *key, void **value)
{
    while (*it < m->n_slots) {
        const struct map_slot *slot = &m->slots[(*it)++];

        if (!slot->key)
            continue;
        if (key)
            *key = (struct str){slot->key, slot->key_n};
        if (value)
            *value = slot->value;
        return true;
    }
    return false;
}
