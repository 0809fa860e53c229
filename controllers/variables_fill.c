/*
 * variables_fill: the values of the built-in variables for one Job (jobs.md 4.2), group by group. Texts that a tenant
 * wrote (names, paths, patterns, where the repository is) keep that origin, so that substitution can hold them back.
 */
#include "controllers/variables.h"

#include "controllers/substitute.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/restic/location.h"

#define STASH_DATA "/stash-data" /* where Functions of claims find the data unless told otherwise */

static void platform(struct variables *v, const char *name, const char *value)
{
    (void)variables_set(v, name, value, false);
}

static void tenant(struct variables *v, const char *name, const char *value)
{
    (void)variables_set(v, name, value, true);
}

static void number(struct variables *v, const char *name, int64_t value)
{
    platform(v, name, arena_printf(v->arena, "%lld", (long long)value));
}

/* The texts of a list with a separator between; "" for none. */
static const char *join(struct variables *v, const json_t *list, char separator)
{
    struct buf b;
    const json_t *it;
    const char *out;
    size_t i;

    buf_init(&b, LIMIT_STRING);
    json_array_foreach (list, i, it) {
        if (i)
            buf_putc(&b, separator);
        buf_add_str(&b, json_str(it));
    }
    out = arena_str(v->arena, buf_str(&b));
    buf_done(&b);
    return out;
}

static int repository(struct variables *v, const struct job_input *in, struct error *e)
{
    const json_t *doc = in->repository;
    struct location l;
    int rc;

    if (!doc)
        return 0;
    rc = location_of(json_at(doc, "spec.backend"), v->arena, &l, e);
    if (rc < 0)
        return error_wrap(e, rc, "Repository %s/%s", json_text(doc, "metadata.namespace"),
                          json_text(doc, "metadata.name"));
    tenant(v, "REPOSITORY_NAME", json_text(doc, "metadata.name"));
    tenant(v, "REPOSITORY_NAMESPACE", json_text(doc, "metadata.namespace"));
    platform(v, "REPOSITORY_PROVIDER", l.provider);
    tenant(v, "REPOSITORY_BUCKET", l.bucket);
    tenant(v, "REPOSITORY_PREFIX", l.prefix);
    if (strcmp(l.provider, "s3") == 0 || strcmp(l.provider, "rest") == 0)
        tenant(v, "REPOSITORY_ENDPOINT", l.endpoint);
    if (*l.region)
        tenant(v, "REPOSITORY_REGION", l.region);
    platform(v, "REPOSITORY_INSECURE_TLS", l.insecure_tls ? "true" : "false");
    if (*l.storage_secret) {
        tenant(v, "REPOSITORY_SECRET_NAME", l.storage_secret);
        tenant(v, "REPOSITORY_SECRET_NAMESPACE", json_text(doc, "metadata.namespace"));
    }
    number(v, "MAX_CONNECTIONS", l.max_connections);
    return 0;
}

static int target_name(struct variables *v, const json_t *target, const struct target_ref *ref, struct error *e)
{
    const char *name = ref->name;
    int rc;

    if (!*name && target_has_templates(target)) {
        rc = substitute_text(v, str_of(json_text(json_array_get(json_at(target, "volumeClaimTemplates"), 0),
                                                 "metadata.name")),
                             PLACE_FREE, "metadata.name", &name, NULL, e);
        if (rc < 0)
            return error_wrap(e, rc, "volumeClaimTemplates[0]");
    }
    if (*name)
        tenant(v, "TARGET_NAME", name);
    return 0;
}

static void app(struct variables *v, const json_t *doc)
{
    const char *type = json_text(doc, "spec.type"), *slash = strrchr(type, '/');

    tenant(v, "TARGET_APP_VERSION", json_text(doc, "spec.version"));
    tenant(v, "TARGET_APP_TYPE", type);
    tenant(v, "TARGET_APP_GROUP", slash ? arena_str(v->arena, (struct str){type, (size_t)(slash - type)}) : "");
    tenant(v, "TARGET_APP_RESOURCE", slash ? slash + 1 : *type ? type : "appbinding");
}

static int target(struct variables *v, const struct job_input *in, struct error *e)
{
    const json_t *t = json_at(in->unit, "target");
    const json_t *mount = json_array_get(json_at(t, "volumeMounts"), 0);
    const char *paths = join(v, json_at(t, "paths"), ','), *path = json_text(mount, "mountPath");
    struct target_ref ref;
    int rc;

    if (in->ordinal >= 0)
        number(v, "POD_ORDINAL", in->ordinal);
    target_ref_of(t, json_text(in->invoker, "metadata.namespace"), &ref);
    if (*ref.api_version)
        tenant(v, "TARGET_API_VERSION", ref.api_version);
    if (*ref.kind)
        tenant(v, "TARGET_KIND", ref.kind);
    rc = target_name(v, t, &ref, e);
    if (rc < 0)
        return rc;
    tenant(v, "TARGET_NAMESPACE", ref.ns);
    if (*target_resource(&ref))
        platform(v, "TARGET_RESOURCE", target_resource(&ref));
    if (in->app)
        app(v, in->app);
    tenant(v, "TARGET_MOUNT_PATH", *path ? path : STASH_DATA);
    if (json_array_size(json_at(t, "args")))
        tenant(v, "DRIVER_ARGS", join(v, json_at(t, "args"), ' '));
    if (in->direction == DIRECTION_BACKUP) {
        tenant(v, "TARGET_PATHS", *paths ? paths : STASH_DATA);
        if (json_array_size(json_at(t, "exclude")))
            tenant(v, "EXCLUDE_PATTERNS", join(v, json_at(t, "exclude"), ','));
    } else {
        number(v, "TARGET_APP_REPLICAS", target_replicas(t));
    }
    return 0;
}

static void host(struct variables *v, const struct job_input *in)
{
    const char *name = target_host(v->arena, in->direction, json_at(in->unit, "target"), in->ordinal);
    struct target_rule rule;

    tenant(v, "HOSTNAME", name);
    if (in->direction == DIRECTION_BACKUP)
        return;
    target_match_rule(target_rules(in->unit), name, &rule);
    tenant(v, "SOURCE_HOSTNAME", rule.source_host);
    tenant(v, "RESTORE_PATHS", join(v, rule.paths, ','));
    tenant(v, "RESTORE_SNAPSHOTS", join(v, rule.snapshots, ','));
    tenant(v, "INCLUDE_PATTERNS", join(v, rule.include, ','));
    tenant(v, "EXCLUDE_PATTERNS", join(v, rule.exclude, ','));
}

static void retention(struct variables *v, const json_t *policy)
{
    static const char *const keeps[][2] = {
        {"keepLast", "RETENTION_KEEP_LAST"},       {"keepHourly", "RETENTION_KEEP_HOURLY"},
        {"keepDaily", "RETENTION_KEEP_DAILY"},     {"keepWeekly", "RETENTION_KEEP_WEEKLY"},
        {"keepMonthly", "RETENTION_KEEP_MONTHLY"}, {"keepYearly", "RETENTION_KEEP_YEARLY"},
    };

    for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++)
        if (json_int(policy, keeps[i][0], 0) > 0)
            number(v, keeps[i][1], json_int(policy, keeps[i][0], 0));
    if (json_array_size(json_at(policy, "keepTags")))
        tenant(v, "RETENTION_KEEP_TAGS", join(v, json_at(policy, "keepTags"), ','));
    if (json_flag(policy, "prune", false))
        platform(v, "RETENTION_PRUNE", "true");
    if (json_flag(policy, "dryRun", false))
        platform(v, "RETENTION_DRY_RUN", "true");
}

/* "registry/project/name:tag" in three parts; a digest goes with the tag. */
static void image(struct variables *v, const char *text)
{
    const char *slash = strrchr(text, '/'), *name = slash ? slash + 1 : text;
    size_t n = strcspn(name, ":@");

    platform(v, "STASH_DOCKER_REGISTRY", slash ? arena_str(v->arena, (struct str){text, (size_t)(slash - text)}) : "");
    platform(v, "STASH_DOCKER_IMAGE", arena_str(v->arena, (struct str){name, n}));
    platform(v, "STASH_IMAGE_TAG", name[n] ? name + n + 1 : "latest");
}

static void session(struct variables *v, const struct job_input *in)
{
    const char *name = json_text(in->invoker, "metadata.name");

    if (in->direction == DIRECTION_BACKUP)
        tenant(v, "BACKUP_SESSION", json_text(in->session, "metadata.name"));
    else
        tenant(v, "RESTORE_SESSION", name);
    tenant(v, "NAMESPACE", json_text(in->invoker, "metadata.namespace"));
    platform(v, "INVOKER_KIND", json_text(in->invoker, "kind"));
    tenant(v, "INVOKER_NAME", name);
    tenant(v, "PROMETHEUS_JOB_NAME", name);
}

static int parameters(struct variables *v, const json_t *params, struct error *e)
{
    const json_t *it;
    size_t i;

    json_array_foreach (params, i, it) {
        const char *name = json_text(it, "name");

        if (variables_reserved(str_of(name)))
            return error_set(e, ERR_INVALID, "task parameter \"%s\" is reserved", name);
        variables_set(v, name, json_text(it, "value"), true)->is_param = true;
    }
    return 0;
}

int variables_fill(struct variables *v, const struct job_input *in, const json_t *params, struct error *e)
{
    const json_t *unit = in->unit;
    int rc = repository(v, in, e);

    if (rc == 0)
        rc = target(v, in, e);
    if (rc < 0)
        return rc;
    host(v, in);
    platform(v, "ENABLE_CACHE", json_flag(unit, "tempDir.disableCaching", false) ? "false" : "true");
    platform(v, "INTERIM_DATA_DIR", json_at(unit, "interimVolumeTemplate") ? "/stash-interim-volume/data"
                                                                           : "/stash-tmp/stash-interim-volume/data");
    if (in->direction == DIRECTION_BACKUP)
        retention(v, json_at(in->invoker, "spec.retentionPolicy"));
    session(v, in);
    image(v, in->settings->image);
    platform(v, "PROMETHEUS_PUSHGATEWAY_URL", in->settings->pushgateway_url);
    return parameters(v, params, e);
}
