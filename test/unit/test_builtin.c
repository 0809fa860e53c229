/* test_builtin: what the API server fills into its own kinds and what it refuses, through requests. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_cluster.h"

#define NS "/api/v1/namespaces/default"
#define RBAC "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
#define JOBS "/apis/batch/v1/namespaces/default/jobs"
#define POD(spec) "{'metadata':{'name':'p'},'spec':{" spec "}}"
#define C "{'name':'c','image':'i'}"

/* The causes of a refusal, "field: message" by ", ". */
static const char *causes(struct cluster *c)
{
    static char out[4096];
    json_t *list = json_at(c->answer, "details.causes"), *one;
    size_t i, n = 0;

    out[0] = '\0';
    json_array_foreach (list, i, one)
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s: %s", i > 0 ? ", " : "", json_text(one, "field"),
                              json_text(one, "message"));
    return out;
}

static void pods_are_refused_with_the_servers_words(void **state)
{
    static const struct {
        const char *body, *text;
    } rows[] = {
        {POD(""), "spec.containers: Required value"},
        {POD("'containers':[{}]"), "spec.containers[0].name: Required value, spec.containers[0].image: Required value"},
        {POD("'containers':[" C "," C "]"), "spec.containers[1].name: Duplicate value: \"c\""},
        {POD("'containers':[" C "],'initContainers':[" C "]"), "spec.initContainers[0].name: Duplicate value: \"c\""},
        {POD("'containers':[{'name':'c','image':'i','volumeMounts':[{'name':'v','mountPath':'/v'}]}]"),
         "spec.containers[0].volumeMounts[0].name: Not found: \"v\""},
        {POD("'volumes':[{'name':'v'}],'containers':[{'name':'c','image':'i','volumeMounts':[{'name':'v','mountPath':'/"
             "v'},"
             "{'name':'v','mountPath':'/v'}]}]"),
         "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/v\": must be unique"},
        {POD("'volumes':[{'name':'v','emptyDir':{},'secret':{}}],'containers':[" C "]"),
         "spec.volumes[0]: Forbidden: may not specify more than 1 volume type"},
        {POD("'containers':[" C "],'initContainers':[{'name':'d','image':'i','lifecycle':{}}]"),
         "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without "
         "restartPolicy=Always"},
        {POD("'containers':[{'name':'c','image':'i','livenessProbe':{}}]"),
         "spec.containers[0].livenessProbe: Required value: must specify a handler type"},
        {POD("'containers':[{'name':'c','image':'i','env':[{'name':'a=b'}]}]"),
         "spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only "
         "of printable ASCII characters other than '='"},
        {POD("'containers':[{'name':'c','image':'i','resources':{'limits':{'cpu':'1'},'requests':{'cpu':'2'}}}]"),
         "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"},
        {POD("'containers':[" C "],'restartPolicy':'Sometimes'"),
         "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", "
         "\"Never\""},
        {POD("'containers':[{'name':'c','image':'i','ports':[{'containerPort':70000}]}]"),
         "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(cluster_do(*state, "POST", NS "/pods", rows[i].body), 422);
        assert_string_equal(causes(*state), rows[i].text);
    }
}

static void a_pod_is_filled_in(void **state)
{
    struct cluster *c = *state;

    cluster_must(c, 201, "POST", NS "/pods",
                 POD("'volumes':[{'name':'v'},{'name':'s','secret':{'secretName':'x'}}],'containers':[{'name':'c',"
                     "'image':'r:5000/i:1','livenessProbe':{'httpGet':{'port':80}}},{'name':'d','image':'r:5000/i'}]"));
    assert_string_equal(cluster_text(c, NS "/pods/p", "spec.restartPolicy"), "Always");
    assert_string_equal(cluster_text(c, NS "/pods/p", "spec.terminationGracePeriodSeconds"), "30");
    assert_string_equal(cluster_text(c, NS "/pods/p", "spec.serviceAccountName"), "default");
    assert_string_equal(cluster_text(c, NS "/pods/p", "spec.containers.0.imagePullPolicy"), "IfNotPresent");
    assert_string_equal(cluster_text(c, NS "/pods/p", "spec.containers.1.imagePullPolicy"), "Always");
    assert_string_equal(cluster_text(c, NS "/pods/p", "spec.containers.0.livenessProbe"),
                        "{\"failureThreshold\":3,\"httpGet\":{\"path\":\"/\",\"port\":80,\"scheme\":\"HTTP\"},"
                        "\"periodSeconds\":10,\"successThreshold\":1,\"timeoutSeconds\":1}");
    assert_string_equal(cluster_text(c, NS "/pods/p", "spec.volumes.0.emptyDir"), "{}");
    assert_string_equal(cluster_text(c, NS "/pods/p", "spec.volumes.1.secret.defaultMode"), "420");
    assert_string_equal(cluster_text(c, NS "/pods/p", "status.phase"), "Pending");
    assert_string_equal(cluster_text(c, NS "/pods/p", "status.qosClass"), "BestEffort");
}

static void of_a_pod_only_a_few_fields_change(void **state)
{
    struct cluster *c = *state;

    cluster_must(c, 201, "POST", NS "/pods", POD("'containers':[" C "]"));
    cluster_must(c, 200, "PATCH", NS "/pods/p", "{'spec':{'nodeName':'n'}}");
    cluster_must(c, 200, "PATCH", NS "/pods/p", "[{'op':'replace','path':'/spec/containers/0/image','value':'j'}]");
    assert_int_equal(cluster_do(c, "PATCH", NS "/pods/p", "{'spec':{'nodeName':'m'}}"), 422);
    assert_int_equal(cluster_do(c, "PATCH", NS "/pods/p", "{'spec':{'hostNetwork':true}}"), 422);
    assert_int_equal(strncmp(causes(c), "spec: Forbidden: pod updates may not change fields other than", 61), 0);
}

static void a_job_is_filled_in_and_its_template_stays(void **state)
{
    struct cluster *c = *state;

    cluster_must(c, 201, "POST", JOBS,
                 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'restartPolicy':'Never','containers':[" C
                 "]}}}}");
    assert_string_equal(cluster_text(c, JOBS "/j", "spec.completions"), "1");
    assert_string_equal(cluster_text(c, JOBS "/j", "spec.parallelism"), "1");
    assert_string_equal(cluster_text(c, JOBS "/j", "spec.backoffLimit"), "6");
    assert_string_equal(cluster_text(c, JOBS "/j", "spec.suspend"), "false");
    cluster_must(c, 200, "PATCH", JOBS "/j", "{'spec':{'backoffLimit':1,'activeDeadlineSeconds':5}}");
    assert_int_equal(cluster_do(c, "PATCH", JOBS "/j", "{'spec':{'template':{'spec':{'nodeName':'x'}}}}"), 422);
    assert_non_null(strstr(causes(c), "field is immutable"));
    assert_int_equal(strncmp(causes(c), "spec.template: Invalid value: ", 30), 0);
}

static void a_job_needs_pods_that_end(void **state)
{
    assert_int_equal(cluster_do(*state, "POST", JOBS,
                                "{'metadata':{'name':'j'},'spec':{'backoffLimit':-1,'template':{'spec':{'containers':["
                                C "]}}}}"),
                     422);
    assert_string_equal(causes(*state),
                        "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0, "
                        "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"");
}

static void a_claim_needs_modes_and_a_size_and_then_stays(void **state)
{
    struct cluster *c = *state;

    assert_int_equal(cluster_do(c, "POST", NS "/persistentvolumeclaims", "{'metadata':{'name':'c'},'spec':{}}"), 422);
    assert_string_equal(causes(c), "spec.accessModes: Required value: at least 1 access mode is required, "
                                   "spec.resources[storage]: Required value");
    cluster_must(c, 201, "POST", NS "/persistentvolumeclaims",
                 "{'metadata':{'name':'c'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':"
                 "'1Gi'}}}}");
    assert_string_equal(cluster_text(c, NS "/persistentvolumeclaims/c", "status.phase"), "Pending");
    assert_string_equal(cluster_text(c, NS "/persistentvolumeclaims/c", "spec.volumeMode"), "Filesystem");
    cluster_must(c, 200, "PATCH", NS "/persistentvolumeclaims/c", "{'spec':{'volumeName':'pv'}}");
    assert_int_equal(cluster_do(c, "PATCH", NS "/persistentvolumeclaims/c", "{'spec':{'volumeName':'other'}}"), 422);
    assert_string_equal(causes(c), "spec: Forbidden: spec is immutable after creation except resources.requests and "
                                   "volumeAttributesClassName for bound claims");
    cluster_must(c, 200, "PATCH", NS "/persistentvolumeclaims/c/status", "{'status':{'phase':'Bound'}}");
    cluster_must(c, 200, "PATCH", NS "/persistentvolumeclaims/c",
                 "{'spec':{'resources':{'requests':{'storage':'2Gi'}}}}");
}

static void a_binding_keeps_its_role(void **state)
{
    struct cluster *c = *state;

    cluster_must(
        c, 201, "POST", RBAC "/rolebindings",
        "{'metadata':{'name':'b'},'roleRef':{'kind':'Role','name':'r'},'subjects':[{'kind':'User','name':'u'}]}");
    assert_string_equal(cluster_text(c, RBAC "/rolebindings/b", "roleRef.apiGroup"), "rbac.authorization.k8s.io");
    assert_string_equal(cluster_text(c, RBAC "/rolebindings/b", "subjects.0.apiGroup"), "rbac.authorization.k8s.io");
    assert_int_equal(cluster_do(c, "PATCH", RBAC "/rolebindings/b", "{'roleRef':{'name':'s'}}"), 422);
    assert_non_null(strstr(causes(c), "cannot change roleRef"));
    assert_int_equal(cluster_do(c, "POST", RBAC "/roles", "{'metadata':{'name':'r'},'rules':[{'resources':['pods']}]}"),
                     422);
    assert_string_equal(causes(c), "rules[0].verbs: Required value: verbs must contain at least one value, "
                                   "rules[0].apiGroups: Required value: resource rules must supply at least one api "
                                   "group");
}

static void secrets_keep_their_type_and_immutable_data(void **state)
{
    struct cluster *c = *state;

    cluster_must(c, 201, "POST", NS "/secrets", "{'metadata':{'name':'s'},'stringData':{'a':'hi'},'immutable':true}");
    assert_string_equal(cluster_text(c, NS "/secrets/s", "type"), "Opaque");
    assert_string_equal(cluster_text(c, NS "/secrets/s", "data.a"), "aGk=");
    assert_int_equal(cluster_do(c, "PATCH", NS "/secrets/s", "{'data':{'a':'aG8='}}"), 422);
    assert_string_equal(causes(c), "data: Forbidden: field is immutable when `immutable` is set");
    assert_int_equal(cluster_do(c, "PATCH", NS "/secrets/s", "{'type':'other'}"), 422);
    assert_string_equal(causes(c), "type: Invalid value: \"other\": field is immutable");
    assert_int_equal(cluster_do(c, "POST", NS "/configmaps", "{'metadata':{'name':'m'},'data':{'a b':''}}"), 422);
    assert_int_equal(strncmp(causes(c), "data[a b]: Invalid value: \"a b\": a valid config key must consist of", 67),
                     0);
}

static void a_service_gets_an_address_and_keeps_it(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *address = NULL;

    cluster_must(c, 201, "POST", NS "/services", "{'metadata':{'name':'s'},'spec':{'ports':[{'port':80}]}}");
    address = mem_strdup(cluster_text(c, NS "/services/s", "spec.clusterIP"));
    assert_int_equal(strncmp(address, "10.96.", 6), 0);
    assert_string_equal(cluster_text(c, NS "/services/s", "spec.ports.0.targetPort"), "80");
    cluster_must(c, 200, "PUT", NS "/services/s", "{'metadata':{'name':'s'},'spec':{'ports':[{'port':81}]}}");
    assert_string_equal(cluster_text(c, NS "/services/s", "spec.clusterIP"), address);
    assert_int_equal(cluster_do(c, "PATCH", NS "/services/s", "{'spec':{'clusterIP':'10.96.0.1'}}"), 422);
    cluster_must(c, 201, "POST", NS "/services",
                 "{'metadata':{'name':'h'},'spec':{'clusterIP':'None','selector':{'a':'b'}}}");
    assert_string_equal(cluster_text(c, NS "/services/h", "spec.clusterIPs"), "[\"None\"]");
}

static void a_cronjob_needs_a_schedule_that_can_be_read(void **state)
{
    assert_int_equal(
        cluster_do(*state, "POST", "/apis/batch/v1/namespaces/default/cronjobs",
                   "{'metadata':{'name':'c'},'spec':{'schedule':'61 * * * *','jobTemplate':{'spec':{'template':"
                   "{'spec':{'restartPolicy':'Never','containers':[" C "]}}}}}}"),
        422);
    assert_int_equal(strncmp(causes(*state), "spec.schedule: Invalid value: \"61 * * * *\": ", 44), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_setup, cluster_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pods_are_refused_with_the_servers_words),
        TEST(a_pod_is_filled_in),
        TEST(of_a_pod_only_a_few_fields_change),
        TEST(a_job_is_filled_in_and_its_template_stays),
        TEST(a_job_needs_pods_that_end),
        TEST(a_claim_needs_modes_and_a_size_and_then_stays),
        TEST(a_binding_keeps_its_role),
        TEST(secrets_keep_their_type_and_immutable_data),
        TEST(a_service_gets_an_address_and_keeps_it),
        TEST(a_cronjob_needs_a_schedule_that_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
