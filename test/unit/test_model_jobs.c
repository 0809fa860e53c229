/* test_model_jobs: the Job controller, with the test as the kubelet. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_cluster.h"

#define JOBS "/apis/batch/v1/namespaces/default/jobs"
#define JOB JOBS "/j"
#define PODS "/api/v1/namespaces/default/pods"

static void create(struct cluster *c, const char *spec)
{
    AUTO_FREE char *body =
        mem_printf("{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j'},'spec':{%s%s'template':{'metadata':{"
                   "'labels':{'app':'x'}},'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}",
                   spec, spec[0] ? "," : "");

    cluster_must(c, 201, "POST", JOBS, body);
    cluster_settle(c);
}

static void set_status(struct cluster *c, const char *name, const char *status)
{
    AUTO_FREE char *path = mem_printf(PODS "/%s/status", name), *body = mem_printf("{'status':%s}", status);

    cluster_must(c, 200, "PATCH", path, body);
    cluster_settle(c);
}

/* Name of the pod that is neither done nor going; freed by the caller. */
static char *active_pod(struct cluster *c)
{
    json_t *items, *one;
    size_t i;

    cluster_must(c, 200, "GET", PODS, NULL);
    items = json_object_get(c->answer, "items");
    json_array_foreach (items, i, one) {
        const char *phase = json_text(one, "status.phase");

        if (strcmp(phase, "Failed") != 0 && strcmp(phase, "Succeeded") != 0 &&
            !json_at(one, "metadata.deletionTimestamp"))
            return mem_strdup(json_text(one, "metadata.name"));
    }
    return NULL;
}

static void run_pod(struct cluster *c)
{
    AUTO_FREE char *name = active_pod(c), *path = mem_printf(PODS "/%s", name);

    assert_non_null(name);
    cluster_must(c, 200, "PATCH", path, "{'spec':{'nodeName':'n'}}");
    set_status(c, name, "{'phase':'Running','conditions':[{'type':'Ready','status':'True'}]}");
}

static void end_pod(struct cluster *c, const char *phase)
{
    AUTO_FREE char *name = active_pod(c), *status = mem_printf("{'phase':'%s','conditions':null}", phase);

    assert_non_null(name);
    set_status(c, name, status);
}

/* What a kubelet does with a pod that is being deleted. */
static void reap(struct cluster *c)
{
    AUTO_FREE char *name = NULL, *path = NULL;
    json_t *items, *one;
    size_t i;

    cluster_must(c, 200, "GET", PODS, NULL);
    items = json_object_get(c->answer, "items");
    json_array_foreach (items, i, one)
        if (json_at(one, "metadata.deletionTimestamp"))
            name = mem_strdup(json_text(one, "metadata.name"));
    assert_non_null(name);
    path = mem_printf(PODS "/%s", name);
    cluster_must(c, 200, "DELETE", path, "{'gracePeriodSeconds':0}");
    cluster_settle(c);
}

static void assert_condition(struct cluster *c, const char *type, const char *reason)
{
    json_t *list, *one;
    size_t i;

    cluster_must(c, 200, "GET", JOB, NULL);
    list = json_at(c->answer, "status.conditions");
    json_array_foreach (list, i, one)
        if (strcmp(json_text(one, "type"), type) == 0 && strcmp(json_text(one, "status"), "True") == 0) {
            assert_string_equal(json_text(one, "reason"), reason);
            return;
        }
    if (*reason)
        fail_msg("no condition %s", type);
}

static void a_job_makes_a_pod_that_carries_its_labels_and_name(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *uid = NULL, *name = NULL, *path = NULL;

    create(c, "");
    uid = mem_strdup(cluster_text(c, JOB, "metadata.uid"));
    name = active_pod(c);
    path = mem_printf(PODS "/%s", name);
    assert_int_equal(strncmp(name, "j-", 2), 0);
    assert_int_equal(strlen(name), 7);
    cluster_must(c, 200, "GET", path, NULL);
    assert_string_equal(json_meta(c->answer, "labels", "app"), "x");
    assert_string_equal(json_meta(c->answer, "labels", "job-name"), "j");
    assert_string_equal(json_meta(c->answer, "labels", "batch.kubernetes.io/job-name"), "j");
    assert_string_equal(json_meta(c->answer, "labels", "controller-uid"), uid);
    assert_string_equal(json_text(c->answer, "metadata.ownerReferences.0.uid"), uid);
    assert_true(json_flag(c->answer, "metadata.ownerReferences.0.controller", false));
    assert_string_equal(json_text(c->answer, "spec.containers.0.imagePullPolicy"), "Always");
    assert_string_equal(cluster_text(c, JOB, "status.active"), "1");
    assert_string_equal(cluster_text(c, JOB, "status.startTime"), "2026-03-01T02:00:00Z");
    assert_string_equal(cluster_text(c, "/api/v1/namespaces/default/events", "items.0.reason"), "SuccessfulCreate");
}

static void a_job_is_complete_when_its_pod_succeeded(void **state)
{
    struct cluster *c = *state;

    create(c, "");
    run_pod(c);
    assert_string_equal(cluster_text(c, JOB, "status.ready"), "1");
    cluster_advance(c, 60);
    end_pod(c, "Succeeded");
    assert_condition(c, "SuccessCriteriaMet", "CompletionsReached");
    assert_condition(c, "Complete", "CompletionsReached");
    assert_string_equal(cluster_text(c, JOB, "status.succeeded"), "1");
    assert_string_equal(cluster_text(c, JOB, "status.active"), "");
    assert_string_equal(cluster_text(c, JOB, "status.completionTime"), "2026-03-01T02:01:00Z");
    assert_string_equal(cluster_text(c, JOB, "status.uncountedTerminatedPods"), "{}");
    assert_string_equal(cluster_text(c, PODS, "items.0.status.phase"), "Succeeded");
    assert_string_equal(cluster_text(c, PODS, "items.0.metadata.finalizers.0"), "");
}

static void failed_pods_are_replaced_ever_more_slowly_until_the_limit(void **state)
{
    struct cluster *c = *state;

    create(c, "'backoffLimit':2");
    end_pod(c, "Failed");
    assert_null(active_pod(c));
    cluster_advance(c, 9);
    assert_null(active_pod(c));
    cluster_advance(c, 1);
    end_pod(c, "Failed");
    cluster_advance(c, 19);
    assert_null(active_pod(c));
    cluster_advance(c, 1);
    assert_condition(c, "Failed", "");
    end_pod(c, "Failed");
    assert_condition(c, "FailureTarget", "BackoffLimitExceeded");
    assert_condition(c, "Failed", "BackoffLimitExceeded");
    assert_string_equal(cluster_text(c, JOB, "status.failed"), "3");
    cluster_advance(c, 3600);
    assert_null(active_pod(c));
}

static void without_retries_the_first_failure_ends_the_job(void **state)
{
    struct cluster *c = *state;

    create(c, "'backoffLimit':0");
    end_pod(c, "Failed");
    assert_condition(c, "Failed", "BackoffLimitExceeded");
    assert_string_equal(cluster_text(c, JOB, "status.failed"), "1");
}

static void restarts_of_containers_count_towards_the_limit(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *name = NULL;

    cluster_must(c, 201, "POST", JOBS,
                 "{'metadata':{'name':'j'},'spec':{'backoffLimit':2,'template':{'spec':{'restartPolicy':'OnFailure',"
                 "'containers':[{'name':'c','image':'i'}]}}}}");
    cluster_settle(c);
    name = active_pod(c);
    set_status(c, name, "{'phase':'Running','containerStatuses':[{'name':'c','restartCount':1}]}");
    assert_condition(c, "FailureTarget", "");
    set_status(c, name, "{'phase':'Running','containerStatuses':[{'name':'c','restartCount':2}]}");
    assert_condition(c, "Failed", "BackoffLimitExceeded");
    assert_string_equal(cluster_names(c, PODS), "");
}

static void a_deleted_pod_counts_as_failed_and_is_replaced(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *path = NULL, *name = NULL;

    create(c, "");
    name = active_pod(c);
    path = mem_printf(PODS "/%s", name);
    cluster_must(c, 200, "DELETE", path, NULL);
    cluster_settle(c);
    assert_false(cluster_has(c, path));
    assert_string_equal(cluster_text(c, JOB, "status.failed"), "1");
    cluster_advance(c, 10);
    assert_string_equal(cluster_text(c, JOB, "status.active"), "1");
}

static void a_job_past_its_deadline_fails_when_its_pods_are_gone(void **state)
{
    struct cluster *c = *state;

    create(c, "'activeDeadlineSeconds':100");
    run_pod(c);
    cluster_advance(c, 99);
    assert_condition(c, "FailureTarget", "");
    cluster_advance(c, 1);
    assert_condition(c, "FailureTarget", "DeadlineExceeded");
    assert_condition(c, "Failed", "");
    assert_string_equal(cluster_text(c, JOB, "status.terminating"), "1");
    reap(c);
    assert_condition(c, "Failed", "DeadlineExceeded");
    assert_string_equal(cluster_names(c, PODS), "");
    assert_string_equal(cluster_text(c, JOB, "status.failed"), "1");
}

static void a_finished_job_is_deleted_with_its_pods_when_its_time_is_up(void **state)
{
    struct cluster *c = *state;

    create(c, "'ttlSecondsAfterFinished':300");
    cluster_advance(c, 1000);
    end_pod(c, "Succeeded");
    cluster_advance(c, 299);
    assert_true(cluster_has(c, JOB));
    cluster_advance(c, 1);
    assert_false(cluster_has(c, JOB));
    assert_string_equal(cluster_names(c, PODS), "");
}

static void several_completions_run_so_many_at_a_time(void **state)
{
    struct cluster *c = *state;

    create(c, "'completions':3,'parallelism':2");
    assert_string_equal(cluster_text(c, JOB, "status.active"), "2");
    end_pod(c, "Succeeded");
    assert_string_equal(cluster_text(c, JOB, "status.active"), "2");
    end_pod(c, "Succeeded");
    assert_string_equal(cluster_text(c, JOB, "status.active"), "1");
    end_pod(c, "Succeeded");
    assert_condition(c, "Complete", "CompletionsReached");
    assert_string_equal(cluster_text(c, JOB, "status.succeeded"), "3");
}

static void a_suspended_job_has_no_pods_and_starts_anew(void **state)
{
    struct cluster *c = *state;

    create(c, "'suspend':true,'backoffLimit':0");
    assert_string_equal(cluster_names(c, PODS), "");
    assert_condition(c, "Suspended", "JobSuspended");
    cluster_must(c, 200, "PATCH", JOB, "{'spec':{'suspend':false}}");
    cluster_settle(c);
    assert_string_equal(cluster_text(c, JOB, "status.active"), "1");
    cluster_must(c, 200, "PATCH", JOB, "{'spec':{'suspend':true}}");
    cluster_settle(c);
    assert_string_equal(cluster_names(c, PODS), "");
    assert_string_equal(cluster_text(c, JOB, "status.startTime"), "");
    assert_string_equal(cluster_text(c, JOB, "status.failed"), ""); /* what was taken away did not fail */
    assert_condition(c, "Failed", "");
}

static void the_pods_of_a_deleted_job_go_too(void **state)
{
    struct cluster *c = *state;

    create(c, "");
    cluster_must(c, 200, "DELETE", JOB, "{'propagationPolicy':'Background'}");
    cluster_settle(c);
    assert_string_equal(cluster_names(c, PODS), "");
    create(c, "");
    run_pod(c);
    cluster_must(c, 200, "DELETE", JOB, "{'propagationPolicy':'Foreground'}");
    cluster_settle(c);
    assert_true(cluster_has(c, JOB)); /* its pod still ends */
    reap(c);
    assert_false(cluster_has(c, JOB));
    assert_string_equal(cluster_names(c, PODS), "");
}

static void a_pod_that_is_refused_is_told_and_tried_again(void **state)
{
    struct cluster *c = *state;

    cluster_must(c, 201, "POST", JOBS,
                 "{'metadata':{'name':'j'},'spec':{'template':{'metadata':{'annotations':{'a b':'x'}},'spec':{"
                 "'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}");
    cluster_settle(c);
    assert_string_equal(cluster_text(c, "/api/v1/namespaces/default/events", "items.0.reason"), "FailedCreate");
    cluster_advance(c, 3);
    assert_string_equal(cluster_text(c, "/api/v1/namespaces/default/events", "items.0.count"), "3");
}

static uint64_t number(const char *text)
{
    uint64_t n = 0;

    assert_int_equal(*text ? str_to_u64(str_of(text), &n) : 0, 0);
    return n;
}

static size_t count_phase(struct cluster *c, const char *phase)
{
    json_t *items, *one;
    size_t i, n = 0;

    cluster_must(c, 200, "GET", PODS, NULL);
    items = json_object_get(c->answer, "items");
    json_array_foreach (items, i, one)
        n += strcmp(json_text(one, "status.phase"), phase) == 0;
    return n;
}

/* The scenario is cut after each of its writes; whoever goes on
 * from there counts as many ends as there are ended pods. */
static void a_restart_after_any_write_counts_each_pod_once(void **state)
{
    struct cluster *c = *state;
    size_t first;

    create(c, "'completions':2,'parallelism':2,'backoffLimit':3");
    first = c->n_commits;
    end_pod(c, "Failed");
    end_pod(c, "Succeeded");
    cluster_advance(c, 20);
    end_pod(c, "Succeeded");
    assert_condition(c, "Complete", "CompletionsReached");
    for (size_t n = first; n <= c->n_commits; n++) {
        struct cluster *later = cluster_restart(c, n);

        for (int i = 0; i < 6; i++) {
            AUTO_FREE char *name = active_pod(later);

            if (name)
                end_pod(later, "Succeeded");
            cluster_advance(later, 20);
        }
        assert_condition(later, "Complete", "CompletionsReached");
        assert_int_equal(number(cluster_text(later, JOB, "status.succeeded")), count_phase(later, "Succeeded"));
        assert_int_equal(number(cluster_text(later, JOB, "status.failed")), count_phase(later, "Failed"));
        assert_int_equal(count_phase(later, "Succeeded"), 2);
        cluster_free(later);
    }
}

static void deadlines_and_times_to_live_survive_a_restart(void **state)
{
    struct cluster *c = *state, *later;

    create(c, "'activeDeadlineSeconds':100,'ttlSecondsAfterFinished':50");
    cluster_advance(c, 60);
    later = cluster_restart(c, c->n_commits);
    cluster_advance(later, 40);
    assert_condition(later, "Failed", "DeadlineExceeded");
    cluster_advance(later, 50);
    assert_false(cluster_has(later, JOB));
    cluster_free(later);
}

/* ---- podFailurePolicy ---- */

#define RULE(action, match) "{'action':'" action "'," match "}"
#define CODES(operator, values) "'onExitCodes':{'operator':'" operator "','values':[" values "]}"
#define DISRUPTED "'onPodConditions':[{'type':'DisruptionTarget','status':'True'}]"
#define POLICY(rules) "'podFailurePolicy':{'rules':[" rules "]}"

static void fail_pod(struct cluster *c, int code, const char *conditions)
{
    AUTO_FREE char *name = active_pod(c);
    AUTO_FREE char *status = mem_printf("{'phase':'Failed','conditions':%s,'containerStatuses':[{'name':'c',"
                                        "'image':'i','state':{'terminated':{'exitCode':%d,'finishedAt':"
                                        "'2026-03-01T02:00:00Z'}}}]}",
                                        conditions, code);

    assert_non_null(name);
    set_status(c, name, status);
}

static void an_exit_code_can_end_the_job_at_once(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *name = NULL, *message = NULL;

    create(c, POLICY(RULE("Ignore", CODES("In", "1")) "," RULE("FailJob", CODES("In", "3,42"))));
    run_pod(c);
    name = active_pod(c);
    fail_pod(c, 42, "null");
    assert_condition(c, "FailureTarget", "PodFailurePolicy");
    assert_condition(c, "Failed", "PodFailurePolicy");
    message =
        mem_printf("Container c for pod default/%s failed with exit code 42 matching FailJob rule at index 1", name);
    assert_string_equal(cluster_text(c, JOB, "status.conditions.0.message"), message);
    assert_string_equal(cluster_text(c, JOB, "status.failed"), "1");
}

static void a_failure_can_be_ignored(void **state)
{
    struct cluster *c = *state;

    create(c, "'backoffLimit':0," POLICY(RULE("Ignore", DISRUPTED)));
    run_pod(c);
    fail_pod(c, 1, "[{'type':'DisruptionTarget','status':'True'}]");
    assert_string_equal(cluster_text(c, JOB, "status.failed"), "");
    assert_string_equal(cluster_text(c, JOB, "status.uncountedTerminatedPods"), "{}");
    assert_condition(c, "Failed", "");
    cluster_advance(c, 20); /* the next one comes, after the usual wait */
    run_pod(c);
    fail_pod(c, 1, "[{'type':'DisruptionTarget','status':'False'}]");
    assert_condition(c, "Failed", "BackoffLimitExceeded");
}

static void the_first_rule_that_fits_decides(void **state)
{
    struct cluster *c = *state;

    create(c, "'backoffLimit':0," POLICY(RULE("Count", CODES("NotIn", "5")) "," RULE("FailJob", CODES("In", "6"))));
    run_pod(c);
    fail_pod(c, 6, "null");
    assert_condition(c, "Failed", "BackoffLimitExceeded");
}

static void a_decision_outlives_a_kill_after_any_write(void **state)
{
    struct cluster *c = *state, *later;
    size_t before;

    create(c, POLICY(RULE("FailJob", CODES("In", "42"))));
    run_pod(c);
    before = c->n_commits + 1; /* with the pod's last status */
    fail_pod(c, 42, "null");
    for (size_t n = before; n <= c->n_commits; n++) {
        later = cluster_restart(c, n);
        assert_condition(later, "Failed", "PodFailurePolicy");
        assert_string_equal(cluster_text(later, JOB, "status.failed"), "1");
        cluster_free(later);
    }
}

static void a_pod_on_its_way_out_is_replaced_when_it_has_ended(void **state)
{
    struct cluster *c = *state;
    AUTO_FREE char *name = NULL, *path = NULL;

    create(c, POLICY(RULE("FailJob", CODES("In", "42"))));
    assert_string_equal(cluster_text(c, JOB, "spec.podReplacementPolicy"), "Failed");
    run_pod(c);
    name = active_pod(c);
    path = mem_printf(PODS "/%s", name);
    cluster_must(c, 200, "DELETE", path, NULL);
    cluster_settle(c);
    cluster_advance(c, 60);
    assert_null(active_pod(c));
    assert_string_equal(cluster_text(c, JOB, "status.terminating"), "1");
    set_status(c, name, "{'phase':'Failed'}");
    reap(c);
    cluster_advance(c, 60);
    name = (mem_free(name), active_pod(c));
    assert_non_null(name);
    assert_string_equal(cluster_text(c, JOB, "status.failed"), "1");
}

static void a_suspended_jobs_deadline_does_not_run(void **state)
{
    struct cluster *c = *state;

    create(c, "'suspend':true,'activeDeadlineSeconds':30");
    cluster_advance(c, 100);
    assert_condition(c, "Suspended", "JobSuspended");
    assert_string_equal(cluster_text(c, JOB, "status.startTime"), "");
    cluster_must(c, 200, "PATCH", JOB, "{'spec':{'suspend':false,'template':{'metadata':{'labels':{'app':'y'}},'spec':"
                                       "{'nodeSelector':{'a':'b'}}}}}");
    cluster_settle(c);
    assert_string_equal(cluster_text(c, JOB, "status.startTime"), "2026-03-01T02:01:40Z");
    cluster_must(c, 422, "PATCH", JOB, "{'spec':{'template':{'spec':{'nodeSelector':{'a':'c'}}}}}");
    run_pod(c);
    cluster_advance(c, 31);
    reap(c);
    assert_condition(c, "Failed", "DeadlineExceeded");
}

static void assert_refused(struct cluster *c, const char *spec, const char *cause)
{
    AUTO_FREE char *body = mem_printf("{'metadata':{'name':'j'},'spec':{%s,'template':{'spec':{'restartPolicy':'Never',"
                                      "'containers':[{'name':'c','image':'i'}]}}}}",
                                      spec),
                   *told = NULL;

    cluster_must(c, 422, "POST", JOBS, body);
    told = mem_printf("%s: %s", json_text(c->answer, "details.causes.0.field"),
                      json_text(c->answer, "details.causes.0.message"));
    assert_string_equal(told, cause);
}

static void rules_that_make_no_sense_are_refused(void **state)
{
    struct cluster *c = *state;

    assert_refused(c, POLICY(RULE("Stop", CODES("In", "1"))),
                   "spec.podFailurePolicy.rules[0].action: Unsupported value: \"Stop\": supported values: \"Count\", "
                   "\"FailIndex\", \"FailJob\", \"Ignore\"");
    assert_refused(c, POLICY("{" CODES("In", "1") "}"),
                   "spec.podFailurePolicy.rules[0].action: Required value: valid values: [\"Count\" \"FailIndex\" "
                   "\"FailJob\" \"Ignore\"]");
    assert_refused(c, POLICY(RULE("Ignore", CODES("In", "0"))),
                   "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In "
                   "operator");
    assert_refused(c, POLICY(RULE("Ignore", CODES("In", "2,1"))),
                   "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1]: must be ordered");
    assert_refused(c, POLICY(RULE("Ignore", CODES("In", "1") "," DISRUPTED)),
                   "spec.podFailurePolicy.rules[0]: Invalid value: specifying both OnExitCodes and OnPodConditions is "
                   "not supported");
    assert_refused(c, "'podReplacementPolicy':'TerminatingOrFailed'," POLICY(RULE("Ignore", DISRUPTED)),
                   "spec.podReplacementPolicy: Unsupported value: \"TerminatingOrFailed\": supported values: "
                   "\"Failed\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_setup, cluster_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_makes_a_pod_that_carries_its_labels_and_name),
        TEST(a_job_is_complete_when_its_pod_succeeded),
        TEST(failed_pods_are_replaced_ever_more_slowly_until_the_limit),
        TEST(without_retries_the_first_failure_ends_the_job),
        TEST(restarts_of_containers_count_towards_the_limit),
        TEST(a_deleted_pod_counts_as_failed_and_is_replaced),
        TEST(a_job_past_its_deadline_fails_when_its_pods_are_gone),
        TEST(a_finished_job_is_deleted_with_its_pods_when_its_time_is_up),
        TEST(several_completions_run_so_many_at_a_time),
        TEST(a_suspended_job_has_no_pods_and_starts_anew),
        TEST(the_pods_of_a_deleted_job_go_too),
        TEST(a_pod_that_is_refused_is_told_and_tried_again),
        TEST(a_restart_after_any_write_counts_each_pod_once),
        TEST(deadlines_and_times_to_live_survive_a_restart),
        TEST(an_exit_code_can_end_the_job_at_once),
        TEST(a_failure_can_be_ignored),
        TEST(the_first_rule_that_fits_decides),
        TEST(a_decision_outlives_a_kill_after_any_write),
        TEST(a_pod_on_its_way_out_is_replaced_when_it_has_ended),
        TEST(a_suspended_jobs_deadline_does_not_run),
        TEST(rules_that_make_no_sense_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
