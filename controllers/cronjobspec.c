/*
 * cronjobspec: see cronjobspec.h. The CronJob starts late runs as the operator itself would: the latest, and only if it
 * was due less than ten minutes ago. An @every has no due times of its own: Kubernetes counts it from the last run, but
 * from no earlier than the starting deadline, so with a deadline shorter than the interval it would never be due.
 */
#include "controllers/cronjobspec.h"

#include <stdio.h>

#include "controllers/jobspec.h"
#include "controllers/sessionspec.h"
#include "core/base/cron.h"
#include "core/base/json.h"

/* To be raised when what is made here changes, so that CronJobs of an older operator are made anew. */
#define SHAPE "1"

enum { NAME_MAX_CRONJOB = 52, BACKOFF_LIMIT = 3, MINUTE_S = 60 };

const char *cronjobspec_name(struct arena *a, const struct kobj *invoker)
{
    const char *target_ns = invoker->kind->id == KIND_BACKUPCONFIGURATION
                                ? kobj_text(invoker, "spec.target.ref.namespace")
                                : "";
    bool elsewhere = target_ns[0] && strcmp(target_ns, invoker->ns) != 0;
    const char *full = arena_printf(a, "stash-trigger-%s%s%s", elsewhere ? invoker->ns : "", elsewhere ? "-" : "",
                                    invoker->name);
    char out[256];

    return arena_strdup(a, str_shorten_name(str_of(full), NAME_MAX_CRONJOB, true, out));
}

const char *cronjobspec_made_from(struct world *w, const struct kobj *invoker)
{
    const struct operator_settings *s = world_settings(w);
    const char *text = arena_printf(world_arena(w), "%s %s %s %lld", SHAPE, s->image, s->pull_policy,
                                    (long long)s->job_ttl_s);
    char hex[65];

    str_sha256_hex(str_of(text), hex);
    return arena_printf(world_arena(w), "%lld-%.8s", (long long)invoker->generation, hex);
}

/* ---- the schedule ---- */

static bool is_every(struct str s)
{
    return str_starts(s, STR("@every "));
}

const char *cronjobspec_schedule(struct arena *a, const char *schedule)
{
    return arena_str(a, str_trim(str_of(schedule)));
}

/* The fifth word. */
static struct str weekday_field(struct str s)
{
    for (int field = 0; field < 4; field++) {
        while (s.n && s.p[0] != ' ' && s.p[0] != '\t')
            s.p++, s.n--;
        s = str_trim(s);
    }
    return s;
}

/* "7" as a value or an end of a range, not as a step. */
static bool has_weekday_7(struct str s)
{
    struct str rest = weekday_field(s), item, range, value;

    while (str_cut(&rest, ',', &item)) {
        (void)str_cut(&item, '/', &range);
        while (str_cut(&range, '-', &value))
            if (str_is(value, "7"))
                return true;
    }
    return false;
}

const char *cronjobspec_refuses(struct arena *a, const char *schedule)
{
    struct str s = str_trim(str_of(schedule));
    struct cron cron;

    if (cron_parse(&cron, s, NULL) < 0)
        return NULL; /* that is said elsewhere */
    if (cron.every_s && cron.every_s < MINUTE_S)
        return arena_printf(a, "\"%.100s\" is under a minute, and a CronJob starts at most one run a minute", schedule);
    if (!cron.every_s && s.p[0] != '@' && has_weekday_7(s))
        return arena_printf(a, "\"%.100s\": a CronJob knows Sunday as 0 only, not as 7", schedule);
    return NULL;
}

/* ---- the pod ---- */

static void set_own_env(json_t *env, const char *name, const char *path)
{
    const json_t *it;
    size_t i;

    json_array_foreach (env, i, it) {
        if (strcmp(json_text(it, "name"), name) == 0)
            json_array_remove(env, i--);
    }
    json_array_append_new(env, json_pack("{s:s, s:{s:{s:s}}}", "name", name, "valueFrom", "fieldRef", "fieldPath",
                                         path));
}

/* The user's, and over it what the program needs. */
static json_t *environment(const json_t *settings)
{
    const json_t *own = json_at(settings, "env");
    json_t *env = json_is_array(own) ? json_clone(own) : json_array();

    set_own_env(env, "POD_NAMESPACE", "metadata.namespace");
    set_own_env(env, "JOB_NAME", "metadata.labels['batch.kubernetes.io/job-name']");
    return env;
}

/* A context that was given replaces ours as a whole. */
static json_t *security(const json_t *given)
{
    json_t *out;

    if (!json_is_object(given))
        return json_pack("{s:b, s:b, s:b, s:{s:[s]}, s:{s:s}}", "runAsNonRoot", 1, "allowPrivilegeEscalation", 0,
                         "readOnlyRootFilesystem", 1, "capabilities", "drop", "ALL", "seccompProfile", "type",
                         "RuntimeDefault");
    out = json_clone(given);
    if (json_is_integer(json_at(out, "runAsUser")) && json_int(out, "runAsUser", 1) == 0 &&
        !json_at(out, "runAsNonRoot"))
        json_object_set_new(out, "runAsNonRoot", json_false()); /* else the kubelet refuses what was asked for */
    return out;
}

static json_t *resources(const json_t *given)
{
    return json_object_size(given)
               ? json_clone(given)
               : json_pack("{s:{s:s, s:s}}", "requests", "cpu", "10m", "memory", "32Mi");
}

static json_t *container(struct world *w, const struct kobj *invoker, const json_t *settings)
{
    json_t *c = json_pack("{s:s, s:s, s:s, s:[s, s, s], s:o, s:o, s:o, s:[{s:s, s:s, s:b}], s:s}", "name",
                          "stash-trigger", "image", world_settings(w)->image, "imagePullPolicy",
                          world_settings(w)->pull_policy, "args", "create-backupsession",
                          arena_printf(world_arena(w), "--invoker-name=%s", invoker->name),
                          arena_printf(world_arena(w), "--invoker-kind=%s", invoker->kind->name), "env",
                          environment(settings), "resources", resources(json_at(settings, "resources")),
                          "securityContext", security(json_at(settings, "securityContext")), "volumeMounts", "name",
                          "stash-token", "mountPath", PODSPEC_TOKEN_DIR, "readOnly", 1, "terminationMessagePolicy",
                          "FallbackToLogsOnError");

    if (json_array_size(json_at(settings, "envFrom")))
        json_object_set_new(c, "envFrom", json_clone(json_at(settings, "envFrom")));
    return c;
}

static json_t *pod(struct world *w, const struct kobj *invoker, const json_t *doc, const char *account)
{
    const json_t *settings = json_at(doc, "spec.runtimeSettings.pod");
    json_t *pod = json_pack("{s:s, s:s, s:b, s:b, s:o, s:[o], s:[o]}", "restartPolicy", "Never", "serviceAccountName",
                            account, "automountServiceAccountToken", 0, "enableServiceLinks", 0, "securityContext",
                            podspec_security(PODSPEC_UID_WORKER, json_at(settings, "securityContext")), "containers",
                            container(w, invoker, json_at(doc, "spec.runtimeSettings.container")), "volumes",
                            podspec_token_volume());

    podspec_place(pod, settings);
    return pod;
}

/* ---- the object ---- */

static void set_label(json_t *labels, const char *key, const char *value)
{
    char out[256];

    json_object_set_new(labels, key, json_string(str_shorten_name(str_of(value), 63, false, out)));
}

/* Pods don't get the invoker's labels: they could match the application's Services. */
static json_t *pod_labels(const struct kobj *invoker, const json_t *doc)
{
    const json_t *given = json_at(doc, "spec.runtimeSettings.pod.podLabels");
    json_t *labels = json_is_object(given) ? json_clone(given) : json_object();

    json_object_set_new(labels, "app.kubernetes.io/component", json_string("stash-backup"));
    json_object_set_new(labels, "app.kubernetes.io/managed-by", json_string(STASH_GROUP));
    set_label(labels, STASH_GROUP "/invoker-type", invoker->kind->name);
    set_label(labels, STASH_GROUP "/invoker-name", invoker->name);
    return labels;
}

static json_t *job_template(struct world *w, const struct kobj *invoker, const json_t *doc, const char *account)
{
    json_t *labels = jobspec_labels(doc, DIRECTION_BACKUP);

    json_object_set_new(labels, CRONJOBSPEC_DELETE_LABEL, json_string("true"));
    return json_pack("{s:{s:o}, s:{s:i, s:I, s:{s:{s:o}, s:o}}}", "metadata", "labels", labels, "spec", "backoffLimit",
                     BACKOFF_LIMIT, "ttlSecondsAfterFinished", (json_int_t)world_settings(w)->job_ttl_s, "template",
                     "metadata", "labels", pod_labels(invoker, doc), "spec", pod(w, invoker, doc, account));
}

json_t *cronjobspec_make(struct world *w, const struct kobj *invoker, const json_t *doc, const char *account)
{
    const char *schedule = cronjobspec_schedule(world_arena(w), json_text(doc, "spec.schedule"));
    json_t *spec = json_pack("{s:s, s:b, s:s, s:i, s:i, s:o}", "schedule", schedule, "suspend",
                             json_flag(doc, "spec.paused", false), "concurrencyPolicy", "Forbid",
                             "successfulJobsHistoryLimit", 1, "failedJobsHistoryLimit", 3, "jobTemplate",
                             job_template(w, invoker, doc, account));

    if (!is_every(str_of(schedule)))
        json_object_set_new(spec, "startingDeadlineSeconds", json_integer(world_settings(w)->catch_up_s));
    return json_pack("{s:{s:s, s:o, s:{s:s}, s:o}, s:o}", "metadata", "name",
                     cronjobspec_name(world_arena(w), invoker), "labels", jobspec_labels(doc, DIRECTION_BACKUP),
                     "annotations", CRONJOBSPEC_MADE_FROM, cronjobspec_made_from(w, invoker), "ownerReferences",
                     sessionspec_owners(doc), "spec", spec);
}
