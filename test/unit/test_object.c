/* test_object: records made from whole objects. */
#include "test.h"

#include <jansson.h>

#include "core/base/mem.h"
#include "k8s/object.h"

static struct kobj *object(enum kind_id id, const char *text)
{
    json_t *tree = json_loads(text, JSON_ALLOW_NUL, NULL);
    struct kobj *o;

    assert_non_null(tree);
    o = kobj_from_json(kind_get(id), tree);
    json_decref(tree);
    return o;
}

static void a_record_has_metadata_owner_and_fields(void **state)
{
    size_t live = mem_live();
    struct kobj *o =
        object(KIND_BACKUPCONFIGURATION,
               "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"db\",\"uid\":\"u1\",\"resourceVersion\":\"7\","
               "\"generation\":3,\"creationTimestamp\":\"2026-03-01T02:00:00Z\","
               "\"annotations\":{\"stash.appscode.com/last-schedule-time\":\"t\"},"
               "\"ownerReferences\":[{\"kind\":\"A\",\"name\":\"a\",\"uid\":\"ua\"},"
               "{\"kind\":\"B\",\"name\":\"b\",\"uid\":\"ub\",\"controller\":true}]},"
               "\"spec\":{\"schedule\":\"*/5 * * * *\",\"paused\":false,\"backupHistoryLimit\":0,"
               "\"task\":{\"name\":\"\"},\"driver\":null,\"timeOut\":{\"odd\":1},"
               "\"retryConfig\":{\"maxRetry\":2.5}}}");

    (void)state;
    assert_string_equal(o->ns, "demo");
    assert_string_equal(o->name, "db");
    assert_string_equal(o->uid, "u1");
    assert_string_equal(o->rv, "7");
    assert_int_equal(o->generation, 3);
    assert_int_equal(o->created_s, 1772330400);
    assert_false(o->deleting);
    assert_string_equal(o->owner_kind, "B");
    assert_string_equal(o->owner_name, "b");
    assert_string_equal(o->owner_uid, "ub");
    assert_string_equal(kobj_get(o, "spec.schedule"), "*/5 * * * *");
    assert_string_equal(kobj_get(o, "annotation:stash.appscode.com/last-schedule-time"), "t");
    kobj_unref(o);
    assert_int_equal(mem_live(), live);
}

static void false_zero_empty_and_absent_are_four_things(void **state)
{
    struct kobj *o =
        object(KIND_BACKUPCONFIGURATION,
               "{\"spec\":{\"paused\":false,\"backupHistoryLimit\":0,\"task\":{\"name\":\"\"},\"driver\":null,"
               "\"timeOut\":{\"odd\":1},\"retryConfig\":{\"maxRetry\":2.5}}}");

    (void)state;
    assert_string_equal(kobj_get(o, "spec.paused"), "false");
    assert_string_equal(kobj_get(o, "spec.backupHistoryLimit"), "0");
    assert_string_equal(kobj_get(o, "spec.task.name"), "");
    assert_null(kobj_get(o, "spec.driver"));
    assert_null(kobj_get(o, "spec.timeOut"));
    assert_string_equal(kobj_get(o, "spec.retryConfig.maxRetry"), "2.5");
    assert_null(kobj_get(o, "spec.repository.name"));
    assert_string_equal(kobj_text(o, "spec.repository.name"), "");
    assert_string_equal(o->owner_uid, "");
    kobj_unref(o);
}

static void of_two_versions_it_is_known_whether_they_say_the_same(void **state)
{
    static const char text[] = "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"db\",\"uid\":\"%s\",\"generation\":%d,"
                               "\"resourceVersion\":\"%d\",\"annotations\":{\"example.com/nonce\":\"%d\"}},"
                               "\"spec\":{\"schedule\":\"%s\",\"paused\":%s},\"status\":{\"phase\":\"%s\"}}";
    static const struct {
        const char *uid, *schedule, *paused, *phase;
        int generation;
        bool same;
    } rows[] = {{"u1", "0 1 * * *", "false", "Ready", 1, true},    {"u2", "0 1 * * *", "false", "Ready", 1, false},
                {"u1", "0 2 * * *", "false", "Ready", 1, false},   {"u1", "0 1 * * *", "true", "Ready", 1, false},
                {"u1", "0 1 * * *", "null", "Ready", 1, false},    {"u1", "0 1 * * *", "false", "Ready", 2, false},
                {"u1", "0 1 * * *", "false", "Invalid", 1, false}, {"u1", "", "false", "Ready", 1, false}};
    AUTO_FREE char *first_text = mem_printf(text, "u1", 1, 1, 1, "0 1 * * *", "false", "Ready");
    struct kobj *first = object(KIND_BACKUPCONFIGURATION, first_text);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_FREE char *now_text = mem_printf(text, rows[i].uid, rows[i].generation, 2, 2, rows[i].schedule,
                                              rows[i].paused, rows[i].phase);
        struct kobj *now = object(KIND_BACKUPCONFIGURATION, now_text);

        assert_int_equal(kobj_same(first, now), rows[i].same);
        kobj_unref(now);
    }
    kobj_unref(first);
}

static void the_first_owner_counts_when_none_controls(void **state)
{
    struct kobj *o =
        object(KIND_JOB, "{\"metadata\":{\"deletionTimestamp\":\"2026-03-01T02:00:00Z\",\"ownerReferences\":["
                         "{\"kind\":\"A\",\"uid\":\"ua\",\"controller\":false},{\"kind\":\"B\"}]}}");

    (void)state;
    assert_string_equal(o->owner_kind, "A");
    assert_string_equal(o->owner_uid, "ua");
    assert_true(o->deleting);
    kobj_unref(o);
}

static void conditions_are_condensed_and_found_by_type(void **state)
{
    struct kobj *o = object(KIND_REPOSITORY,
                            "{\"status\":{\"conditions\":[{\"type\":\"A\",\"status\":\"True\",\"reason\":\"Fine\"},"
                            "{\"status\":\"True\"},7,{\"type\":\"AB\",\"status\":\"False\"},"
                            "{\"type\":\"C\",\"status\":\"True\",\"reason\":\"x Fake=True/y\"}]}}");
    struct str status, reason;

    (void)state;
    assert_string_equal(kobj_get(o, "status.conditions"), "A=True/Fine AB=False/ C=True/x_Fake_True_y");
    assert_true(kobj_condition(o, "A", &status, &reason));
    assert_true(str_is(status, "True"));
    assert_true(str_is(reason, "Fine"));
    assert_true(kobj_condition(o, "AB", &status, &reason));
    assert_true(str_is(status, "False"));
    assert_true(str_is(reason, ""));
    assert_false(kobj_condition(o, "Fake", &status, &reason));
    assert_false(kobj_condition(o, "B", &status, &reason));
    assert_false(kobj_condition_in(NULL, "A", NULL, NULL));
    kobj_unref(o);
}

static void a_nul_in_a_text_does_not_cut_it(void **state)
{
    struct kobj *o =
        object(KIND_NAMESPACE, "{\"metadata\":{\"name\":\"a\\u0000b\"},\"status\":{\"phase\":\"\\u0000\"}}");

    (void)state;
    assert_string_equal(o->name, "a?b");
    assert_string_equal(kobj_get(o, "status.phase"), "?");
    kobj_unref(o);
}

static void the_last_reference_frees(void **state)
{
    size_t live = mem_live();
    struct kobj *o = object(KIND_TASK, "{}"), *again = kobj_ref(o);

    (void)state;
    assert_ptr_equal(again, o);
    kobj_unref(o);
    assert_string_equal(again->name, "");
    kobj_unref(again);
    kobj_unref(NULL);
    assert_int_equal(mem_live(), live);
}

static struct kobj *lease_of(struct shared_pool *pool, const char *name, const char *holder)
{
    const struct str values[] = {str_of(holder)};

    return kobj_make(pool, kind_get(KIND_LEASE), &(struct kobj_parts){.name = str_of(name), .values = values});
}

static void what_records_say_alike_is_kept_once_and_until_the_last_of_them(void **state)
{
    size_t live = mem_live();
    struct shared_pool *pool = shared_pool_new(1);
    struct kobj *a = lease_of(pool, "a", "x"), *b = lease_of(pool, "b", "x"), *c = lease_of(pool, "c", "y"), *d;

    (void)state;
    assert_ptr_equal(kobj_get(a, "spec.holderIdentity"), kobj_get(b, "spec.holderIdentity"));
    assert_string_equal(kobj_get(c, "spec.holderIdentity"), "y");
    kobj_unref(a);
    shared_pool_drop(pool);
    assert_string_equal(kobj_get(b, "spec.holderIdentity"), "x");
    d = lease_of(pool, "d", "x");
    assert_ptr_equal(kobj_get(d, "spec.holderIdentity"), kobj_get(b, "spec.holderIdentity"));
    kobj_unref(b);
    kobj_unref(c);
    kobj_unref(d);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_has_metadata_owner_and_fields),
        cmocka_unit_test(false_zero_empty_and_absent_are_four_things),
        cmocka_unit_test(of_two_versions_it_is_known_whether_they_say_the_same),
        cmocka_unit_test(the_first_owner_counts_when_none_controls),
        cmocka_unit_test(conditions_are_condensed_and_found_by_type),
        cmocka_unit_test(a_nul_in_a_text_does_not_cut_it),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(what_records_say_alike_is_kept_once_and_until_the_last_of_them),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
