/* target: see target.h. */
#include "controllers/target.h"

#include "core/base/json.h"

void target_ref_of(const json_t *target, const char *own_ns, struct target_ref *ret)
{
    const json_t *ref = json_at(target, "ref");
    const char *ns = json_text(ref, "namespace");

    *ret = (struct target_ref){json_text(ref, "apiVersion"), json_text(ref, "kind"), json_text(ref, "name"),
                               *ns ? ns : own_ns};
    if (!*ret->kind && !*ret->name && !target_has_templates(target))
        *ret = (struct target_ref){"na", TARGET_EMPTY, "na", own_ns};
}

bool target_ref_equal(const struct target_ref *r, const json_t *ref)
{
    return str_same(r->api_version, json_text(ref, "apiVersion")) && str_same(r->kind, json_text(ref, "kind")) &&
           str_same(r->name, json_text(ref, "name")) && str_same(r->ns, json_text(ref, "namespace"));
}

json_t *target_ref_json(const struct target_ref *r)
{
    json_t *out = json_object();

    if (*r->api_version)
        json_object_set_new(out, "apiVersion", json_string(r->api_version));
    if (*r->kind)
        json_object_set_new(out, "kind", json_string(r->kind));
    if (*r->name)
        json_object_set_new(out, "name", json_string(r->name));
    json_object_set_new(out, "namespace", json_string(r->ns));
    return out;
}

bool target_is_app(const struct target_ref *r)
{
    return str_starts(str_of(r->api_version), STR(APP_GROUP "/")) && strcmp(r->kind, "AppBinding") == 0;
}

void target_check_group(const json_t *ref, struct problems *out)
{
    const char *version = json_text(ref, "apiVersion");

    if (strcmp(json_text(ref, "kind"), "AppBinding") == 0 && !str_starts(str_of(version), STR(APP_GROUP "/")))
        problems_add(out, "spec.target.ref.apiVersion",
                     "spec.target.ref: no matches for kind \"AppBinding\" in version \"%.100s\", use " APP_GROUP
                     "/v1alpha1",
                     version);
}

void target_check_task(const json_t *spec, const char *kind, struct problems *out)
{
    if (!*json_text(spec, "task.name"))
        problems_add(out, "spec.task.name",
                     "spec.task.name is missing: this operator puts no sidecar into a %.100s; name a Task that reads "
                     "it, or make the AppBinding of its database the target",
                     kind);
}

void target_check_driver(const json_t *spec, struct problems *out)
{
    const char *driver = json_text(spec, "driver");

    if (strcmp(driver, "VolumeSnapshotter") == 0)
        problems_add(out, "spec.driver",
                     "spec.driver: this operator makes and restores no volume snapshots; set it to Restic, with a "
                     "Repository in spec.repository.name");
    else if (*driver && strcmp(driver, "Restic") != 0)
        problems_add(out, "spec.driver", "spec.driver: unknown driver \"%.100s\"; use Restic", driver);
    else if (!*json_text(spec, "repository.name"))
        problems_add(out, "spec.repository.name", "spec.repository.name is missing");
}

/* Kinds that have a meaning of their own here, with their plurals. */
static const struct {
    const char *kind, *plural;
    bool is_workload;
} kinds[] = {
    {"Deployment", "deployments", true},
    {"StatefulSet", "statefulsets", true},
    {"DaemonSet", "daemonsets", true},
    {"DeploymentConfig", "deploymentconfigs", true},
    {"PersistentVolumeClaim", "persistentvolumeclaims", false},
    {"AppBinding", "appbindings", false},
};

bool target_is_workload(const struct target_ref *r)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].kind, r->kind) == 0)
            return kinds[i].is_workload;
    return false;
}

const char *target_resource(const struct target_ref *r)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].kind, r->kind) == 0)
            return kinds[i].plural;
    return "";
}

bool target_has_templates(const json_t *target)
{
    return json_array_size(json_at(target, "volumeClaimTemplates")) > 0;
}

int64_t target_replicas(const json_t *target)
{
    int64_t n = json_int(target, "replicas", 1);

    return n > 0 ? n : 1;
}

const char *target_host(struct arena *a, enum direction d, const json_t *target, int ordinal)
{
    const char *alias = json_text(target, "alias");

    if (d == DIRECTION_RESTORE && ordinal >= 0 && target_has_templates(target) && json_at(target, "replicas"))
        return arena_printf(a, "%s-%d", *alias ? alias : "host", ordinal);
    return *alias ? alias : "host-0";
}

/* ---- rules of a restore ---- */

const json_t *target_rules(const json_t *unit)
{
    const json_t *rules = json_at(unit, "target.rules");

    return json_array_size(rules) ? rules : json_at(unit, "rules");
}

static bool names_host(const json_t *rule, const char *host)
{
    const json_t *hosts = json_at(rule, "targetHosts"), *it;
    size_t i;

    json_array_foreach (hosts, i, it)
        if (str_is(json_str(it), host))
            return true;
    return false;
}

void target_match_rule(const json_t *rules, const char *host, struct target_rule *ret)
{
    const json_t *rule = NULL, *it;
    size_t i;

    json_array_foreach (rules, i, it) {
        if (names_host(it, host)) {
            rule = it;
            break;
        }
        if (!json_array_size(json_at(it, "targetHosts")))
            rule = it;
    }
    *ret = (struct target_rule){json_text(rule, "sourceHost"), json_at(rule, "paths"), json_at(rule, "snapshots"),
                                json_at(rule, "include"), json_at(rule, "exclude")};
    if (!*ret->source_host)
        ret->source_host = host;
}

static int check_hosts(const json_t *rules, size_t i, struct error *e)
{
    const json_t *hosts = json_at(json_array_get(rules, i), "targetHosts"), *it;
    size_t j;

    json_array_foreach (hosts, j, it) {
        const char *host = json_string_value(it);

        if (!host)
            return error_set(e, ERR_INVALID, "rules[%zu].targetHosts[%zu] is no text", i, j);
        for (size_t k = 0; k <= i; k++) {
            const json_t *others = json_at(json_array_get(rules, k), "targetHosts"), *other;
            size_t m;

            json_array_foreach (others, m, other)
                if ((k < i || m < j) && str_is(json_str(other), host))
                    return error_set(e, ERR_INVALID, "rules[%zu] and rules[%zu] both name the host \"%s\"", k, i, host);
        }
    }
    return 0;
}

int target_check_rules(const json_t *unit, struct error *e)
{
    const json_t *rules = target_rules(unit), *it;
    size_t i, fallback = SIZE_MAX;

    if (json_array_size(json_at(unit, "target.rules")) && json_array_size(json_at(unit, "rules")))
        return error_set(e, ERR_INVALID, "spec.rules and spec.target.rules are both set; use spec.target.rules");
    json_array_foreach (rules, i, it) {
        int rc = check_hosts(rules, i, e);

        if (rc < 0)
            return rc;
        if (json_array_size(json_at(it, "snapshots")) && json_array_size(json_at(it, "paths")))
            return error_set(e, ERR_INVALID, "rules[%zu] has both snapshots and paths: a snapshot holds one directory",
                             i);
        if (json_array_size(json_at(it, "targetHosts")))
            continue;
        if (fallback != SIZE_MAX)
            return error_set(e, ERR_INVALID, "rules[%zu] and rules[%zu] both have no targetHosts; at most one may",
                             fallback, i);
        fallback = i;
    }
    return 0;
}
