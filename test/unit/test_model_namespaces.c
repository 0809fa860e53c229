/* test_model_namespaces: what a new namespace has, and how one goes. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_cluster.h"

#define SPACES "/api/v1/namespaces"

static void create(struct cluster *c)
{
    cluster_must(c, 201, "POST", SPACES, "{'metadata':{'name':'demo'}}");
    cluster_settle(c);
}

static void a_new_namespace_has_an_account_and_the_root_certificate(void **state)
{
    struct cluster *c = *state;

    create(c);
    assert_true(cluster_has(c, SPACES "/demo/serviceaccounts/default"));
    assert_true(cluster_has(c, SPACES "/demo/configmaps/kube-root-ca.crt"));
    assert_true(cluster_has(c, SPACES "/default/serviceaccounts/default"));
}

static void what_is_deleted_of_these_comes_back(void **state)
{
    struct cluster *c = *state;

    create(c);
    cluster_must(c, 200, "DELETE", SPACES "/demo/serviceaccounts/default", NULL);
    cluster_must(c, 200, "DELETE", SPACES "/demo/configmaps/kube-root-ca.crt", NULL);
    cluster_settle(c);
    assert_true(cluster_has(c, SPACES "/demo/serviceaccounts/default"));
    assert_true(cluster_has(c, SPACES "/demo/configmaps/kube-root-ca.crt"));
}

static void a_deleted_namespace_goes_with_all_that_is_in_it(void **state)
{
    struct cluster *c = *state;

    create(c);
    cluster_must(c, 201, "POST", SPACES "/demo/secrets", "{'metadata':{'name':'s'}}");
    cluster_must(c, 200, "DELETE", SPACES "/demo", NULL);
    assert_string_equal(cluster_text(c, SPACES "/demo", "status.phase"), "Terminating");
    cluster_settle(c);
    assert_false(cluster_has(c, SPACES "/demo"));
    create(c);
    assert_string_equal(cluster_names(c, SPACES "/demo/secrets"), "");
}

static const char *condition(struct cluster *c, const char *type, const char *field)
{
    json_t *list, *one;
    size_t i;

    cluster_must(c, 200, "GET", SPACES "/demo", NULL);
    list = json_at(c->answer, "status.conditions");
    json_array_foreach (list, i, one)
        if (strcmp(json_text(one, "type"), type) == 0)
            return json_text(one, field);
    return "";
}

static void what_holds_a_namespace_is_named_in_its_conditions(void **state)
{
    struct cluster *c = *state;

    create(c);
    cluster_must(c, 201, "POST", SPACES "/demo/secrets",
                 "{'metadata':{'name':'s','finalizers':['example.com/hold']}}");
    cluster_must(c, 200, "DELETE", SPACES "/demo", NULL);
    cluster_settle(c);
    assert_string_equal(condition(c, "NamespaceContentRemaining", "status"), "True");
    assert_string_equal(condition(c, "NamespaceContentRemaining", "message"),
                        "Some resources are remaining: secrets. has 1 resource instances");
    assert_string_equal(condition(c, "NamespaceFinalizersRemaining", "message"),
                        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource "
                        "instances");
    assert_string_equal(condition(c, "NamespaceDeletionContentFailure", "status"), "False");
    cluster_must(c, 200, "PATCH", SPACES "/demo/secrets/s", "{'metadata':{'finalizers':[]}}");
    cluster_settle(c);
    assert_false(cluster_has(c, SPACES "/demo"));
}

static void a_deletion_goes_on_after_a_restart(void **state)
{
    struct cluster *c = *state, *later;

    create(c);
    cluster_must(c, 200, "DELETE", SPACES "/demo", NULL);
    later = cluster_restart(c, c->n_commits);
    assert_false(cluster_has(later, SPACES "/demo"));
    assert_string_equal(cluster_names(later, "/api/v1/configmaps?fieldSelector=metadata.namespace%3Ddemo"), "");
    cluster_free(later);
    cluster_settle(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_setup, cluster_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_namespace_has_an_account_and_the_root_certificate),
        TEST(what_is_deleted_of_these_comes_back),
        TEST(a_deleted_namespace_goes_with_all_that_is_in_it),
        TEST(what_holds_a_namespace_is_named_in_its_conditions),
        TEST(a_deletion_goes_on_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
