/* resolve: which Task, which variables, which hosts. */
#include "test.h"

#include "controllers/jobspec.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/restic/location.h"
#include "support_world.h"

static int setup(void **state)
{
    int rc = test_world_setup(state);

    test_world_add_file(*state, "xtradb.yaml");
    return rc;
}

/* Variables of a job over the files' objects; restore: the spec of a RestoreSession as YAML. */
static int fill(struct test_world *w, struct variables *v, const char *restore, int ordinal, struct error *e)
{
    struct job_input in = {
        .settings = &w->settings,
        .repository = test_world_get(w, KIND_REPOSITORY, "demo", "repo"),
        .app = test_world_get(w, KIND_APPBINDING, "demo", "db"),
        .ordinal = ordinal,
    };
    json_t *session = json_pack("{s:s, s:{s:s, s:s}}", "kind", "BackupSession", "metadata", "name", "db-1", "namespace",
                                "demo");
    struct effective_task task;
    int rc;

    arena_json(&w->arena, session);
    in.session = session;
    if (restore) {
        in.direction = DIRECTION_RESTORE;
        in.invoker = arena_json(&w->arena, json_pack("{s:s, s:{s:s, s:s}, s:o}", "kind", "RestoreSession", "metadata",
                                                     "name", "r", "namespace", "demo", "spec", test_yaml(restore)));
    } else {
        in.invoker = test_world_get(w, KIND_BACKUPCONFIGURATION, "demo", "db");
    }
    in.unit = json_at(in.invoker, "spec");
    variables_init(v, &w->arena, NULL);
    rc = resolve_effective_task(in.direction, in.unit, in.app, &w->arena, &task, e);
    return rc < 0 ? rc : variables_fill(v, &in, task.params, e);
}

static void is(const struct variables *v, const char *name, const char *want)
{
    const struct variable *it = variables_find(v, str_of(name));

    if (!it && want)
        fail_msg("%s is absent", name);
    if (it && !want)
        fail_msg("%s is \"%s\"", name, it->value);
    if (want)
        assert_string_equal(it->value, want);
}

static void a_backup_gets_its_variables(void **state)
{
    struct test_world *w = *state;
    struct variables v;
    struct error e;

    assert_int_equal(fill(w, &v, NULL, -1, &e), 0);
    is(&v, "REPOSITORY_NAME", "repo");
    is(&v, "REPOSITORY_PROVIDER", "s3");
    is(&v, "REPOSITORY_BUCKET", "backups");
    is(&v, "REPOSITORY_PREFIX", "demo/db");
    is(&v, "REPOSITORY_ENDPOINT", "https://s3.example");
    is(&v, "REPOSITORY_REGION", "eu");
    is(&v, "REPOSITORY_INSECURE_TLS", "false");
    is(&v, "REPOSITORY_SECRET_NAME", "storage");
    is(&v, "REPOSITORY_SECRET_NAMESPACE", "demo");
    is(&v, "MAX_CONNECTIONS", "0");
    is(&v, "TARGET_KIND", "AppBinding");
    is(&v, "TARGET_NAME", "db");
    is(&v, "TARGET_NAMESPACE", "demo");
    is(&v, "TARGET_APP_GROUP", "kubedb.com");
    is(&v, "TARGET_APP_RESOURCE", "perconaxtradb");
    is(&v, "TARGET_PATHS", "/stash-data");
    is(&v, "HOSTNAME", "host-0");
    is(&v, "RETENTION_KEEP_LAST", "5");
    is(&v, "RETENTION_KEEP_DAILY", NULL);
    is(&v, "RETENTION_PRUNE", "true");
    is(&v, "RETENTION_DRY_RUN", NULL);
    is(&v, "BACKUP_SESSION", "db-1");
    is(&v, "RESTORE_SESSION", NULL);
    is(&v, "INVOKER_KIND", "BackupConfiguration");
    is(&v, "STASH_DOCKER_REGISTRY", "registry");
    is(&v, "STASH_DOCKER_IMAGE", "stashd");
    is(&v, "STASH_IMAGE_TAG", "0.1");
    is(&v, "ENABLE_CACHE", "true");
    is(&v, "INTERIM_DATA_DIR", "/stash-tmp/stash-interim-volume/data");
    is(&v, "args", "--all-databases");
    is(&v, "waitTimeout", "60");
    assert_true(variables_find(&v, STR("args"))->is_tenant);
    assert_false(variables_find(&v, STR("REPOSITORY_PROVIDER"))->is_tenant);
}

static void a_restore_starts_from_the_restore_tasks_parameters(void **state)
{
    struct test_world *w = *state;
    struct variables v;
    struct error e;

    assert_int_equal(fill(w, &v, "{task: {params: [{name: x, value: y}]}, target: {ref: {apiVersion: "
                                 "appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db}},"
                                 "rules: [{snapshots: [latest]}]}", -1, &e), 0);
    is(&v, "waitTimeout", "90");
    is(&v, "args", NULL);
    is(&v, "x", "y");
    is(&v, "HOSTNAME", "host-0");
    is(&v, "SOURCE_HOSTNAME", "host-0");
    is(&v, "RESTORE_SNAPSHOTS", "latest");
    is(&v, "TARGET_APP_REPLICAS", "1");
    is(&v, "RETENTION_KEEP_LAST", NULL);
    is(&v, "RESTORE_SESSION", "r");
}

static void each_ordinal_has_a_host_of_its_own(void **state)
{
    struct test_world *w = *state;
    const char *spec = "{target: {replicas: 3, volumeClaimTemplates: [{metadata: {name: \"data-${POD_ORDINAL}\"}}],"
                       "rules: [{targetHosts: [], sourceHost: host-0, snapshots: [latest]},"
                       "{targetHosts: [host-2], snapshots: [abc, def]},"
                       "{targetHosts: [host-2, host-3], snapshots: [late]}]}}";
    struct variables v;
    struct error e;

    assert_int_equal(fill(w, &v, spec, 1, &e), 0);
    is(&v, "HOSTNAME", "host-1");
    is(&v, "SOURCE_HOSTNAME", "host-0");
    is(&v, "TARGET_APP_REPLICAS", "3");
    is(&v, "TARGET_NAME", "data-1");
    is(&v, "POD_ORDINAL", "1");
    assert_int_equal(fill(w, &v, spec, 2, &e), 0);
    is(&v, "HOSTNAME", "host-2");
    is(&v, "SOURCE_HOSTNAME", "host-2");
    is(&v, "RESTORE_SNAPSHOTS", "abc,def");
}

static void built_in_names_are_reserved(void **state)
{
    struct test_world *w = *state;
    struct variables v;
    struct error e;

    assert_int_equal(fill(w, &v, "{task: {params: [{name: REPOSITORY_BUCKET, value: mine}]}}", -1, &e), ERR_INVALID);
    assert_string_equal(e.msg, "task parameter \"REPOSITORY_BUCKET\" is reserved");
    assert_int_equal(fill(w, &v, "{task: {params: [{name: ENABLE_CACHE, value: \"false\"}]}}", -1, &e), 0);
    is(&v, "ENABLE_CACHE", "false");
}

static void a_repository_without_backend_is_an_error(void **state)
{
    struct test_world *w = *state;
    struct variables v;
    struct error e;

    test_world_patch(w, KIND_REPOSITORY, "demo", "repo", "{spec: {backend: {s3: null}}}");
    assert_int_equal(fill(w, &v, NULL, -1, &e), ERR_INVALID);
    assert_string_equal(e.msg, "Repository demo/repo: no backend configured: it needs one of local, s3, gcs, azure, "
                               "swift, b2 or rest");
}

static void each_backend_gives_its_place(void **state)
{
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        {"{local: {mountPath: /safe, hostPath: {path: /x}}}", "local|/safe||"},
        {"{gcs: {bucket: b, prefix: /demo, maxConnections: 7}}", "gcs|b|demo|"},
        {"{azure: {container: c}}", "azure|c||"},
        {"{swift: {container: c, prefix: a/b/}}", "swift|c|a/b|"},
        {"{b2: {bucket: b}}", "b2|b||"},
        {"{rest: {url: \"https://backup:8000/one//two/\"}}", "rest|backup:8000|one/two|https://backup:8000/one//two/"},
    };
    struct test_world *w = *state;
    struct location l;
    struct error e;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *backend = arena_json(&w->arena, test_yaml(rows[i].yaml));

        if (location_of(backend, &w->arena, &l, &e) < 0)
            fail_msg("%s: %s", rows[i].yaml, e.msg);
        assert_string_equal(arena_printf(&w->arena, "%s|%s|%s|%s", l.provider, l.bucket, l.prefix, l.endpoint),
                            rows[i].want);
    }
    assert_int_equal(location_of(arena_json(&w->arena, test_yaml("{gcs: {bucket: b, prefix: a/../b}}")), &w->arena, &l,
                                 &e), ERR_INVALID);
    assert_int_equal(location_of(arena_json(&w->arena, test_yaml("{s3: {endpoint: x}}")), &w->arena, &l, &e),
                     ERR_INVALID);
    assert_string_equal(e.msg, "backend.s3.bucket is missing");
    assert_int_equal(location_of(arena_json(&w->arena, test_yaml("{rest: {url: \"http://u:p@host/\"}}")), &w->arena, &l,
                                 &e), ERR_INVALID);
    assert_null(strstr(e.msg, "u:p"));
}

static void rules_are_checked(void **state)
{
    struct test_world *w = *state;
    struct error e;
    static const struct {
        const char *yaml, *why;
    } rows[] = {
        {"{rules: [{}, {targetHosts: [a]}, {}]}",
         "rules[0] and rules[2] both have no targetHosts; at most one may"},
        {"{rules: [{targetHosts: [a, b]}, {targetHosts: [b]}]}", "rules[0] and rules[1] both name the host \"b\""},
        {"{rules: [{targetHosts: [a, a]}]}", "rules[0] and rules[0] both name the host \"a\""},
        {"{target: {rules: [{snapshots: [x], paths: [y]}]}}",
         "rules[0] has both snapshots and paths: a snapshot holds one directory"},
        {"{rules: [{}], target: {rules: [{}]}}",
         "spec.rules and spec.target.rules are both set; use spec.target.rules"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(target_check_rules(arena_json(&w->arena, test_yaml(rows[i].yaml)), &e), ERR_INVALID);
        assert_string_equal(e.msg, rows[i].why);
    }
    assert_int_equal(target_check_rules(arena_json(&w->arena, test_yaml("{rules: [{targetHosts: [a]}, {}]}")), &e), 0);
}


static const json_t *get_function(void *ctx, const char *name)
{
    return test_world_get(ctx, KIND_FUNCTION, NULL, name);
}

static void steps_become_named_containers(void **state)
{
    struct test_world *w = *state;
    struct variables v;
    struct resolved r;
    struct error e;

    assert_int_equal(fill(w, &v, NULL, -1, &e), 0);
    assert_int_equal(resolve_task(test_world_get(w, KIND_TASK, NULL, "xtradb-backup"), &v, get_function, w, &r, &e), 0);
    assert_int_equal(r.n_steps, 2);
    assert_string_equal(r.steps[0].name, "xtradb-backup-8-0-0");
    assert_string_equal(r.steps[1].name, "update-status-1");
    assert_true(r.steps[0].is_own && !r.steps[0].publishes && r.steps[1].publishes);
    assert_string_equal(r.functions, "xtradb-backup-8.0@3,update-status@2");
    assert_string_equal(json_text(r.steps[0].spec, "args.5"), "--xtradb-args=--all-databases");
    assert_string_equal(json_text(r.steps[0].spec, "args.10"), "--output-dir=/stash-tmp/output");
}

static void what_is_missing_is_named(void **state)
{
    struct test_world *w = *state;
    struct variables v;
    struct resolved r;
    struct error e;
    const json_t *task = test_world_get(w, KIND_TASK, NULL, "xtradb-backup");

    assert_int_equal(fill(w, &v, NULL, -1, &e), 0);
    test_world_patch(w, KIND_FUNCTION, NULL, "update-status", "{spec: {args: [update-status, \"${NOBODY}\"]}}");
    assert_int_equal(resolve_task(task, &v, get_function, w, &r, &e), ERR_INVALID);
    assert_string_equal(e.msg, "Task \"xtradb-backup\", step 1: Function \"update-status\": args[1]: "
                               "input/default value not found for key NOBODY");
    test_world_del(w, KIND_FUNCTION, NULL, "update-status");
    assert_int_equal(resolve_task(task, &v, get_function, w, &r, &e), ERR_NOTFOUND);
    assert_string_equal(e.msg, "Task \"xtradb-backup\", step 1: Function \"update-status\" not found");
    test_world_patch(w, KIND_TASK, NULL, "xtradb-backup", "{spec: {steps: []}}");
    assert_int_equal(resolve_task(test_world_get(w, KIND_TASK, NULL, "xtradb-backup"), &v, get_function, w, &r, &e),
                     ERR_INVALID);
    assert_string_equal(e.msg, "Task \"xtradb-backup\" has no steps");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        T(a_backup_gets_its_variables),
        T(a_restore_starts_from_the_restore_tasks_parameters),
        T(each_ordinal_has_a_host_of_its_own),
        T(built_in_names_are_reserved),
        T(a_repository_without_backend_is_an_error),
        T(each_backend_gives_its_place),
        T(rules_are_checked),
        T(steps_become_named_containers),
        T(what_is_missing_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
