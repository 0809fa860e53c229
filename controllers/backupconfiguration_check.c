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

static void problem(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void problem(struct buf *out, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut text is still a text */
    va_end(ap);
    if (out->len)
        buf_puts(out, "; ");
    buf_puts(out, text);
}

static void check_schedule(const json_t *spec, struct buf *out)
{
    const char *schedule = json_text(spec, "schedule");
    struct cron cron;
    struct error e;

    if (schedule[0] && cron_parse(&cron, str_of(schedule), &e) < 0)
        problem(out, "spec.schedule \"%.100s\": %s", schedule, e.msg);
}

static void check_driver(const json_t *spec, struct buf *out)
{
    const char *driver = json_text(spec, "driver");

    if (strcmp(driver, "VolumeSnapshotter") == 0)
        problem(out, "driver VolumeSnapshotter needs features.csi");
    else if (driver[0] && strcmp(driver, "Restic") != 0)
        problem(out, "unknown driver \"%.100s\"", driver);
    else if (!json_text(spec, "repository.name")[0])
        problem(out, "spec.repository.name is missing");
}

static void check_retention(const json_t *spec, struct buf *out)
{
    static const char *const keeps[] = {"keepLast",   "keepHourly",  "keepDaily",
                                        "keepWeekly", "keepMonthly", "keepYearly"};
    const json_t *policy = json_object_get(spec, "retentionPolicy");
    bool any = json_array_size(json_object_get(policy, "keepTags")) > 0;

    for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++)
        any |= json_int(policy, keeps[i], 0) > 0;
    if (!any)
        problem(out, "spec.retentionPolicy keeps nothing: set keepLast or another keep value");
}

static void check_duration(const json_t *spec, const char *path, int64_t min_ns, struct buf *out)
{
    const json_t *value = json_at(spec, path);
    struct error e;
    int64_t ns = 0;

    if (!value)
        return;
    if (!json_is_string(value))
        problem(out, "spec.%s is not a duration such as 30m", path);
    else if (str_parse_duration_ns(json_str(value), &ns, &e) < 0)
        problem(out, "spec.%s: %s", path, e.msg);
    else if (ns < min_ns)
        problem(out, min_ns ? "spec.%s must be more than 0s" : "spec.%s is negative", path);
}

static void check_count(const json_t *spec, const char *path, struct buf *out)
{
    if (json_int(spec, path, 0) < 0)
        problem(out, "spec.%s is negative", path);
}

static void check_hooks(const json_t *spec, struct buf *out)
{
    static const char *const hooks[] = {"preBackup", "postBackup"};
    static const char *const handlers[] = {"exec", "httpGet", "httpPost", "tcpSocket"};

    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        const json_t *hook = json_object_get(json_object_get(spec, "hooks"), hooks[i]);
        int n = 0;

        for (size_t j = 0; j < sizeof(handlers) / sizeof(handlers[0]); j++)
            n += json_is_object(json_object_get(hook, handlers[j]));
        if (n > 1)
            problem(out, "spec.hooks.%s has several handlers, one is allowed", hooks[i]);
        else if (n == 1) /* without it the backup would not be the one that was asked for */
            problem(out, "spec.hooks.%s: this operator runs no hooks", hooks[i]);
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

static void check_target(const json_t *object, struct buf *out)
{
    static const char *const workloads[] = {"Deployment", "StatefulSet", "DaemonSet", "DeploymentConfig",
                                            "ReplicaSet", "ReplicationController", NULL};
    const json_t *ref = json_at(object, "spec.target.ref");
    const char *kind = json_text(ref, "kind"), *task = json_text(object, "spec.task.name");
    const char *ns = json_text(ref, "namespace");
    bool elsewhere = ns[0] && strcmp(ns, json_text(object, "metadata.namespace")) != 0;
    bool workload = is_one_of(kind, workloads);

    if (workload && !task[0])
        problem(out, "workload targets without a Task need features.workloads");
    if (elsewhere && (workload || strcmp(kind, "PersistentVolumeClaim") == 0) && strncmp(task, "kubedump", 8) != 0)
        problem(out, "cross-namespace target reference is not allowed for \"%.100s\"", kind);
    if (elsewhere && strcmp(kind, "AppBinding") == 0 &&
        !json_text(object, "spec.runtimeSettings.pod.serviceAccountName")[0])
        problem(out, "an AppBinding of another namespace needs runtimeSettings.pod.serviceAccountName");
}

/* What would make the Job impossible is said now, not at night. */
static void check_job(const json_t *spec, struct buf *out)
{
    const json_t *p;
    struct buf floor;
    size_t i;

    json_array_foreach (json_at(spec, "task.params"), i, p)
        if (variables_reserved(str_of(json_text(p, "name"))))
            problem(out, "task parameter \"%s\" is reserved", json_text(p, "name"));
    buf_init(&floor, LIMIT_MESSAGE);
    podspec_floor_settings(json_at(spec, "runtimeSettings"), "spec.runtimeSettings", &floor);
    if (floor.len)
        problem(out, "not allowed by the pod floor \"baseline\": %s", floor.data);
    buf_done(&floor);
}

void backupconfiguration_check(const json_t *object, struct buf *out)
{
    const json_t *spec = json_object_get(object, "spec");

    check_schedule(spec, out);
    check_driver(spec, out);
    check_retention(spec, out);
    check_duration(spec, "timeOut", 1, out);
    check_duration(spec, "retryConfig.delay", 0, out);
    check_count(spec, "retryConfig.maxRetry", out);
    check_count(spec, "backupHistoryLimit", out);
    check_hooks(spec, out);
    check_target(object, out);
    check_job(spec, out);
}
