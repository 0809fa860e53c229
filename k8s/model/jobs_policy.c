/*
 * jobs_policy: podFailurePolicy: what the failure of a pod means for its Job. The first rule that fits decides: it ends
 * the Job, it does not count, or it counts like any other. A pod that is being deleted is judged when it has ended, not
 * before: only then are its exit codes known.
 */
#include <stdio.h>

#include "core/base/json.h"
#include "k8s/model/jobs.h"

bool jobs_replaces_only_failed(const struct job_pass *p)
{
    return json_object_get(p->spec, "podFailurePolicy") ||
           strcmp(json_text(p->spec, "podReplacementPolicy"), "Failed") == 0;
}

bool jobs_pod_has_failed(const struct job_pass *p, const json_t *pod)
{
    const char *phase = json_text(pod, "status.phase");

    if (strcmp(phase, "Failed") == 0)
        return true;
    /* A deleted pod may never get to say Failed. */
    return !jobs_replaces_only_failed(p) && controllers_is_deleting(pod) && strcmp(phase, "Succeeded") != 0;
}

static bool code_fits(const json_t *rule, int64_t code)
{
    const json_t *values = json_object_get(rule, "values"), *one;
    bool in = false;
    size_t i;

    json_array_foreach (values, i, one)
        in = in || json_integer_value(one) == code;
    return strcmp(json_text(rule, "operator"), "In") == 0 ? in : !in;
}

/* The first container that ended with a code that the rule means; 0 is nobody's failure. */
static const json_t *by_exit_code(const json_t *rule, const json_t *pod)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses"};
    const char *container = json_text(rule, "containerName");

    for (size_t l = 0; l < 2; l++) {
        const json_t *list = json_at(pod, lists[l]), *one;
        size_t i;

        json_array_foreach (list, i, one) {
            int64_t code = json_int(one, "state.terminated.exitCode", 0);

            if (code != 0 && (!*container || strcmp(container, json_text(one, "name")) == 0) && code_fits(rule, code))
                return one;
        }
    }
    return NULL;
}

static const json_t *by_condition(const json_t *patterns, const json_t *pod)
{
    const json_t *list = json_at(pod, "status.conditions"), *condition, *pattern;
    size_t c, i;

    json_array_foreach (list, c, condition)
        json_array_foreach (patterns, i, pattern)
            if (strcmp(json_text(condition, "type"), json_text(pattern, "type")) == 0 &&
                strcmp(json_text(condition, "status"), json_text(pattern, "status")) == 0)
                return condition;
    return NULL;
}

/* The rule that decides, and in *ret_why the container's status or the pod's condition that it fits; NULL: none. */
static const json_t *rule_of(const struct job_pass *p, const json_t *pod, size_t *ret_index, const json_t **ret_why)
{
    const json_t *rules = json_at(p->spec, "podFailurePolicy.rules"), *rule;

    for (*ret_index = 0; (rule = json_array_get(rules, *ret_index)); (*ret_index)++) {
        const json_t *codes = json_object_get(rule, "onExitCodes");

        *ret_why = codes ? by_exit_code(codes, pod) : by_condition(json_object_get(rule, "onPodConditions"), pod);
        if (*ret_why)
            return rule;
    }
    return NULL;
}

bool jobs_policy_ignores(const struct job_pass *p, const json_t *pod)
{
    const json_t *why;
    size_t index;

    return strcmp(json_text(rule_of(p, pod, &index, &why), "action"), "Ignore") == 0;
}

static void fail_job(struct job_pass *p, const struct stored *pod, const json_t *rule, size_t index, const json_t *why)
{
    char message[1024];

    if (json_object_get(rule, "onExitCodes"))
        (void)snprintf(message, sizeof(message),
                       "Container %s for pod %s/%s failed with exit code %lld matching FailJob rule at index %zu",
                       json_text(why, "name"), pod->ns, pod->name,
                       (long long)json_int(why, "state.terminated.exitCode", 0), index);
    else
        (void)snprintf(message, sizeof(message), "Pod %s/%s has condition %s matching FailJob rule at index %zu",
                       pod->ns, pod->name, json_text(why, "type"), index);
    jobs_set_condition(p, "FailureTarget", true, "PodFailurePolicy", message);
}

void jobs_policy_decide(struct job_pass *p)
{
    if (jobs_condition(p, "FailureTarget") || jobs_condition(p, "SuccessCriteriaMet"))
        return;
    for (size_t i = 0; i < p->n; i++) {
        const json_t *pod = p->items[i]->json, *why = NULL, *rule;
        size_t index;

        if (!jobs_pod_has_failed(p, pod))
            continue;
        rule = rule_of(p, pod, &index, &why);
        if (strcmp(json_text(rule, "action"), "FailJob") != 0)
            continue;
        fail_job(p, p->items[i], rule, index, why);
        return;
    }
}
