/* test_wheel: the timer wheel against a sorted array, over random adds, removals and jumps of the clock. */
#include "test.h"

#include <stdlib.h>

#include "core/base/wheel.h"

enum { N = 400 };

struct item {
    struct wheel_entry entry;
    uint64_t added; /* order of adding, 0: not in the wheel */
};

static struct item items[N];

static struct item *item_of(struct list *l)
{
    return LIST_ENTRY(LIST_ENTRY(l, struct wheel_entry, link), struct item, entry);
}

static void check_expired(struct list *expired, uint64_t now)
{
    uint64_t due = 0;

    for (struct list *l; (l = list_pop(expired));) {
        struct item *i = item_of(l);

        assert_true(i->added);
        assert_true(i->entry.due <= now);
        assert_true(i->entry.due >= due);
        due = i->entry.due;
        i->added = 0;
    }
    for (int i = 0; i < N; i++)
        assert_false(items[i].added && items[i].entry.due <= now);
}

static void all_expire_in_order_and_none_too_early(void **state)
{
    static const uint64_t spans[] = {1, 63, 64, 4096, 300000, 1ull << 30, 1ull << 40};
    uint64_t now = 1772330400, serial = 1;
    unsigned seed = 11;
    struct list expired;
    struct wheel w;

    (void)state;
    list_init(&expired);
    wheel_init(&w, now);
    for (int i = 0; i < N; i++)
        wheel_entry_init(&items[i].entry);
    for (int round = 0; round < 30000; round++) {
        struct item *i = &items[(unsigned)rand_r(&seed) % N];
        uint64_t span = spans[(unsigned)rand_r(&seed) % 7];

        if (i->added) {
            wheel_del(&w, &i->entry);
            i->added = 0;
            assert_false(wheel_holds(&i->entry));
        } else {
            wheel_add(&w, &i->entry, now + 1 + ((uint64_t)rand_r(&seed) << 10 | (unsigned)rand_r(&seed) % 1024) % span);
            i->added = serial++;
        }
        if (round % 10 == 0) {
            now += (uint64_t)rand_r(&seed) % spans[(unsigned)rand_r(&seed) % 6];
            wheel_advance(&w, now, &expired);
            check_expired(&expired, now);
            assert_true(wheel_validate(&w));
        }
        for (int k = 0; round % 100 == 0 && k < N; k++)
            assert_false(items[k].added && wheel_next(&w) > items[k].entry.due);
    }
}

static void equal_due_times_come_in_the_order_of_adding_from_any_distance(void **state)
{
    struct item mine[50];
    struct list expired;
    struct wheel w;
    uint64_t due = 5000000;

    (void)state;
    list_init(&expired);
    wheel_init(&w, 0);
    for (unsigned i = 0; i < 50; i++) {
        wheel_entry_init(&mine[i].entry);
        wheel_advance(&w, due * i / 60, &expired); /* nearer and nearer: other levels */
        wheel_add(&w, &mine[i].entry, due);
    }
    assert_true(list_empty(&expired));
    wheel_advance(&w, due - 1, &expired);
    assert_true(list_empty(&expired));
    wheel_advance(&w, due, &expired);
    for (unsigned i = 0; i < 50; i++)
        assert_ptr_equal(item_of(list_pop(&expired)), &mine[i]);
    assert_true(wheel_next(&w) == UINT64_MAX);
}

static void a_clock_that_steps_back_loses_nothing(void **state)
{
    struct item one;
    struct list expired;
    struct wheel w;

    (void)state;
    list_init(&expired);
    wheel_init(&w, 10000);
    wheel_entry_init(&one.entry);
    wheel_add(&w, &one.entry, 10100);
    wheel_advance(&w, 9000, &expired);
    assert_true(list_empty(&expired));
    wheel_advance(&w, 10100, &expired);
    assert_false(list_empty(&expired));
    assert_ptr_equal(item_of(list_pop(&expired)), &one);
    wheel_add(&w, &one.entry, 5); /* overdue */
    wheel_advance(&w, 10100, &expired);
    assert_false(list_empty(&expired));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_expire_in_order_and_none_too_early),
        cmocka_unit_test(equal_due_times_come_in_the_order_of_adding_from_any_distance),
        cmocka_unit_test(a_clock_that_steps_back_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
