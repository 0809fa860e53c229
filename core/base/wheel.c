/*
 * wheel: see wheel.h. Six levels of 64 slots: level l holds what is due 64^l to 64^(l+1) ticks from now, in the slot
 * of its due time's l-th digit (base 64). When now passes a slot of a higher level, its entries move down. Within one
 * due time the order of adding holds because every move appends.
 */
#include "core/base/wheel.h"

#include <assert.h>
#include <stddef.h>

static const uint64_t SLOT_MASK = WHEEL_SLOTS - 1;

static struct wheel_entry *entry_of(struct list *l)
{
    return LIST_ENTRY(l, struct wheel_entry, link);
}

void wheel_init(struct wheel *w, uint64_t now)
{
    w->now = now;
    list_init(&w->far);
    for (int l = 0; l < WHEEL_LEVELS; l++) {
        w->busy[l] = 0;
        for (int s = 0; s < WHEEL_SLOTS; s++)
            list_init(&w->slots[l][s]);
    }
}

void wheel_entry_init(struct wheel_entry *e)
{
    list_init(&e->link);
    e->due = 0;
}

bool wheel_holds(const struct wheel_entry *e)
{
    return !list_empty(&e->link);
}

/* Level of a due time: the highest base-64 digit in which it differs from now. */
static int level_of(uint64_t now, uint64_t due)
{
    uint64_t diff = now ^ due;

    return diff ? (63 - __builtin_clzll(diff)) / WHEEL_BITS : 0;
}

static uint64_t digit(uint64_t t, int level)
{
    return (t >> (level * WHEEL_BITS)) & SLOT_MASK;
}

static void put(struct wheel *w, struct wheel_entry *e)
{
    uint64_t due = e->due > w->now ? e->due : w->now; /* overdue: in the present slot */
    int level = level_of(w->now, due);

    if (level >= WHEEL_LEVELS) {
        list_add_tail(&w->far, &e->link);
        return;
    }
    list_add_tail(&w->slots[level][digit(due, level)], &e->link);
    w->busy[level] |= 1ull << digit(due, level);
}

void wheel_add(struct wheel *w, struct wheel_entry *e, uint64_t due)
{
    assert(!wheel_holds(e));
    e->due = due;
    put(w, e);
}

/* The busy bit stays until the slot is looked at: clearing it here would need the entry's slot. */
void wheel_del(struct wheel *w, struct wheel_entry *e)
{
    (void)w;
    list_del(&e->link);
}

static void spread(struct wheel *w, struct list *from)
{
    struct list all;

    list_init(&all);
    list_move_all(&all, from);
    for (struct list *l; (l = list_pop(&all));)
        put(w, entry_of(l));
}

/* First busy slot of a level at or after slot `from`, or -1; forgets bits of empty slots. */
static int first_busy(const struct wheel *w, int level, uint64_t from)
{
    uint64_t bits = w->busy[level] >> from << from;

    while (bits) {
        int s = __builtin_ctzll(bits);

        if (!list_empty(&w->slots[level][s]))
            return s;
        bits &= bits - 1;
    }
    return -1;
}

uint64_t wheel_next(const struct wheel *w)
{
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        int s = first_busy(w, level, digit(w->now, level));
        uint64_t above = w->now >> ((level + 1) * WHEEL_BITS);

        if (s >= 0)
            return (above << WHEEL_BITS | (uint64_t)s) << (level * WHEEL_BITS);
    }
    if (list_empty(&w->far))
        return UINT64_MAX;
    return ((w->now >> (WHEEL_LEVELS * WHEEL_BITS)) + 1) << (WHEEL_LEVELS * WHEEL_BITS);
}

/* now moves to t, of which every slot before has been emptied: entries of the slots that t enters move down. */
static void enter(struct wheel *w, uint64_t t)
{
    bool far = (w->now ^ t) >> (WHEEL_LEVELS * WHEEL_BITS);
    int top = level_of(w->now, t);

    w->now = t;
    if (far)
        spread(w, &w->far);
    for (int level = top < WHEEL_LEVELS ? top : WHEEL_LEVELS - 1; level > 0; level--) {
        uint64_t s = digit(t, level);

        w->busy[level] &= ~(1ull << s);
        spread(w, &w->slots[level][s]);
    }
}

void wheel_advance(struct wheel *w, uint64_t now, struct list *expired)
{
    for (;;) {
        uint64_t next = wheel_next(w);
        uint64_t s;

        if (next > now)
            break;
        if (next > w->now)
            enter(w, next);
        s = digit(w->now, 0);
        w->busy[0] &= ~(1ull << s);
        list_move_all(expired, &w->slots[0][s]);
    }
    if (now > w->now)
        enter(w, now);
}

bool wheel_validate(const struct wheel *w)
{
    for (int level = 0; level < WHEEL_LEVELS; level++)
        for (int s = 0; s < WHEEL_SLOTS; s++) {
            LIST_EACH (l, &w->slots[level][s]) {
                uint64_t due = LIST_ENTRY(l, struct wheel_entry, link)->due;

                if (due < w->now)
                    due = w->now;
                if (!(w->busy[level] >> s & 1) || level_of(w->now, due) != level || digit(due, level) != (uint64_t)s)
                    return false;
            }
        }
    return true;
}
