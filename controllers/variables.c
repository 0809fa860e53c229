/* variables: see variables.h. The lists are short (some sixty names), so they are searched from the front. */
#include "controllers/variables.h"

#include <string.h>

void variables_init(struct variables *v, struct arena *a, const struct variables *below)
{
    *v = (struct variables){.arena = a, .below = below};
}

struct variable *variables_set(struct variables *v, const char *name, const char *value, bool is_tenant)
{
    struct variable **at = &v->first;

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    if (!*at) {
        *at = arena_alloc(v->arena, sizeof(**at));
        (*at)->name = arena_strdup(v->arena, name);
    }
    (*at)->value = arena_strdup(v->arena, value);
    (*at)->is_tenant = is_tenant;
    (*at)->is_param = false;
    return *at;
}

const struct variable *variables_find(const struct variables *v, struct str name)
{
    for (; v; v = v->below)
        for (const struct variable *it = v->first; it; it = it->next)
            if (str_is(name, it->name))
                return it;
    return NULL;
}

/* jobs.md 4.2, whether set or not, and those that upstream documents but never sets. */
static const char *const built_in[] = {
    "REPOSITORY_NAME", "REPOSITORY_NAMESPACE", "REPOSITORY_PROVIDER", "REPOSITORY_BUCKET", "REPOSITORY_PREFIX",
    "REPOSITORY_ENDPOINT", "REPOSITORY_REGION", "REPOSITORY_INSECURE_TLS", "REPOSITORY_SECRET_NAME",
    "REPOSITORY_SECRET_NAMESPACE", "REPOSITORY_URL", "TARGET_API_VERSION", "TARGET_KIND", "TARGET_NAME",
    "TARGET_NAMESPACE", "TARGET_RESOURCE", "TARGET_APP_VERSION", "TARGET_APP_TYPE", "TARGET_APP_GROUP",
    "TARGET_APP_RESOURCE", "TARGET_APP_REPLICAS", "TARGET_PATHS", "TARGET_MOUNT_PATH", "EXCLUDE_PATTERNS",
    "INCLUDE_PATTERNS", "DRIVER_ARGS", "HOSTNAME", "SOURCE_HOSTNAME", "RESTORE_PATHS", "RESTORE_SNAPSHOTS",
    "INTERIM_DATA_DIR", "RETENTION_KEEP_LAST", "RETENTION_KEEP_HOURLY", "RETENTION_KEEP_DAILY",
    "RETENTION_KEEP_WEEKLY", "RETENTION_KEEP_MONTHLY", "RETENTION_KEEP_YEARLY", "RETENTION_KEEP_TAGS",
    "RETENTION_PRUNE", "RETENTION_DRY_RUN", "BACKUP_SESSION", "RESTORE_SESSION", "NAMESPACE", "INVOKER_KIND",
    "INVOKER_NAME", "STASH_DOCKER_REGISTRY", "STASH_DOCKER_IMAGE", "STASH_IMAGE_TAG", "PROMETHEUS_PUSHGATEWAY_URL",
    "PROMETHEUS_JOB_NAME", "LICENSE_APISERVICE", "HOOK_TYPE", "ADDON_IMAGE", "POD_ORDINAL", "NICE_ADJUSTMENT",
    "IONICE_CLASS", "IONICE_CLASS_DATA", "ENABLE_STATUS_SUBRESOURCE",
};

bool variables_reserved(struct str name)
{
    for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
        if (str_is(name, built_in[i]))
            return true;
    return false;
}
