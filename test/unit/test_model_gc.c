/* test_model_gc: what goes when its owners go. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_cluster.h"

#define MAPS "/api/v1/namespaces/default/configmaps"

static void create(struct cluster *c, const char *name, const char *meta)
{
    AUTO_FREE char *body = mem_printf("{'metadata':{'name':'%s'%s%s}}", name, meta ? "," : "", meta ? meta : "");

    cluster_must(c, 201, "POST", MAPS, body);
}

/* "'ownerReferences':[…]" to a ConfigMap; block: blockOwnerDeletion. */
static char *owned_by(struct cluster *c, const char *name, bool block)
{
    AUTO_FREE char *path = mem_printf(MAPS "/%s", name);

    return mem_printf("{'apiVersion':'v1','kind':'ConfigMap','name':'%s','uid':'%s','blockOwnerDeletion':%s}", name,
                      cluster_text(c, path, "metadata.uid"), block ? "true" : "false");
}

static void create_owned(struct cluster *c, const char *name, const char *owner, bool block)
{
    AUTO_FREE char *ref = owned_by(c, owner, block);
    AUTO_FREE char *meta = mem_printf("'ownerReferences':[%s]", ref);

    create(c, name, meta);
}

static bool has(struct cluster *c, const char *name)
{
    AUTO_FREE char *path = mem_printf(MAPS "/%s", name);

    return cluster_has(c, path);
}

static void dependents_go_in_the_background_after_their_owner(void **state)
{
    struct cluster *c = *state;

    create(c, "a", NULL);
    create_owned(c, "b", "a", false);
    create_owned(c, "c", "b", false);
    cluster_settle(c);
    assert_true(has(c, "c"));
    cluster_must(c, 200, "DELETE", MAPS "/a", NULL);
    assert_true(has(c, "b"));
    cluster_settle(c);
    assert_false(has(c, "b"));
    assert_false(has(c, "c"));
}

static void an_object_with_another_owner_stays_and_forgets_the_lost_one(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *a = NULL, *b = NULL, *meta = NULL;

    create(c, "a", NULL);
    create(c, "b", NULL);
    a = owned_by(c, "a", false);
    b = owned_by(c, "b", false);
    meta = mem_printf("'ownerReferences':[%s,%s]", a, b);
    create(c, "both", meta);
    cluster_must(c, 200, "DELETE", MAPS "/a", NULL);
    cluster_settle(c);
    assert_string_equal(cluster_text(c, MAPS "/both", "metadata.ownerReferences.0.name"), "b");
    assert_string_equal(cluster_text(c, MAPS "/both", "metadata.ownerReferences.1"), "");
    cluster_must(c, 200, "DELETE", MAPS "/b", NULL);
    cluster_settle(c);
    assert_false(has(c, "both"));
}

static void an_owner_that_never_was_is_a_lost_one(void **state)
{
    struct cluster *c = *state;

    create(c, "a", "'ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'x','uid':'none'}]");
    cluster_settle(c);
    assert_false(has(c, "a"));
}

static void an_owner_in_another_namespace_does_not_count(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *ref = NULL, *body = NULL;

    cluster_must(c, 201, "POST", "/api/v1/namespaces", "{'metadata':{'name':'other'}}");
    create(c, "a", NULL);
    ref = owned_by(c, "a", false);
    body = mem_printf("{'metadata':{'name':'b','ownerReferences':[%s]}}", ref);
    cluster_must(c, 201, "POST", "/api/v1/namespaces/other/configmaps", body);
    cluster_settle(c);
    assert_false(cluster_has(c, "/api/v1/namespaces/other/configmaps/b"));
}

static void in_the_foreground_the_owner_waits_for_those_who_block(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *ref = NULL, *meta = NULL;

    create(c, "a", NULL);
    ref = owned_by(c, "a", true);
    meta = mem_printf("'finalizers':['example.com/hold'],'ownerReferences':[%s]", ref);
    create(c, "held", meta);
    create_owned(c, "free", "a", true);
    cluster_must(c, 200, "DELETE", MAPS "/a", "{'propagationPolicy':'Foreground'}");
    cluster_settle(c);
    assert_false(has(c, "free"));
    assert_string_equal(cluster_text(c, MAPS "/a", "metadata.finalizers"), "[\"foregroundDeletion\"]");
    assert_string_not_equal(cluster_text(c, MAPS "/held", "metadata.deletionTimestamp"), "");
    cluster_must(c, 200, "PATCH", MAPS "/held", "{'metadata':{'finalizers':null}}");
    cluster_settle(c);
    assert_false(has(c, "held"));
    assert_false(has(c, "a"));
}

static void in_the_foreground_grandchildren_go_before_children(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *ref = NULL, *meta = NULL;

    create(c, "a", NULL);
    create_owned(c, "b", "a", true);
    ref = owned_by(c, "b", true);
    meta = mem_printf("'finalizers':['example.com/hold'],'ownerReferences':[%s]", ref);
    create(c, "c", meta);
    cluster_must(c, 200, "DELETE", MAPS "/a", "{'propagationPolicy':'Foreground'}");
    cluster_settle(c);
    assert_true(has(c, "a") && has(c, "b") && has(c, "c"));
    cluster_must(c, 200, "PATCH", MAPS "/c", "{'metadata':{'finalizers':null}}");
    cluster_settle(c);
    assert_false(has(c, "a") || has(c, "b") || has(c, "c"));
}

static void orphans_stay_without_their_owner(void **state)
{
    struct cluster *c = *state;

    create(c, "a", NULL);
    create_owned(c, "b", "a", true);
    cluster_must(c, 200, "DELETE", MAPS "/a", "{'propagationPolicy':'Orphan'}");
    cluster_settle(c);
    assert_false(has(c, "a"));
    assert_true(has(c, "b"));
    assert_string_equal(cluster_text(c, MAPS "/b", "metadata.ownerReferences.0"), "");
}

static void in_the_foreground_nobody_waits_for_those_who_do_not_block(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *ref = NULL, *meta = NULL;

    create(c, "a", NULL);
    ref = owned_by(c, "a", false);
    meta = mem_printf("'finalizers':['example.com/hold'],'ownerReferences':[%s]", ref);
    create(c, "held", meta);
    cluster_must(c, 200, "DELETE", MAPS "/a", "{'propagationPolicy':'Foreground'}");
    cluster_settle(c);
    assert_false(has(c, "a"));
    assert_true(has(c, "held"));
}

static void the_last_word_on_dependents_counts(void **state)
{
    struct cluster *c = *state;

    create(c, "a", "'finalizers':['example.com/hold']");
    create_owned(c, "b", "a", true);
    cluster_must(c, 200, "DELETE", MAPS "/a", "{'propagationPolicy':'Foreground'}");
    assert_string_equal(cluster_text(c, MAPS "/a", "metadata.finalizers"),
                        "[\"example.com/hold\",\"foregroundDeletion\"]");
    cluster_must(c, 200, "DELETE", MAPS "/a", "{'propagationPolicy':'Orphan'}");
    assert_string_equal(cluster_text(c, MAPS "/a", "metadata.finalizers"), "[\"example.com/hold\",\"orphan\"]");
    cluster_must(c, 200, "DELETE", MAPS "/a", NULL); /* says nothing: it stays */
    assert_string_equal(cluster_text(c, MAPS "/a", "metadata.finalizers"), "[\"example.com/hold\",\"orphan\"]");
    cluster_settle(c);
    assert_string_equal(cluster_text(c, MAPS "/b", "metadata.ownerReferences.0"), "");
}

static void a_job_deleted_without_a_word_leaves_its_pods(void **state)
{
    struct cluster *c = *state;

    cluster_must(c, 201, "POST", "/apis/batch/v1/namespaces/default/jobs",
                 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'restartPolicy':'Never','containers':[{'name':"
                 "'c','image':'i'}]}}}}");
    cluster_settle(c);
    cluster_must(c, 200, "DELETE", "/apis/batch/v1/namespaces/default/jobs/j", NULL);
    cluster_settle(c);
    assert_false(cluster_has(c, "/apis/batch/v1/namespaces/default/jobs/j"));
    assert_string_not_equal(cluster_text(c, "/api/v1/namespaces/default/pods", "items.0.metadata.name"), "");
    assert_string_equal(cluster_text(c, "/api/v1/namespaces/default/pods", "items.0.metadata.ownerReferences"), "");
    assert_string_equal(cluster_text(c, "/api/v1/namespaces/default/pods", "items.0.metadata.finalizers"), "");
}

static void assert_refused(struct cluster *c, int status, const char *options, const char *message)
{
    cluster_must(c, status, "DELETE", MAPS "/a", options);
    assert_string_equal(json_text(c->answer, "message"), message);
}

static void deletions_that_make_no_sense_are_refused(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *uid = NULL, *message = NULL;

    create(c, "a", NULL);
    uid = mem_strdup(cluster_text(c, MAPS "/a", "metadata.uid"));
    message = mem_printf("Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (x) does not "
                         "match the UID in record (%s). The object might have been deleted and then recreated",
                         uid);
    assert_refused(c, 409, "{'preconditions':{'uid':'x'}}", message);
    assert_refused(c, 422, "{'propagationPolicy':'Nope'}",
                   "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Nope\": "
                   "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"");
    assert_refused(c, 422, "{'propagationPolicy':'Orphan','orphanDependents':true}",
                   "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"Orphan\": "
                   "orphanDependents and deletionPropagation cannot be both set");
    assert_true(has(c, "a"));
}

static void a_collector_that_was_away_finds_what_was_left_behind(void **state)
{
    struct cluster *c = *state, *later;

    create(c, "a", NULL);
    create_owned(c, "b", "a", false);
    create(c, "kept", NULL);
    cluster_must(c, 200, "DELETE", MAPS "/a", NULL);
    later = cluster_restart(c, c->n_commits); /* before the collector had its turn */
    assert_false(has(later, "b"));
    assert_true(has(later, "kept"));
    cluster_free(later);
    cluster_settle(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_setup, cluster_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dependents_go_in_the_background_after_their_owner),
        TEST(an_object_with_another_owner_stays_and_forgets_the_lost_one),
        TEST(an_owner_that_never_was_is_a_lost_one),
        TEST(an_owner_in_another_namespace_does_not_count),
        TEST(in_the_foreground_the_owner_waits_for_those_who_block),
        TEST(in_the_foreground_grandchildren_go_before_children),
        TEST(orphans_stay_without_their_owner),
        TEST(in_the_foreground_nobody_waits_for_those_who_do_not_block),
        TEST(the_last_word_on_dependents_counts),
        TEST(a_job_deleted_without_a_word_leaves_its_pods),
        TEST(deletions_that_make_no_sense_are_refused),
        TEST(a_collector_that_was_away_finds_what_was_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
