/* test_containers: map, heap, list, buf, arena: the containers that everything stands on. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/heap.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"

static uint64_t roll(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void map_agrees_with_an_array_over_random_operations(void **state)
{
    static int present[500];
    uint64_t seed = 7;
    struct map m;
    size_t n = 0;

    (void)state;
    map_init(&m, 42);
    for (int i = 0; i < 20000; i++) {
        int k = (int)(roll(&seed) % 500);
        char key[16];

        (void)snprintf(key, sizeof(key), "key-%d", k);
        if (roll(&seed) % 3) {
            assert_true((map_put(&m, str_of(key), &present[k]) != NULL) == (present[k] != 0));
            n += !present[k];
            present[k] = 1;
        } else {
            assert_true((map_del(&m, str_of(key)) != NULL) == (present[k] != 0));
            n -= (size_t)present[k];
            present[k] = 0;
        }
        assert_true((map_get(&m, str_of(key)) != NULL) == (present[k] != 0));
        assert_int_equal(map_size(&m), n);
    }
    for (size_t it = 0; map_next(&m, &it, NULL, NULL);)
        n--;
    assert_int_equal(n, 0);
    map_done(&m);
}

static void map_iterates_in_order_of_insertion_and_allows_deleting(void **state)
{
    struct map m;
    struct str key;
    char seen[8] = "";
    void *v;

    (void)state;
    map_init(&m, 1);
    (void)map_put(&m, STR("c"), &m);
    (void)map_put(&m, STR("a"), &m);
    (void)map_put(&m, STR("b"), &m);
    for (size_t it = 0; map_next(&m, &it, &key, &v);) {
        strncat(seen, key.p, key.n);
        (void)map_del(&m, key);
    }
    assert_string_equal(seen, "cab");
    assert_int_equal(map_size(&m), 0);
    map_done(&m);
}

static void heap_gives_equal_keys_in_order_of_adding(void **state)
{
    static struct heap_node nodes[1000];
    uint64_t seed = 3, last_key = 0, last_serial = 0;
    struct heap h;

    (void)state;
    heap_init(&h);
    for (int i = 0; i < 1000; i++)
        heap_add(&h, &nodes[i], roll(&seed) % 50);
    for (int i = 0; i < 1000; i += 3)
        heap_del(&h, &nodes[i]);
    for (struct heap_node *n; (n = heap_pop(&h));) {
        assert_true(n->key > last_key || (n->key == last_key && n->serial >= last_serial));
        assert_false(heap_holds(n));
        last_key = n->key;
        last_serial = n->serial;
    }
    heap_done(&h);
}

static void list_moves_all_and_takes_double_removal(void **state)
{
    struct list a, b, x, y;

    (void)state;
    list_init(&a);
    list_init(&b);
    list_init(&x);
    list_init(&y);
    list_add_tail(&a, &x);
    list_add_tail(&a, &y);
    list_move_all(&b, &a);
    assert_true(list_empty(&a));
    assert_ptr_equal(list_pop(&b), &x);
    list_del(&x);
    list_del(&x);
    assert_ptr_equal(list_pop(&b), &y);
    assert_null(list_pop(&b));
}

static void buffer_keeps_its_cap_and_remembers_a_refused_append(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_string_equal(b.data, "");
    buf_puts(&b, "12345");
    buf_printf(&b, "%d", 67890);
    assert_int_equal(buf_error(&b), 0);
    buf_putc(&b, 'x');
    assert_int_equal(buf_error(&b), ERR_TOOBIG);
    assert_string_equal(b.data, "1234567890");
    buf_consume(&b, 8);
    assert_string_equal(b.data, "90");
    buf_clear(&b);
    assert_int_equal(buf_error(&b), 0);
    buf_done(&b);
}

/* Short ones are written on the stack first. */
static void printed_texts_of_any_length_are_whole(void **state)
{
    struct buf b;

    (void)state;
    for (int n = 250; n < 260; n++) {
        AUTO_FREE char *text = mem_printf("<%*s>", n, "x");

        assert_int_equal(strlen(text), n + 2);
        assert_string_equal(text + n, "x>");
        buf_init(&b, 300);
        buf_printf(&b, "<%*s>", n, "x");
        assert_string_equal(b.data, text);
        assert_int_equal(b.len, n + 2);
        buf_printf(&b, "%*s", 100, "");
        assert_int_equal(buf_error(&b), ERR_TOOBIG);
        buf_done(&b);
    }
}

static void arena_gives_back_memory_and_json(void **state)
{
    size_t before = mem_live();
    struct arena a;
    json_t *kept = json_string("x");

    (void)state;
    arena_init(&a);
    for (int round = 0; round < 3; round++) {
        for (int i = 1; i < 2000; i *= 2)
            assert_string_equal(arena_printf(&a, "%0*d", i, 7) + i - 1, "7");
        (void)arena_alloc(&a, 200000);
        (void)arena_json(&a, json_incref(kept));
        assert_int_equal(kept->refcount, 2);
        arena_reset(&a);
        assert_int_equal(kept->refcount, 1);
    }
    arena_done(&a);
    json_decref(kept);
    assert_int_equal(mem_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_agrees_with_an_array_over_random_operations),
        cmocka_unit_test(map_iterates_in_order_of_insertion_and_allows_deleting),
        cmocka_unit_test(heap_gives_equal_keys_in_order_of_adding),
        cmocka_unit_test(list_moves_all_and_takes_double_removal),
        cmocka_unit_test(buffer_keeps_its_cap_and_remembers_a_refused_append),
        cmocka_unit_test(printed_texts_of_any_length_are_whole),
        cmocka_unit_test(arena_gives_back_memory_and_json),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
