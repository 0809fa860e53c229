/*
 * backupconfiguration_check: the whole spec is looked at, and all that is wrong is said at once, so that a user
 * corrects a manifest in one go (controllers.md 4.2). Only what can be seen in the object itself; what depends on
 * others (Task, usage policy) is the controller's.
 */
#include "controllers/backupconfiguration.h"

#include "controllers/podspec.h"
#include "core/base/cron.h"
#include "core/base/json.h"
#include "core/base/limits.h"

static void check_schedule(const json_t *spec, struct problems *out)
{
    const char *schedule = json_text(spec, "schedule");
    struct cron cron;
    struct error e;

    if (schedule[0] && cron_parse(&cron, str_of(schedule), &e) < 0)
        problems_add(out, "spec.schedule", "spec.schedule \"%.100s\": %s", schedule, e.msg);
}

static void check_retention(const json_t *spec, struct problems *out)
{
    static const char *const keeps[] = {"keepLast",   "keepHourly",  "keepDaily",
                                        "keepWeekly", "keepMonthly", "keepYearly"};
    const json_t *policy = json_object_get(spec, "retentionPolicy");
    bool any = json_array_size(json_object_get(policy, "keepTags")) > 0;

    for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++)
        any |= json_int(policy, keeps[i], 0) > 0;
    if (!any)
        problems_add(out, "spec.retentionPolicy",
                     "spec.retentionPolicy keeps nothing: set keepLast or another keep value");
}

static void check_duration(const json_t *spec, const char *path, int64_t min_ns, struct problems *out)
{
    const char *field = arena_printf(out->arena, "spec.%s", path);
    const json_t *value = json_at(spec, path);
    struct error e;
    int64_t ns = 0;

    if (!value)
        return;
    if (!json_is_string(value))
        problems_add(out, field, "%s is not a duration such as 30m", field);
    else if (str_parse_duration_ns(json_str(value), &ns, &e) < 0)
        problems_add(out, field, "%s: %s", field, e.msg);
    else if (ns < min_ns)
        problems_add(out, field, min_ns ? "%s must be more than 0s" : "%s is negative", field);
}

static void check_count(const json_t *spec, const char *path, struct problems *out)
{
    const char *field = arena_printf(out->arena, "spec.%s", path);

    if (json_int(spec, path, 0) < 0)
        problems_add(out, field, "%s is negative", field);
}

static void check_hooks(const json_t *spec, struct problems *out)
{
    static const char *const hooks[] = {"preBackup", "postBackup"};
    static const char *const handlers[] = {"exec", "httpGet", "httpPost", "tcpSocket"};

    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        const json_t *hook = json_object_get(json_object_get(spec, "hooks"), hooks[i]);
        const char *field = arena_printf(out->arena, "spec.hooks.%s", hooks[i]);
        int n = 0;

        for (size_t j = 0; j < sizeof(handlers) / sizeof(handlers[0]); j++)
            n += json_is_object(json_object_get(hook, handlers[j]));
        if (n > 1)
            problems_add(out, field, "%s has several handlers, one is allowed", field);
        else if (n == 1) /* without it the backup would not be the one that was asked for */
            problems_add(out, field, "%s: this operator runs no hooks", field);
    }
}

static bool is_one_of(const char *s, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(s, *list) == 0)
            return true;
    }
    return false;
}

static void check_target(const json_t *object, struct problems *out)
{
    static const char *const workloads[] = {"Deployment", "StatefulSet", "DaemonSet", "DeploymentConfig",
                                            "ReplicaSet", "ReplicationController", NULL};
    const json_t *ref = json_at(object, "spec.target.ref");
    const char *kind = json_text(ref, "kind"), *task = json_text(object, "spec.task.name");
    const char *ns = json_text(ref, "namespace");
    bool elsewhere = ns[0] && strcmp(ns, json_text(object, "metadata.namespace")) != 0;
    bool workload = is_one_of(kind, workloads);

    target_check_group(ref, out);
    if (workload)
        target_check_task(json_at(object, "spec"), kind, out);
    if (elsewhere && (workload || strcmp(kind, "PersistentVolumeClaim") == 0) && strncmp(task, "kubedump", 8) != 0)
        problems_add(out, "spec.target.ref.namespace",
                     "cross-namespace target reference is not allowed for \"%.100s\"", kind);
    if (elsewhere && strcmp(kind, "AppBinding") == 0 &&
        !json_text(object, "spec.runtimeSettings.pod.serviceAccountName")[0])
        problems_add(out, "spec.runtimeSettings.pod.serviceAccountName",
                     "an AppBinding of another namespace needs runtimeSettings.pod.serviceAccountName");
}

/* What would make the Job impossible is said now, not at night. */
static void check_job(const json_t *spec, struct problems *out)
{
    const json_t *p;
    struct buf floor;
    size_t i;

    json_array_foreach (json_at(spec, "task.params"), i, p)
        if (variables_reserved(str_of(json_text(p, "name"))))
            problems_add(out, arena_printf(out->arena, "spec.task.params[%zu].name", i),
                         "task parameter \"%s\" is reserved", json_text(p, "name"));
    buf_init(&floor, LIMIT_MESSAGE);
    podspec_floor_settings(json_at(spec, "runtimeSettings"), "spec.runtimeSettings", &floor);
    if (floor.len)
        problems_add(out, "spec.runtimeSettings", "not allowed by the pod floor \"baseline\": %s", floor.data);
    buf_done(&floor);
}

void backupconfiguration_check(const json_t *object, struct problems *out)
{
    const json_t *spec = json_object_get(object, "spec");

    check_schedule(spec, out);
    target_check_driver(spec, out);
    check_retention(spec, out);
    check_duration(spec, "timeOut", 1, out);
    check_duration(spec, "retryConfig.delay", 0, out);
    check_count(spec, "retryConfig.maxRetry", out);
    check_count(spec, "backupHistoryLimit", out);
    check_hooks(spec, out);
    check_target(object, out);
    check_job(spec, out);
}
