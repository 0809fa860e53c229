/* test_model_quota: what a namespace may use, and the refusal of more. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_cluster.h"

#define QUOTAS "/api/v1/namespaces/default/resourcequotas"
#define QUOTA QUOTAS "/q"
#define PODS "/api/v1/namespaces/default/pods"
#define MAPS "/api/v1/namespaces/default/configmaps"
#define CLAIMS "/api/v1/namespaces/default/persistentvolumeclaims"
#define JOBS "/apis/batch/v1/namespaces/default/jobs"

static void limit(struct cluster *c, const char *spec)
{
    AUTO_FREE char *body = mem_printf("{'metadata':{'name':'q'},'spec':%s}", spec);

    cluster_must(c, 201, "POST", QUOTAS, body);
    cluster_settle(c);
}

static int pod(struct cluster *c, const char *name, const char *more, const char *resources)
{
    AUTO_FREE char *body = mem_printf("{'metadata':{'name':'%s'},'spec':{%s'containers':[{'name':'c','image':'i',"
                                      "'resources':%s}]}}",
                                      name, more, resources);
    int status = cluster_do(c, "POST", PODS, body);

    cluster_settle(c);
    return status;
}

static int map(struct cluster *c, const char *name)
{
    AUTO_FREE char *body = mem_printf("{'metadata':{'name':'%s'}}", name);

    return cluster_do(c, "POST", MAPS, body);
}

static void what_is_used_stands_in_the_status(void **state)
{
    struct cluster *c = *state;

    assert_int_equal(pod(c, "p", "", "{'requests':{'cpu':'300m','memory':'1Gi'},'limits':{'cpu':1}}"), 201);
    limit(c, "{'hard':{'pods':'10','requests.cpu':'2','requests.memory':'4Gi','limits.cpu':'4','count/jobs.batch':'5',"
             "'configmaps':'1k','example.com/unknown':'1'}}");
    cluster_must(c, 200, "GET", QUOTA, NULL);
    assert_string_equal(json_text(c->answer, "status.hard.pods"), "10");
    assert_string_equal(json_text(c->answer, "status.used.pods"), "1");
    assert_string_equal(json_string_value(json_object_get(json_at(c->answer, "status.used"), "requests.cpu")), "300m");
    assert_string_equal(json_string_value(json_object_get(json_at(c->answer, "status.used"), "requests.memory")),
                        "1Gi");
    assert_string_equal(json_string_value(json_object_get(json_at(c->answer, "status.used"), "limits.cpu")), "1");
    assert_string_equal(json_string_value(json_object_get(json_at(c->answer, "status.used"), "count/jobs.batch")),
                        "0");
    assert_string_equal(json_text(c->answer, "status.used.configmaps"), "1"); /* kube-root-ca.crt */
    assert_null(json_object_get(json_at(c->answer, "status.used"), "example.com/unknown"));
}

static void one_object_too_many_is_refused(void **state)
{
    struct cluster *c = *state;

    limit(c, "{'hard':{'configmaps':'3','count/configmaps':'2'}}");
    assert_int_equal(map(c, "a"), 201);
    assert_int_equal(map(c, "b"), 403);
    assert_string_equal(json_text(c->answer, "message"),
                        "configmaps \"b\" is forbidden: exceeded quota: q, requested: count/configmaps=1, used: "
                        "count/configmaps=2, limited: count/configmaps=2");
    assert_string_equal(json_text(c->answer, "reason"), "Forbidden");
    cluster_must(c, 200, "DELETE", MAPS "/a", NULL);
    assert_int_equal(map(c, "b"), 201);
    cluster_must(c, 200, "PATCH", MAPS "/b", "{'data':{'x':'y'}}"); /* no new one */
    cluster_settle(c);
    assert_string_equal(cluster_text(c, QUOTA, "status.used.configmaps"), "2");
}

static void pods_must_state_what_is_limited(void **state)
{
    struct cluster *c = *state;

    limit(c, "{'hard':{'requests.cpu':'1','limits.memory':'1Gi'}}");
    assert_int_equal(pod(c, "a", "", "{}"), 403);
    assert_string_equal(json_text(c->answer, "message"),
                        "pods \"a\" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu "
                        "for: c");
    assert_int_equal(pod(c, "a", "", "{'requests':{'cpu':'400m'},'limits':{'memory':'512Mi'}}"), 201);
    assert_int_equal(pod(c, "b", "", "{'requests':{'cpu':'700m'},'limits':{'memory':'768Mi'}}"), 403);
    assert_string_equal(json_text(c->answer, "message"),
                        "pods \"b\" is forbidden: exceeded quota: q, requested: limits.memory=768Mi,requests.cpu=700m, "
                        "used: limits.memory=512Mi,requests.cpu=400m, limited: limits.memory=1Gi,requests.cpu=1");
}

static void pods_that_have_ended_do_not_count(void **state)
{
    struct cluster *c = *state;

    limit(c, "{'hard':{'pods':'1'}}");
    assert_int_equal(pod(c, "a", "", "{}"), 201);
    assert_int_equal(pod(c, "b", "", "{}"), 403);
    cluster_must(c, 200, "PATCH", PODS "/a/status", "{'status':{'phase':'Succeeded'}}");
    cluster_settle(c);
    assert_string_equal(cluster_text(c, QUOTA, "status.used.pods"), "0");
    assert_int_equal(pod(c, "b", "", "{}"), 201);
}

static void scopes_choose_pods(void **state)
{
    struct cluster *c = *state;

    limit(c, "{'hard':{'pods':'0'},'scopes':['Terminating']}");
    assert_int_equal(pod(c, "a", "", "{}"), 201);
    assert_int_equal(pod(c, "b", "'activeDeadlineSeconds':5,", "{}"), 403);
    cluster_must(c, 422, "POST", QUOTAS, "{'metadata':{'name':'x'},'spec':{'scopes':['Some']}}");
    cluster_must(c, 422, "POST", QUOTAS, "{'metadata':{'name':'x'},'spec':{'hard':{'pods':'-1'}}}");
}

static void claims_count_by_size_and_class(void **state)
{
    struct cluster *c = *state;

    limit(c, "{'hard':{'requests.storage':'3Gi','fast.storageclass.storage.k8s.io/persistentvolumeclaims':'1'}}");
    cluster_must(c, 201, "POST", CLAIMS,
                 "{'metadata':{'name':'a'},'spec':{'storageClassName':'fast','accessModes':['ReadWriteOnce'],"
                 "'resources':{'requests':{'storage':'2Gi'}}}}");
    cluster_must(c, 403, "POST", CLAIMS,
                 "{'metadata':{'name':'b'},'spec':{'storageClassName':'slow','accessModes':['ReadWriteOnce'],"
                 "'resources':{'requests':{'storage':'2Gi'}}}}");
    assert_non_null(strstr(json_text(c->answer, "message"),
                           "requested: requests.storage=2Gi, used: requests.storage=2Gi, limited: "
                           "requests.storage=3Gi"));
    cluster_must(c, 403, "POST", CLAIMS,
                 "{'metadata':{'name':'b'},'spec':{'storageClassName':'fast','accessModes':['ReadWriteOnce'],"
                 "'resources':{'requests':{'storage':'1Gi'}}}}");
    cluster_must(c, 201, "POST", CLAIMS,
                 "{'metadata':{'name':'b'},'spec':{'storageClassName':'slow','accessModes':['ReadWriteOnce'],"
                 "'resources':{'requests':{'storage':'1Gi'}}}}");
}

static void a_job_waits_until_its_pods_fit(void **state)
{
    struct cluster *c = *state;

    limit(c, "{'hard':{'pods':'0'}}");
    cluster_must(c, 201, "POST", JOBS,
                 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'restartPolicy':'Never','containers':[{'name':"
                 "'c','image':'i'}]}}}}");
    cluster_settle(c);
    assert_string_equal(cluster_names(c, PODS), "");
    assert_non_null(strstr(cluster_text(c, "/api/v1/namespaces/default/events", "items.0.message"),
                           "Error creating: pods \"j-"));
    cluster_must(c, 200, "PATCH", QUOTA, "{'spec':{'hard':{'pods':'1'}}}");
    cluster_advance(c, 120);
    assert_string_not_equal(cluster_names(c, PODS), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_setup, cluster_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_used_stands_in_the_status),
        TEST(one_object_too_many_is_refused),
        TEST(pods_must_state_what_is_limited),
        TEST(pods_that_have_ended_do_not_count),
        TEST(scopes_choose_pods),
        TEST(claims_count_by_size_and_class),
        TEST(a_job_waits_until_its_pods_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
