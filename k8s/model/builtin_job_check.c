/* builtin_job_check: what an API server refuses in Jobs, and in the Jobs that a CronJob would make. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/builtin_parts.h"

enum { RULES_MAX = 20, VALUES_MAX = 255, PATTERNS_MAX = 20 };

/* "[\"a\" \"b\"]", as Go prints lists. */
static char *quoted(const char *const *values)
{
    char *text = mem_strdup("[");

    for (size_t i = 0; values[i]; i++) {
        char *longer = mem_printf("%s%s\"%s\"", text, i ? " " : "", values[i]);

        mem_free(text);
        text = longer;
    }
    return text;
}

/* A field that must be one of these, and be there. */
static void check_choice(const json_t *object, const char *key, const char *const *values, const struct place *at,
                         json_t *causes)
{
    struct place here = {.up = at, .name = key};

    if (*json_text(object, key)) {
        builtin_check_enum(object, key, values, at, causes);
    } else {
        AUTO_FREE char *list = quoted(values), *detail = mem_printf("valid values: %s]", list);

        cause_required(causes, &here, detail);
    }
}

/* ---- podFailurePolicy ---- */

static bool names_container(const json_t *spec, const char *name)
{
    static const char *const lists[] = {"template.spec.containers", "template.spec.initContainers"};

    for (size_t l = 0; l < 2; l++) {
        const json_t *one;
        size_t i;

        json_array_foreach (json_at(spec, lists[l]), i, one)
            if (strcmp(json_text(one, "name"), name) == 0)
                return true;
    }
    return false;
}

static void check_values(const json_t *values, bool in, const struct place *at, json_t *causes)
{
    const json_t *one;
    bool ordered = true;
    size_t i;

    if (json_array_size(values) == 0)
        cause_invalid(causes, at, values ? values : json_null(), "at least one value is required");
    else if (json_array_size(values) > VALUES_MAX)
        cause_too_many(causes, at, json_array_size(values), VALUES_MAX);
    json_array_foreach (values, i, one) {
        struct place here = {.up = at, .index = (ssize_t)i};
        bool twice = false;

        for (size_t k = 0; k < i; k++)
            twice = twice || json_equal(json_array_get(values, k), one);
        if (in && json_integer_value(one) == 0)
            cause_invalid(causes, &here, one, "must not be 0 for the In operator");
        if (twice)
            cause_duplicate(causes, &here, one);
        if (i > 0 && json_integer_value(json_array_get(values, i - 1)) > json_integer_value(one))
            ordered = false;
    }
    if (!ordered)
        cause_invalid(causes, at, values, "must be ordered");
}

static void check_exit_codes(const json_t *spec, const json_t *codes, const struct place *at, json_t *causes)
{
    static const char *const operators[] = {"In", "NotIn", NULL};
    struct place container = {.up = at, .name = "containerName"}, values = {.up = at, .name = "values"};
    const json_t *name = json_object_get(codes, "containerName");

    check_choice(codes, "operator", operators, at, causes);
    if (name && !names_container(spec, json_text(codes, "containerName")))
        cause_invalid(causes, &container, name,
                      "must be one of the container or initContainer names in the pod template");
    check_values(json_object_get(codes, "values"), strcmp(json_text(codes, "operator"), "In") == 0, &values, causes);
}

static void check_patterns(const json_t *patterns, const struct place *at, json_t *causes)
{
    static const char *const statuses[] = {"False", "True", "Unknown", NULL};
    const json_t *one;
    size_t i;

    if (json_array_size(patterns) > PATTERNS_MAX)
        cause_too_many(causes, at, json_array_size(patterns), PATTERNS_MAX);
    json_array_foreach (patterns, i, one) {
        struct place here = {.up = at, .index = (ssize_t)i}, type = {.up = &here, .name = "type"};

        if (!*json_text(one, "type"))
            cause_invalid(causes, &type, json_object_get(one, "type") ? json_object_get(one, "type") : json_null(),
                          "name part must be non-empty");
        check_choice(one, "status", statuses, &here, causes);
    }
}

static void check_rule(const json_t *spec, const json_t *rule, const struct place *at, json_t *causes)
{
    static const char *const actions[] = {"Count", "FailIndex", "FailJob", "Ignore", NULL};
    struct place codes_at = {.up = at, .name = "onExitCodes"}, patterns_at = {.up = at, .name = "onPodConditions"};
    struct place action = {.up = at, .name = "action"};
    const json_t *codes = json_object_get(rule, "onExitCodes"), *patterns = json_object_get(rule, "onPodConditions");
    struct buf field;

    if (strcmp(json_text(rule, "action"), "FailIndex") != 0)
        check_choice(rule, "action", actions, at, causes);
    else if (!json_object_get(spec, "backoffLimitPerIndex"))
        cause_invalid(causes, &action, json_object_get(rule, "action"),
                      "requires the backoffLimitPerIndex to be set");
    if (codes)
        check_exit_codes(spec, codes, &codes_at, causes);
    if (json_array_size(patterns) > 0)
        check_patterns(patterns, &patterns_at, causes);
    if (!codes != !json_array_size(patterns))
        return;
    buf_init(&field, 4096);
    cause_place(at, &field);
    cause_add(causes, "FieldValueInvalid", field.data,
              codes ? "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"
                    : "Invalid value: specifying one of OnExitCodes and OnPodConditions is required");
    buf_done(&field);
}

static void check_failure_policy(const json_t *spec, const struct place *up, json_t *causes)
{
    struct place at = {.up = up, .name = "podFailurePolicy"}, rules_at = {.up = &at, .name = "rules"};
    const json_t *rules = json_at(spec, "podFailurePolicy.rules"), *one;
    size_t i;

    if (json_array_size(rules) > RULES_MAX)
        cause_too_many(causes, &rules_at, json_array_size(rules), RULES_MAX);
    json_array_foreach (rules, i, one)
        check_rule(spec, one, &(struct place){.up = &rules_at, .index = (ssize_t)i}, causes);
}

/* ---- the whole ---- */

static void check_restart_policy(const json_t *spec, const struct place *up, json_t *causes)
{
    static const char *const policies[] = {"OnFailure", "Never", NULL};
    struct place template = {.up = up, .name = "template"}, pod = {.up = &template, .name = "spec"};
    struct place at = {.up = &pod, .name = "restartPolicy"};
    const json_t *pod_spec = json_at(spec, "template.spec");
    const char *policy = json_text(pod_spec, "restartPolicy");

    if (!*policy || strcmp(policy, "Always") == 0)
        cause_required(causes, &at, "valid values: \"OnFailure\", \"Never\"");
    else if (strcmp(policy, "Never") != 0 && strcmp(policy, "OnFailure") != 0)
        builtin_check_enum(pod_spec, "restartPolicy", policies, &pod, causes);
    else if (json_object_get(spec, "podFailurePolicy") && strcmp(policy, "Never") != 0)
        cause_invalid(causes, &at, json_object_get(pod_spec, "restartPolicy"),
                      "only \"Never\" is supported when podFailurePolicy is specified");
}

void builtin_job_spec_check(const json_t *spec, const struct place *at, json_t *causes)
{
    static const char *const counts[] = {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
                                         "ttlSecondsAfterFinished"};
    static const char *const modes[] = {"NonIndexed", "Indexed", NULL};
    static const char *const replacements[] = {"Failed", "TerminatingOrFailed", NULL}, *const only[] = {"Failed", NULL};
    struct place template = {.up = at, .name = "template"};
    bool has_policy = json_object_get(spec, "podFailurePolicy") != NULL;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        builtin_check_at_least(spec, counts[i], 0, at, causes);
    builtin_check_enum(spec, "completionMode", modes, at, causes);
    if (has_policy)
        check_failure_policy(spec, at, causes);
    builtin_check_enum(spec, "podReplacementPolicy", has_policy ? only : replacements, at, causes);
    builtin_check_template(json_object_get(spec, "template"), &template, causes);
    check_restart_policy(spec, at, causes);
}

/* While a Job is suspended and has not run, its pods may still be sent elsewhere, and ask for more or less. */
static json_t *template_as_it_may_be(const json_t *spec, const json_t *old, const json_t *job)
{
    static const char *const of_spec[] = {"nodeSelector", "tolerations", "schedulingGates", "affinity"};
    static const char *const of_meta[] = {"annotations", "labels"};
    json_t *was = json_clone(json_object_get(old, "template")), *is = json_object_get(spec, "template");
    bool suspended = json_flag(old, "suspend", false), fresh = suspended && !*json_text(job, "status.startTime");
    json_t *containers = json_at(was, "spec.containers"), *one;
    size_t i;

    for (size_t k = 0; fresh && k < sizeof(of_spec) / sizeof(of_spec[0]); k++) {
        json_object_del(json_object_get(was, "spec"), of_spec[k]);
        if (json_object_get(json_object_get(is, "spec"), of_spec[k]))
            json_object_set(json_object_get(was, "spec"), of_spec[k],
                            json_object_get(json_object_get(is, "spec"), of_spec[k]));
    }
    for (size_t k = 0; fresh && k < sizeof(of_meta) / sizeof(of_meta[0]); k++)
        if (json_object_get(json_object_get(is, "metadata"), of_meta[k]))
            json_object_set(json_object_get(was, "metadata"), of_meta[k],
                            json_object_get(json_object_get(is, "metadata"), of_meta[k]));
    json_array_foreach (containers, i, one) {
        const json_t *now = json_array_get(json_at(is, "spec.containers"), i);

        if (suspended && json_object_get(now, "resources"))
            json_object_set(one, "resources", json_object_get(now, "resources"));
    }
    return was;
}

void builtin_check_job(const struct check *c, const struct place *root)
{
    static const char *const fixed[] = {"completions", "selector", "completionMode", "podFailurePolicy",
                                        "backoffLimitPerIndex", "managedBy", "successPolicy"};
    const json_t *spec = json_object_get(c->object, "spec"), *old = json_object_get(c->old, "spec");
    struct place at = {.up = root, .name = "spec"}, template = {.up = &at, .name = "template"};
    json_t *allowed;

    if (spec == old) /* the stored one, as at each write of a status */
        return;
    builtin_job_spec_check(spec, &at, c->causes);
    if (!old)
        return;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        builtin_check_unchanged(c, spec, old, fixed[i], &at);
    if (json_equal(json_object_get(spec, "template"), json_object_get(old, "template")))
        return;
    allowed = template_as_it_may_be(spec, old, c->old);
    if (!builtin_same(json_object_get(spec, "template"), allowed))
        cause_invalid(c->causes, &template, json_object_get(spec, "template"), "field is immutable");
    json_decref(allowed);
}
