/* test_queue: merging, order, back-off bookkeeping of the queue of keys. */
#include "test.h"

#include "controllers/queue.h"
#include "controllers/world.h"
#include "core/base/mem.h"

static const struct controller one = {.name = "one"}, two = {.name = "two"};

static int setup(void **state)
{
    mem_install(1);
    *state = queue_new(1);
    return 0;
}

static int teardown(void **state)
{
    queue_free(*state);
    assert_int_equal(mem_live(), 0);
    return 0;
}

static void add(struct queue *q, const char *name, uint64_t due_ns)
{
    queue_add(q, &one, "demo", name, due_ns, QUEUE_HIGH, 1000);
}

static void expect(struct queue *q, uint64_t now_ns, const char *name)
{
    struct queue_key *key = queue_take(q, now_ns);

    if (!name) {
        assert_null(key);
        return;
    }
    assert_non_null(key);
    assert_string_equal(key->name, name);
    queue_done(q, key, UINT64_MAX, 0);
}

static void equal_keys_merge_to_one_pass(void **state)
{
    struct queue *q = *state;

    add(q, "a", 0);
    add(q, "a", 0);
    add(q, "b", 0);
    add(q, "a", 0);
    assert_int_equal(queue_size(q), 2);
    expect(q, 0, "a");
    expect(q, 0, "b");
    expect(q, 0, NULL);
    assert_int_equal(queue_size(q), 0);
}

static void keys_of_two_controllers_are_apart(void **state)
{
    struct queue *q = *state;

    add(q, "a", 0);
    queue_add(q, &two, "demo", "a", 0, QUEUE_HIGH, 1000);
    queue_add(q, &one, NULL, "a", 0, QUEUE_HIGH, 1000);
    assert_int_equal(queue_size(q), 3);
    assert_int_equal(queue_waiting(q, &one), 2);
}

static void the_earliest_time_wins(void **state)
{
    struct queue *q = *state;

    add(q, "a", 500);
    add(q, "a", 900);
    assert_int_equal(queue_next_ns(q), 500);
    add(q, "a", 200);
    assert_int_equal(queue_next_ns(q), 200);
    expect(q, 199, NULL);
    expect(q, 200, "a");
    expect(q, 1000, NULL);
}

static void first_lists_go_behind_what_happens(void **state)
{
    struct queue *q = *state;

    queue_add(q, &one, "demo", "listed", 0, QUEUE_LOW, 1000);
    queue_add(q, &one, "demo", "both", 0, QUEUE_LOW, 1000);
    add(q, "event", 0);
    add(q, "both", 0);
    expect(q, 0, "event");
    expect(q, 0, "both");
    expect(q, 0, "listed");
}

static void what_is_begun_goes_first_but_does_not_keep_others_out(void **state)
{
    static const char *const begun[] = {"b1", "b2", "b3", "b4", "b5"};
    struct queue *q = *state;

    add(q, "new", 0);
    for (int i = 0; i < 5; i++)
        queue_add(q, &one, "demo", begun[i], 0, QUEUE_BEGUN, 1000);
    for (int i = 0; i < 3; i++)
        expect(q, 0, begun[i]);
    expect(q, 0, "new");
    expect(q, 0, "b4");
    expect(q, 0, "b5");
    expect(q, 0, NULL);
}

static void what_is_begun_while_it_runs_goes_on_first(void **state)
{
    struct queue *q = *state;
    struct queue_key *key;

    add(q, "a", 0);
    add(q, "b", 0);
    key = queue_take(q, 0);
    queue_add(q, &one, "demo", "a", 0, QUEUE_BEGUN, 2000);
    queue_done(q, key, UINT64_MAX, 0);
    expect(q, 0, "a");
    expect(q, 0, "b");
}

static void a_running_key_is_not_given_out_twice(void **state)
{
    struct queue *q = *state;
    struct queue_key *key;

    add(q, "a", 0);
    key = queue_take(q, 0);
    add(q, "a", 0);
    assert_null(queue_take(q, 0));
    assert_int_equal(queue_next_ns(q), UINT64_MAX);
    queue_done(q, key, UINT64_MAX, 0);
    expect(q, 0, "a");
}

static void an_event_during_a_pass_comes_before_its_timer(void **state)
{
    struct queue *q = *state;
    struct queue_key *key;

    add(q, "a", 0);
    key = queue_take(q, 0);
    queue_add(q, &one, "demo", "a", 0, QUEUE_HIGH, 2000);
    queue_done(q, key, 5000, 9000);
    key = queue_take(q, 0);
    assert_non_null(key);
    assert_int_equal(key->asked_ms, 2000);
    queue_done(q, key, UINT64_MAX, 0);
}

static void a_retry_keeps_the_time_it_was_first_asked_for(void **state)
{
    struct queue *q = *state;
    struct queue_key *key;

    add(q, "a", 0);
    key = queue_take(q, 0);
    key->failures = 1;
    queue_done(q, key, 700, 999999);
    key = queue_take(q, 700);
    assert_int_equal(key->asked_ms, 1000);
    assert_int_equal(key->failures, 1);
    key->failures = 0;
    queue_done(q, key, 800, 7000);
    key = queue_take(q, 800);
    assert_int_equal(key->asked_ms, 7000);
    queue_done(q, key, UINT64_MAX, 0);
}

static void a_key_with_a_refusal_is_remembered_until_its_object_goes(void **state)
{
    struct queue *q = *state;
    struct queue_key *key;

    add(q, "a", 0);
    key = queue_take(q, 0);
    refusals_note(&key->refusals, kind_get(KIND_JOB), "demo", "j", REFUSAL_QUOTA, "exceeded quota: x", 0, 0);
    queue_done(q, key, UINT64_MAX, 0);
    assert_int_equal(queue_size(q), 1);
    assert_int_equal(queue_waiting(q, &one), 0);
    queue_drop(q, &one, "demo", "a");
    assert_int_equal(queue_size(q), 0);
}

static void a_key_dropped_while_it_runs_goes_when_its_pass_ends(void **state)
{
    struct queue *q = *state;
    struct queue_key *key;

    add(q, "a", 0);
    key = queue_take(q, 0);
    queue_drop(q, &one, "demo", "a");
    queue_done(q, key, 100, 0);
    assert_int_equal(queue_size(q), 0);
    add(q, "a", 0);
    key = queue_take(q, 0);
    queue_drop(q, &one, "demo", "a");
    add(q, "a", 0); /* a new object of that name came at once */
    queue_done(q, key, UINT64_MAX, 0);
    expect(q, 0, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_keys_merge_to_one_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_two_controllers_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(the_earliest_time_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(first_lists_go_behind_what_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_begun_goes_first_but_does_not_keep_others_out, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_begun_while_it_runs_goes_on_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_running_key_is_not_given_out_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(an_event_during_a_pass_comes_before_its_timer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_retry_keeps_the_time_it_was_first_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_with_a_refusal_is_remembered_until_its_object_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_dropped_while_it_runs_goes_when_its_pass_ends, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
