/* resolve: see resolve.h. */
#include "controllers/resolve.h"

#include "controllers/substitute.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/limits.h"

static json_t *find_param(const json_t *params, const char *name)
{
    json_t *it;
    size_t i;

    json_array_foreach (params, i, it)
        if (strcmp(json_text(it, "name"), name) == 0)
            return it;
    return NULL;
}

/* Parameters by name: a later one of the same name replaces. */
static int merge_params(json_t *into, const json_t *params, struct error *e)
{
    json_t *it;
    size_t i;

    json_array_foreach (params, i, it) {
        const char *name = json_text(it, "name");
        json_t *old = find_param(into, name);

        if (variables_reserved(str_of(name)))
            return error_set(e, ERR_INVALID, "task parameter \"%s\" is reserved", name);
        if (old)
            json_object_set_new(old, "value", json_string(json_text(it, "value")));
        else
            json_array_append_new(into, json_pack("{s:s, s:s}", "name", name, "value", json_text(it, "value")));
    }
    return 0;
}

int resolve_effective_task(enum direction d, const json_t *unit, const json_t *app, struct arena *a,
                           struct effective_task *ret, struct error *e)
{
    const json_t *addon = json_at(app, d == DIRECTION_BACKUP ? "spec.parameters.stash.addon.backupTask"
                                                             : "spec.parameters.stash.addon.restoreTask");
    const char *name = json_text(unit, "task.name");
    json_t *params = arena_json(a, json_array());
    int rc = merge_params(params, json_at(addon, "params"), e);

    if (rc == 0)
        rc = merge_params(params, json_at(unit, "task.params"), e);
    if (rc < 0)
        return rc;
    *ret = (struct effective_task){arena_strdup(a, *name ? name : json_text(addon, "name")), params};
    return 0;
}

/* ---- steps ---- */

static const char *const own_commands[] = {
    "backup-percona-xtradb", "restore-percona-xtradb", "update-status", "backup-pvc", "restore-pvc",
};

static bool is_own(const json_t *spec)
{
    const char *first = json_text(spec, "args.0");

    if (json_array_size(json_at(spec, "command")))
        return false;
    for (size_t i = 0; i < sizeof(own_commands) / sizeof(own_commands[0]); i++)
        if (strcmp(own_commands[i], first) == 0)
            return true;
    return false;
}

/* The step's parameters, themselves resolved with the built-in variables: the lowest layer (jobs.md 4.1). */
static int step_params(const json_t *step, const struct variables *v, struct variables *ret, struct error *e)
{
    const json_t *it;
    size_t i;

    variables_init(ret, v->arena, NULL);
    json_array_foreach (json_at(step, "params"), i, it) {
        const char *value;
        bool is_tenant;
        struct str text = json_str(json_object_get(it, "value"));
        int rc = substitute_text(v, text, PLACE_FREE, "params", &value, &is_tenant, e);

        if (rc < 0)
            return error_wrap(e, rc, "parameter \"%s\"", json_text(it, "name"));
        variables_set(ret, json_text(it, "name"), value, is_tenant)->is_param = true;
    }
    return 0;
}

/* The same variables over another bottom. */
static void put_over(struct variables *top, const struct variables *v, const struct variables *bottom)
{
    *top = *v;
    top->below = bottom;
}

static const char *container_name(struct arena *a, const char *function, size_t i)
{
    char out[256];

    return arena_strdup(a, str_shorten_name(str_of(arena_printf(a, "%s-%zu", function, i)), 63, true, out));
}

static int resolve_step(const json_t *step, size_t i, const struct variables *v, resolve_function_fn *get, void *ctx,
                        struct resolved_step *ret, struct error *e)
{
    struct variables params, middle, top;
    const json_t *function;
    const char *name;
    json_t *spec;
    int rc = substitute_text(v, str_of(json_text(step, "name")), PLACE_PLATFORM, "name", &name, NULL, e);

    if (rc == 0)
        rc = step_params(step, v, &params, e);
    if (rc < 0)
        return rc;
    function = get(ctx, name);
    if (!function)
        return error_set(e, ERR_NOTFOUND, "Function \"%s\" not found", name);
    if (strcmp(json_meta(function, "annotations", "stash.appscode.com/secret-access"), "api") == 0)
        return error_set(e, ERR_INVALID, "Function \"%s\" reads Secrets through the API, which is not allowed here",
                         name);
    put_over(&middle, v, &params);
    variables_init(&top, v->arena, &middle);
    (void)variables_set(&top, "ADDON_IMAGE", json_text(function, "spec.image"), false);
    spec = substitute_tree(&top, json_at(function, "spec"), TREE_FUNCTION, e);
    if (!spec)
        return error_wrap(e, ERR_INVALID, "Function \"%s\"", name);
    *ret = (struct resolved_step){
        .name = container_name(v->arena, name, i),
        .function = arena_printf(v->arena, "%s@%lld", name, (long long)json_int(function, "metadata.generation", 1)),
        .spec = arena_json(v->arena, spec),
        .is_own = is_own(spec),
        .publishes = strcmp(json_text(spec, "args.0"), "update-status") == 0,
    };
    return 0;
}

int resolve_task(const json_t *task, const struct variables *v, resolve_function_fn *get, void *ctx,
                 struct resolved *ret, struct error *e)
{
    const json_t *steps = json_at(task, "spec.steps"), *volumes = json_at(task, "spec.volumes");
    const char *name = json_text(task, "metadata.name");
    struct resolved r = {.n_steps = json_array_size(steps)};
    const char *functions = "";

    if (!r.n_steps)
        return error_set(e, ERR_INVALID, "Task \"%s\" has no steps", name);
    r.steps = arena_alloc(v->arena, r.n_steps * sizeof(*r.steps));
    for (size_t i = 0; i < r.n_steps; i++) {
        int rc = resolve_step(json_array_get(steps, i), i, v, get, ctx, &r.steps[i], e);

        if (rc < 0)
            return error_wrap(e, rc, "Task \"%s\", step %zu", name, i);
        functions = arena_printf(v->arena, "%s%s%s", functions, i ? "," : "", r.steps[i].function);
    }
    r.functions = functions;
    if (json_is_array(volumes)) {
        json_t *resolved = substitute_tree(v, volumes, TREE_VOLUMES, e);

        if (!resolved)
            return error_wrap(e, ERR_INVALID, "Task \"%s\", volumes", name);
        r.volumes = arena_json(v->arena, resolved);
    }
    *ret = r;
    return 0;
}
