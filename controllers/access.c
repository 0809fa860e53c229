/* access: see access.h. */
#include "controllers/access.h"

#include "core/base/json.h"

bool access_may_get_app(struct world *w, const char *own_ns, const json_t *unit, const char *ns, const char *name,
                        const char **ret_why)
{
    const char *account = json_text(unit, "runtimeSettings.pod.serviceAccountName");
    struct arena *a = world_arena(w);

    *ret_why = "";
    if (!*ns || strcmp(ns, own_ns) == 0)
        return true;
    if (!*account) {
        *ret_why = arena_printf(a,
                                "AppBinding %s/%s is in another namespace: runtimeSettings.pod.serviceAccountName must "
                                "name an account that may read it",
                                ns, name);
        return false;
    }
    if (world_may(w, own_ns, account, "get", kind_get(KIND_APPBINDING), ns, name))
        return true;
    *ret_why = arena_printf(a, "ServiceAccount %s/%s may not get AppBinding %s/%s", own_ns, account, ns, name);
    return false;
}
