/*
 * restoresession_check: the whole spec is looked at and all that is wrong is said at once. Only what can be seen in the
 * object itself; what depends on others (Task, Repository, policy) is the controller's.
 */
#include "controllers/restoresession.h"

#include "core/base/json.h"
#include "core/base/limits.h"

enum { REPLICAS_MAX = 1000 }; /* as hosts of a status (multitenancy.md 9) */

static void check_timeout(const json_t *spec, struct problems *out)
{
    const json_t *value = json_at(spec, "timeOut");
    struct error e;
    int64_t ns = 0;

    if (!value)
        return;
    if (!json_is_string(value) || str_parse_duration_ns(json_str(value), &ns, &e) < 0)
        problems_add(out, "spec.timeOut", "spec.timeOut is not a duration such as 30m");
    else if (ns <= 0)
        problems_add(out, "spec.timeOut", "spec.timeOut must be more than 0s");
}

static void check_hooks(const json_t *spec, struct problems *out)
{
    static const char *const hooks[] = {"preRestore", "postRestore"};
    static const char *const handlers[] = {"exec", "httpGet", "httpPost", "tcpSocket"};

    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        const json_t *hook = json_object_get(json_object_get(spec, "hooks"), hooks[i]);
        const char *field = arena_printf(out->arena, "spec.hooks.%s", hooks[i]);
        int n = 0;

        for (size_t j = 0; j < sizeof(handlers) / sizeof(handlers[0]); j++)
            n += json_is_object(json_object_get(hook, handlers[j]));
        if (n > 1)
            problems_add(out, field, "%s has several handlers, one is allowed", field);
        else if (n == 1) /* without it the restore would not be the one that was asked for */
            problems_add(out, field, "%s: this operator runs no hooks", field);
    }
}

/* Each replica's data goes into claims of its own. */
static void check_templates(const json_t *target, struct problems *out)
{
    const json_t *templates = json_at(target, "volumeClaimTemplates"), *it;
    size_t i;

    if (target_replicas(target) < 2)
        return;
    json_array_foreach ((json_t *)templates, i, it) {
        const char *field = arena_printf(out->arena, "spec.target.volumeClaimTemplates[%zu].metadata.name", i);

        if (!strstr(json_text(it, "metadata.name"), "${POD_ORDINAL}"))
            problems_add(out, field, "%s \"%.100s\" is the same for all replicas: end it with -${POD_ORDINAL}", field,
                         json_text(it, "metadata.name"));
    }
}

static void check_target(const json_t *object, struct problems *out)
{
    const json_t *spec = json_at(object, "spec"), *target = json_at(spec, "target");
    const char *own = json_text(object, "metadata.namespace");
    struct target_ref ref;
    bool is_elsewhere;

    if (!json_is_object(target)) {
        problems_add(out, "spec.target", "spec.target is missing");
        return;
    }
    target_ref_of(target, own, &ref);
    is_elsewhere = strcmp(ref.ns, own) != 0;
    target_check_group(json_at(target, "ref"), out);
    if (target_is_workload(&ref))
        target_check_task(spec, ref.kind, out);
    if (is_elsewhere && (target_is_workload(&ref) || strcmp(ref.kind, "PersistentVolumeClaim") == 0))
        problems_add(out, "spec.target.ref.namespace",
                     "cross-namespace target reference is not allowed for \"%.100s\"", ref.kind);
    if (is_elsewhere && target_is_app(&ref) && !*json_text(spec, "runtimeSettings.pod.serviceAccountName"))
        problems_add(out, "spec.runtimeSettings.pod.serviceAccountName",
                     "an AppBinding of another namespace needs runtimeSettings.pod.serviceAccountName");
    if (target_has_templates(target) && json_int(target, "replicas", 1) < 1)
        problems_add(out, "spec.target.replicas", "spec.target.replicas must be 1 or more, one a set of claims");
    if (target_replicas(target) > REPLICAS_MAX)
        problems_add(out, "spec.target.replicas", "spec.target.replicas is over 1000");
    if (target_has_templates(target) && !json_array_size(json_at(target, "volumeMounts")))
        problems_add(out, "spec.target.volumeMounts",
                     "spec.target.volumeMounts is missing: the claims would not be mounted");
    check_templates(target, out);
}

static void check_powers(const json_t *spec, struct problems *out)
{
    struct buf floor;

    buf_init(&floor, LIMIT_MESSAGE);
    podspec_floor_settings(json_at(spec, "runtimeSettings"), "spec.runtimeSettings", &floor);
    if (floor.len)
        problems_add(out, "spec.runtimeSettings", "not allowed by the pod floor \"baseline\": %s", floor.data);
    buf_done(&floor);
}

void restoresession_check(const json_t *object, struct problems *out)
{
    const json_t *spec = json_at(object, "spec");
    struct error e;

    target_check_driver(spec, out);
    check_timeout(spec, out);
    check_hooks(spec, out);
    check_target(object, out);
    if (target_check_rules(spec, &e) < 0)
        problems_add(out, json_array_size(json_at(spec, "target.rules")) ? "spec.target.rules" : "spec.rules", "%s",
                     e.msg);
    check_powers(spec, out);
}
