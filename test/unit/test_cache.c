/* test_cache: what the local copies and their indexes show after changes, against a plain array. */
#include "test.h"

#include <jansson.h>
#include <stdio.h>

#include "core/base/mem.h"
#include "k8s/cache.h"

struct heard {
    unsigned added, changed, deleted;
    char last[64];
};

static void on_change(void *ctx, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    struct heard *h = ctx;

    (void)k;
    h->added += !old;
    h->deleted += !now;
    h->changed += old && now;
    (void)snprintf(h->last, sizeof(h->last), "%s", (now ? now : old)->name);
}

static struct kobj *session(const char *ns, const char *name, const char *uid, int rv, const char *invoker,
                            const char *owner)
{
    json_t *t = json_pack("{s:{s:s,s:s,s:s,s:o,s:[{s:s}]},s:{s:{s:s*}}}", "metadata", "namespace", ns, "name", name,
                          "uid", uid, "resourceVersion", json_sprintf("%d", rv), "ownerReferences", "uid", owner,
                          "spec", "invoker", "name", invoker);
    struct kobj *o;

    assert_non_null(t);
    o = kobj_from_json(kind_get(KIND_BACKUPSESSION), t);
    json_decref(t);
    return o;
}

static void put(struct cache *c, struct kobj *o_take)
{
    cache_put(c, o_take);
    kobj_unref(o_take);
}

static bool add_name(void *ctx, const struct kobj *o)
{
    char *text = ctx;

    (void)strncat(text, o->name, 20);
    (void)strncat(text, " ", 2);
    return true;
}

static bool only_first(void *ctx, const struct kobj *o)
{
    (void)add_name(ctx, o);
    return false;
}

static const char *by_invoker(struct cache *c, const char *value)
{
    static char text[200];

    text[0] = 0;
    cache_each_by(c, kind_get(KIND_BACKUPSESSION), "spec.invoker.name", value, add_name, text);
    return text;
}

static const char *owned(struct cache *c, const char *uid)
{
    static char text[200];

    text[0] = 0;
    cache_each_owned(c, kind_get(KIND_BACKUPSESSION), uid, add_name, text);
    return text;
}

static void changes_move_objects_between_indexes(void **state)
{
    const struct kind *k = kind_get(KIND_BACKUPSESSION);
    size_t live = mem_live();
    struct heard h = {0};
    struct cache *c = cache_new(1, on_change, &h);
    char all[200] = "";

    (void)state;
    cache_index(c, k, "spec.invoker.name", true);
    cache_index_owners(c, k);
    put(c, session("n", "a", "1", 1, "x", "o"));
    put(c, session("n", "b", "2", 2, "x", "o"));
    put(c, session("m", "c", "3", 3, "x", "p"));
    put(c, session("n", "d", "4", 4, NULL, "o"));
    assert_string_equal(by_invoker(c, "n/x"), "a b ");
    assert_string_equal(by_invoker(c, "m/x"), "c ");
    assert_string_equal(by_invoker(c, "x"), "");
    assert_string_equal(owned(c, "o"), "a b d ");

    put(c, session("n", "a", "1", 5, "y", "o"));
    assert_string_equal(by_invoker(c, "n/x"), "b ");
    assert_string_equal(by_invoker(c, "n/y"), "a ");
    assert_string_equal(owned(c, "o"), "a b d ");
    assert_true(cache_has_owned(c, k, "p"));
    assert_false(cache_has_owned(c, k, "unknown"));
    cache_del(c, k, "n", "b");
    cache_del(c, k, "n", "unknown");
    assert_string_equal(by_invoker(c, "n/x"), "");
    cache_each(c, k, add_name, all);
    assert_string_equal(all, "a c d ");
    cache_each(c, k, only_first, all);
    assert_string_equal(all, "a c d a ");
    assert_int_equal(h.added, 4);
    assert_int_equal(h.changed, 1);
    assert_int_equal(h.deleted, 1);
    assert_int_equal(cache_count(c, k), 3);
    assert_non_null(cache_find(c, k, "m", "c"));
    assert_null(cache_find(c, k, "n", "c"));
    cache_free(c);
    assert_int_equal(mem_live(), live);
}

static void an_equal_resource_version_calls_nobody(void **state)
{
    struct heard h = {0};
    struct cache *c = cache_new(1, on_change, &h);

    (void)state;
    put(c, session("n", "a", "1", 1, "x", "o"));
    put(c, session("n", "a", "1", 1, "x", "o"));
    assert_int_equal(h.added + h.changed, 1);
    cache_free(c);
}

static void a_new_uid_is_a_deletion_and_an_addition(void **state)
{
    struct heard h = {0};
    struct cache *c = cache_new(1, on_change, &h);

    (void)state;
    put(c, session("n", "a", "1", 1, "x", "o"));
    put(c, session("n", "a", "2", 9, "x", "o"));
    assert_int_equal(h.added, 2);
    assert_int_equal(h.deleted, 1);
    assert_int_equal(h.changed, 0);
    cache_free(c);
}

static void a_relist_drops_what_was_not_put_again(void **state)
{
    const struct kind *k = kind_get(KIND_BACKUPSESSION);
    struct heard h = {0};
    struct cache *c = cache_new(1, on_change, &h);

    (void)state;
    assert_false(cache_complete(c, k));
    cache_relist_begin(c, k);
    put(c, session("n", "a", "1", 1, "x", "o"));
    put(c, session("n", "b", "2", 2, "x", "o"));
    put(c, session("n", "c", "3", 3, "x", "o"));
    cache_relist_end(c, k);
    cache_set_complete(c, k);
    assert_true(cache_complete(c, k));
    assert_false(cache_complete(c, kind_get(KIND_JOB)));

    cache_relist_begin(c, k); /* broken off */
    put(c, session("n", "a", "1", 1, "x", "o"));
    cache_relist_begin(c, k);
    put(c, session("n", "c", "3", 3, "x", "o"));
    put(c, session("n", "d", "4", 4, "x", "o"));
    assert_int_equal(h.deleted, 0);
    cache_relist_end(c, k);
    assert_int_equal(h.deleted, 2);
    assert_null(cache_find(c, k, "n", "a"));
    assert_non_null(cache_find(c, k, "n", "c"));
    assert_non_null(cache_find(c, k, "n", "d"));
    assert_int_equal(h.changed, 0);
    cache_free(c);
}

static uint64_t came(struct cache *c, const char *name)
{
    return cache_arrival(c, cache_find(c, kind_get(KIND_BACKUPSESSION), "n", name));
}

static void objects_are_numbered_as_they_come_and_those_of_a_list_alike(void **state)
{
    const struct kind *k = kind_get(KIND_BACKUPSESSION);
    struct cache *c = cache_new(1, NULL, NULL);
    struct kobj *absent = session("n", "no", "9", 9, "x", "o");
    uint64_t of_b;

    (void)state;
    cache_relist_begin(c, k);
    put(c, session("n", "z", "1", 1, "x", "o"));
    cache_relist_end(c, k);
    cache_set_complete(c, k);
    put(c, session("n", "b", "2", 2, "x", "o"));
    put(c, session("n", "a", "3", 3, "x", "o"));
    of_b = came(c, "b");
    assert_int_equal(came(c, "z"), 0);
    assert_true(0 < of_b && of_b < came(c, "a"));
    put(c, session("n", "b", "2", 4, "x", "o")); /* a change is no arrival */
    assert_int_equal(came(c, "b"), of_b);
    cache_relist_begin(c, k);
    put(c, session("n", "b", "2", 4, "x", "o"));
    put(c, session("n", "d", "5", 5, "x", "o"));
    put(c, session("n", "c", "6", 6, "x", "o"));
    cache_relist_end(c, k);
    put(c, session("n", "b", "7", 7, "x", "o")); /* made again */
    assert_true(of_b < came(c, "d"));
    assert_int_equal(came(c, "d"), came(c, "c"));
    assert_true(came(c, "d") < came(c, "b"));
    assert_int_equal(cache_arrival(c, absent), 0);
    kobj_unref(absent);
    cache_free(c);
}

static void cluster_objects_are_found_without_a_namespace(void **state)
{
    struct cache *c = cache_new(1, NULL, NULL);
    json_t *t = json_pack("{s:{s:s}}", "metadata", "name", "demo");
    char huge[2000];

    (void)state;
    put(c, kobj_from_json(kind_get(KIND_NAMESPACE), t));
    json_decref(t);
    assert_non_null(cache_find(c, kind_get(KIND_NAMESPACE), NULL, "demo"));
    assert_non_null(cache_find(c, kind_get(KIND_NAMESPACE), "odd", "demo"));
    memset(huge, 'x', sizeof(huge));
    huge[sizeof(huge) - 1] = 0;
    assert_null(cache_find(c, kind_get(KIND_NAMESPACE), NULL, huge));
    cache_free(c);
}

static struct kobj *restore(const char *ns, const char *name, int rv, const char *repository_ns, const char *repository)
{
    json_t *t = json_pack("{s:{s:s,s:s,s:s,s:o},s:{s:{s:s*,s:s}}}", "metadata", "namespace", ns, "name", name, "uid",
                          name, "resourceVersion", json_sprintf("%d", rv), "spec", "repository", "namespace",
                          repository_ns, "name", repository);
    struct kobj *o;

    assert_non_null(t);
    o = kobj_from_json(kind_get(KIND_RESTORESESSION), t);
    json_decref(t);
    return o;
}

static const char *restores_of(struct cache *c, const char *ns, const char *repository)
{
    static char text[200];

    text[0] = 0;
    cache_each_ref(c, kind_get(KIND_RESTORESESSION), "spec.repository.name", ns, repository, add_name, text);
    return text;
}

static void a_reference_is_found_by_the_object_that_it_names(void **state)
{
    const struct kind *k = kind_get(KIND_RESTORESESSION);
    struct cache *c = cache_new(3, NULL, NULL);

    (void)state;
    cache_index_ref(c, k, "spec.repository.name", "spec.repository.namespace");
    assert_string_equal(restores_of(c, "n", "r"), "");
    put(c, restore("n", "own", 1, NULL, "r"));
    put(c, restore("n", "empty", 2, "", "r"));
    put(c, restore("m", "from-m", 3, "n", "r"));
    put(c, restore("m", "other", 4, NULL, "r"));
    assert_string_equal(restores_of(c, "n", "r"), "own empty from-m ");
    assert_string_equal(restores_of(c, "m", "r"), "other ");
    assert_string_equal(restores_of(c, "n", "other"), "");

    put(c, restore("m", "from-m", 5, "o", "r")); /* the name stays, the namespace does not */
    assert_string_equal(restores_of(c, "n", "r"), "own empty ");
    assert_string_equal(restores_of(c, "o", "r"), "from-m ");
    cache_free(c);
}

/* Its chains grow on the way, and what was in them keeps its order. */
static void an_index_of_many_values_keeps_each_in_order(void **state)
{
    const struct kind *k = kind_get(KIND_BACKUPSESSION);
    size_t live = mem_live();
    struct cache *c = cache_new(5, NULL, NULL);
    char name[16], invoker[16], wanted[200];

    (void)state;
    cache_index(c, k, "spec.invoker.name", true);
    for (int i = 0; i < 1500; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        (void)snprintf(invoker, sizeof(invoker), "i%d", i % 500);
        put(c, session("n", name, name, i, invoker, "o"));
    }
    for (int i = 0; i < 500; i++) {
        (void)snprintf(invoker, sizeof(invoker), "n/i%d", i);
        (void)snprintf(wanted, sizeof(wanted), "s%d s%d s%d ", i, i + 500, i + 1000);
        assert_string_equal(by_invoker(c, invoker), wanted);
    }
    cache_free(c);
    assert_int_equal(mem_live(), live);
}

/* 20,000 random changes, and each index against a scan of an array. */
static void indexes_agree_with_a_scan_over_random_changes(void **state)
{
    static struct { int invoker, owner; } shadow[40];
    const struct kind *k = kind_get(KIND_BACKUPSESSION);
    size_t live = mem_live();
    struct cache *c = cache_new(7, NULL, NULL);
    uint64_t seed = 3;

    (void)state;
    memset(shadow, 0, sizeof(shadow));
    cache_index(c, k, "spec.invoker.name", false);
    cache_index_owners(c, k);
    for (int i = 0; i < 20000; i++) {
        char name[8], uid[8], invoker[8], owner[8];
        int at;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        at = (int)(seed >> 33) % 40;
        (void)snprintf(name, sizeof(name), "s%d", at);
        (void)snprintf(uid, sizeof(uid), "u%d", at);
        if ((seed >> 50) % 4 == 0) {
            cache_del(c, k, "n", name);
            shadow[at].invoker = 0;
        } else {
            shadow[at].invoker = 1 + (int)(seed >> 40) % 3;
            shadow[at].owner = 1 + (int)(seed >> 45) % 3;
            (void)snprintf(invoker, sizeof(invoker), "i%d", shadow[at].invoker);
            (void)snprintf(owner, sizeof(owner), "o%d", shadow[at].owner);
            put(c, session("n", name, uid, i, invoker, owner));
        }
        for (int v = 1; v <= 3 && i % 16 == 0; v++) {
            unsigned n_invoker = 0, n_owner = 0, spaces = 0;

            for (int s = 0; s < 40; s++) {
                n_invoker += shadow[s].invoker == v;
                n_owner += shadow[s].invoker && shadow[s].owner == v;
            }
            (void)snprintf(invoker, sizeof(invoker), "i%d", v);
            (void)snprintf(owner, sizeof(owner), "o%d", v);
            for (const char *p = by_invoker(c, invoker); *p; p++)
                spaces += *p == ' ';
            assert_int_equal(spaces, n_invoker);
            spaces = 0;
            for (const char *p = owned(c, owner); *p; p++)
                spaces += *p == ' ';
            assert_int_equal(spaces, n_owner);
        }
    }
    cache_free(c);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_move_objects_between_indexes),
        cmocka_unit_test(an_equal_resource_version_calls_nobody),
        cmocka_unit_test(a_new_uid_is_a_deletion_and_an_addition),
        cmocka_unit_test(a_relist_drops_what_was_not_put_again),
        cmocka_unit_test(objects_are_numbered_as_they_come_and_those_of_a_list_alike),
        cmocka_unit_test(cluster_objects_are_found_without_a_namespace),
        cmocka_unit_test(a_reference_is_found_by_the_object_that_it_names),
        cmocka_unit_test(an_index_of_many_values_keeps_each_in_order),
        cmocka_unit_test(indexes_agree_with_a_scan_over_random_changes),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
