/*
 * repository_check: the spec of a Repository by itself (api.md 2.4). A backend that can't be used stops the backups
 * that refer to it; the rest is refused when it is written, and harms nothing that is there already.
 */
#include "controllers/repository.h"

#include "core/base/json.h"
#include "core/restic/location.h"

static bool has_dotdot(const char *path)
{
    struct str rest = str_of(path), part;

    while (str_cut(&rest, '/', &part))
        if (str_is(part, ".."))
            return true;
    return false;
}

static void check_number(const json_t *backend, struct problems *out)
{
    static const char *const names[] = {"local", "s3", "gcs", "azure", "swift", "b2", "rest"};
    const char *set = "";
    size_t n = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (json_is_object(json_object_get(backend, names[i])))
            set = arena_printf(out->arena, "%s%s%s", set, n++ ? ", " : "", names[i]);
    if (n > 1)
        problems_add(out, "spec.backend", "spec.backend has several storages (%s), one is wanted", set);
}

static void check_location(const json_t *backend, struct problems *out)
{
    struct location l;
    struct error e;
    bool names_field;

    if (location_of(backend, out->arena, &l, &e) == 0)
        return;
    names_field = str_starts(str_of(e.msg), STR("backend."));
    problems_add(out,
                 names_field ? arena_printf(out->arena, "spec.%.*s", (int)strcspn(e.msg, " :"), e.msg) : "spec.backend",
                 "%s%s", names_field ? "spec." : "spec.backend: ", e.msg);
}

static void check_local(const json_t *local, const struct operator_settings *s, struct problems *out)
{
    struct str mount = str_of(json_text(local, "mountPath")), first;

    while (mount.n && mount.p[0] == '/')
        mount = (struct str){mount.p + 1, mount.n - 1};
    if (mount.n && str_cut(&mount, '/', &first) && str_is(first, "stash"))
        problems_add(out, "spec.backend.local.mountPath",
                     "spec.backend.local.mountPath: /stash is the program's own, take another path such as "
                     "/repository");
    if (has_dotdot(json_text(local, "subPath")))
        problems_add(out, "spec.backend.local.subPath", "spec.backend.local.subPath has a \"..\" element");
    if (json_at(local, "hostPath") && !s->allow_hostpath_backend)
        problems_add(out, "spec.backend.local.hostPath",
                     "a hostPath backend is not allowed here (the operator's --allow-hostpath-backend)");
}

void repository_check_backend(const json_t *backend, const struct operator_settings *s, struct problems *out)
{
    check_number(backend, out);
    check_location(backend, out);
    check_local(json_at(backend, "local"), s, out);
}

static void check_wipe(const json_t *spec, struct problems *out)
{
    if (!json_flag(spec, "wipeOut", false))
        return;
    if (json_is_object(json_at(spec, "backend.local")))
        problems_add(out, "spec.wipeOut", "spec.wipeOut: wiping out is not supported for local backends");
    if (json_is_object(json_at(spec, "backend.b2")))
        problems_add(out, "spec.wipeOut", "spec.wipeOut: wiping out is not supported for B2 backends");
}

static void check_policy(const json_t *allowed, struct problems *out)
{
    if (strcmp(json_text(allowed, "from"), "Selector") == 0 && !json_is_object(json_at(allowed, "selector")))
        problems_add(out, "spec.usagePolicy.allowedNamespaces.selector",
                     "spec.usagePolicy.allowedNamespaces.selector is missing: from Selector needs one");
}

void repository_check(const json_t *object, const struct operator_settings *s, struct problems *out)
{
    const json_t *spec = json_at(object, "spec");

    repository_check_backend(json_at(spec, "backend"), s, out);
    check_wipe(spec, out);
    check_policy(json_at(spec, "usagePolicy.allowedNamespaces"), out);
}
