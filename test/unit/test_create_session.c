/*
 * test_create_session: what the CronJob's pod does, against the model of the API server with RBAC, as the account and
 * with the role that it has there.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "controllers/job/create_session.h"
#include "controllers/job/job.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/h2.h"
#include "k8s/model/model.h"
#include "support_program.h"
#include "support_world.h"

#define STASH "/apis/stash.appscode.com/v1beta1/namespaces/demo/"
#define JOBS "/apis/batch/v1/namespaces/demo/jobs"
#define RBAC "/apis/rbac.authorization.k8s.io/v1/"
#define DUE "1772330400" /* 2026-03-01T02:00:00Z */

struct here {
    size_t live;
    struct env *env;
    struct job job;
    struct model *model;
    struct http_peer *peer;
    struct apiserver *api;
    struct error error;
    char *name;
    bool made;
};

static void put(struct here *w, const char *method, const char *path, const char *yaml)
{
    json_t *o = test_yaml(yaml), *answer = NULL;
    int status = model_do(w->model, "system:admin", method, path, o, &answer);

    if (status >= 300)
        fail_msg("%s %s: %d %s", method, path, status, json_text(answer, "message"));
    json_decref(o);
    json_decref(answer);
}

static json_t *get(struct here *w, const char *path)
{
    json_t *o = NULL;

    if (model_do(w->model, "system:admin", "GET", path, NULL, &o) != 200) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* All documents of a file of the chart. */
static void put_chart(struct here *w, const char *file, const char *path)
{
    AUTO_FREE char *place = mem_printf("%s/../../../chart/%s", TEST_DATA, file);
    struct buf text;
    struct error e;
    json_t *documents, *d;
    size_t i;

    buf_init(&text, 1 << 20);
    assert_int_equal(env_uv_read_file(place, &text, &e), 0);
    documents = test_yaml_documents(text.data);
    json_array_foreach (documents, i, d)
        assert_int_equal(model_do(w->model, "system:admin", "POST", path, d, NULL), 201);
    json_decref(documents);
    buf_done(&text);
}

static void put_configuration(struct here *w)
{
    put(w, "POST", STASH "backupconfigurations",
        "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: db, labels: {team: a}},"
        " spec: {schedule: '0 2 * * *', repository: {name: repo}, retentionPolicy: {name: p, keepLast: 1, prune: true},"
        " retryConfig: {maxRetry: 3},"
        " target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: pxc}}}}");
}

static void put_job(struct here *w, const char *name, const char *scheduled)
{
    AUTO_FREE char *yaml =
        mem_printf("{apiVersion: batch/v1, kind: Job, metadata: {name: %s, annotations: {%s}}, spec: {suspend: true,"
                   " template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}",
                   name, scheduled);

    put(w, "POST", JOBS, yaml);
}

static int set_up(void **state)
{
    static const char *const crds[] = {"templates/crds/backupsessions.yaml",
                                       "templates/crds/backupconfigurations.yaml"};
    size_t live = mem_live();
    struct here *w = mem_zalloc(sizeof(*w));

    w->live = live;
    w->env = env_uv_new();
    job_init(&w->job, w->env, "/tmp", "/tmp");
    w->job.log.min = LOG_ERROR + 1;
    w->model = model_new(&(struct model_options){.env = w->env, .seed = 1, .rbac = true});
    model_start(w->model);
    for (size_t i = 0; i < sizeof(crds) / sizeof(crds[0]); i++)
        put_chart(w, crds[i], "/apis/apiextensions.k8s.io/v1/customresourcedefinitions");
    put_chart(w, "manifests/rbac/jobs.yaml", RBAC "clusterroles");
    put(w, "POST", "/api/v1/namespaces", "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}");
    put(w, "POST", RBAC "namespaces/demo/rolebindings",
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: stash-trigger},"
        " roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: stashd-cron-job},"
        " subjects: [{kind: ServiceAccount, name: stash-trigger, namespace: demo}]}");
    w->peer = model_peer_new(w->model, "system:serviceaccount:demo:stash-trigger", "system:authenticated");
    w->api = apiserver_with_peer(&w->job, w->peer);
    put_configuration(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct here *w = *state;
    size_t live = w->live;

    mem_free(w->name);
    apiserver_free(w->api);
    model_peer_free(w->peer);
    model_free(w->model);
    env_uv_run(w->env);
    job_done(&w->job);
    env_uv_free(w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static int create(struct here *w, const char *kind, const char *name, const char *job)
{
    struct create_session c = {
        .ns = "demo", .invoker_kind = kind, .invoker_name = name, .job = job, .now_s = 1772331234};

    mem_free(w->name);
    w->name = NULL;
    w->error = (struct error){0};
    return create_session(w->api, &c, &w->name, &w->made, &w->error);
}

static void expect_error(struct here *w, const char *says)
{
    if (!strstr(w->error.msg, says))
        fail_msg("\"%s\" does not say \"%s\"", w->error.msg, says);
}

static void the_session_is_named_and_filled_as_the_operator_would(void **state)
{
    struct here *w = *state;
    json_t *s, *invoker;

    put_job(w, "trigger-1", "batch.kubernetes.io/cronjob-scheduled-timestamp: '2026-03-01T02:00:00Z'");
    assert_int_equal(create(w, "BackupConfiguration", "db", "trigger-1"), 0);
    assert_true(w->made);
    assert_string_equal(w->name, "db-" DUE);
    s = get(w, STASH "backupsessions/db-" DUE);
    invoker = get(w, STASH "backupconfigurations/db");
    assert_string_equal(json_text(s, "spec.invoker.apiGroup"), "stash.appscode.com");
    assert_string_equal(json_text(s, "spec.invoker.kind"), "BackupConfiguration");
    assert_string_equal(json_text(s, "spec.invoker.name"), "db");
    assert_int_equal(json_int(s, "spec.retryLeft", -1), 3);
    assert_string_equal(json_meta(s, "labels", "team"), "a");
    assert_string_equal(json_meta(s, "labels", "app.kubernetes.io/managed-by"), "stash.appscode.com");
    assert_string_equal(json_meta(s, "labels", "stash.appscode.com/invoker-type"), "BackupConfiguration");
    assert_string_equal(json_meta(s, "labels", "stash.appscode.com/target-name"), "pxc");
    assert_string_equal(json_text(s, "metadata.ownerReferences.0.uid"), json_text(invoker, "metadata.uid"));
    assert_true(json_flag(s, "metadata.ownerReferences.0.controller", false));
    assert_true(json_flag(s, "metadata.ownerReferences.0.blockOwnerDeletion", false));
    json_decref(s);
    json_decref(invoker);
}

static void a_pod_that_is_tried_again_makes_the_same_one(void **state)
{
    struct here *w = *state;
    json_t *first, *again;

    put_job(w, "trigger-1", "batch.kubernetes.io/cronjob-scheduled-timestamp: '2026-03-01T04:00:00+02:00'");
    assert_int_equal(create(w, "BackupConfiguration", "db", "trigger-1"), 0);
    first = get(w, STASH "backupsessions/db-" DUE);
    assert_non_null(first);
    assert_int_equal(create(w, "BackupConfiguration", "db", "trigger-1"), 0);
    assert_false(w->made);
    assert_string_equal(w->name, "db-" DUE);
    again = get(w, STASH "backupsessions/db-" DUE);
    assert_true(json_equal(first, again));
    json_decref(first);
    json_decref(again);
}

/* Older control planes write no time: the Job's creation is the same for all of its pods. */
static void a_job_without_a_time_is_taken_by_its_creation(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *want = NULL;
    int64_t created_s;
    json_t *job;

    put_job(w, "trigger-1", "");
    job = get(w, JOBS "/trigger-1");
    assert_int_equal(str_parse_time(str_of(json_text(job, "metadata.creationTimestamp")), &created_s), 0);
    json_decref(job);
    want = mem_printf("db-%lld", (long long)created_s);
    assert_int_equal(create(w, "BackupConfiguration", "db", "trigger-1"), 0);
    assert_string_equal(w->name, want);
    /* By hand, without a Job: now. */
    assert_int_equal(create(w, "BackupConfiguration", "db", NULL), 0);
    assert_string_equal(w->name, "db-1772331234");
}

static void a_name_that_another_invoker_has_is_a_clear_error(void **state)
{
    struct here *w = *state;

    put_job(w, "trigger-1", "batch.kubernetes.io/cronjob-scheduled-timestamp: '2026-03-01T02:00:00Z'");
    put(w, "POST", STASH "backupsessions",
        "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: db-" DUE "}, spec: {invoker: {"
        "apiGroup: stash.appscode.com, kind: BackupConfiguration, name: other}}}");
    assert_int_equal(create(w, "BackupConfiguration", "db", "trigger-1"), ERR_EXISTS);
    expect_error(w, "BackupSession demo/db-" DUE " exists and is of BackupConfiguration other, not of "
                    "BackupConfiguration db: rename one of the two or delete that session");
}

static void a_session_of_a_deleted_namesake_is_no_success(void **state)
{
    struct here *w = *state;

    put_job(w, "trigger-1", "batch.kubernetes.io/cronjob-scheduled-timestamp: '2026-03-01T02:00:00Z'");
    assert_int_equal(create(w, "BackupConfiguration", "db", "trigger-1"), 0);
    put(w, "PATCH", STASH "backupsessions/db-" DUE,
        "{metadata: {finalizers: [example.org/hold], ownerReferences: [{apiVersion: stash.appscode.com/v1beta1,"
        " kind: BackupConfiguration, name: db, uid: 0f0f, controller: true}]}}");
    assert_int_equal(create(w, "BackupConfiguration", "db", "trigger-1"), ERR_EXISTS);
    expect_error(w, "is of an earlier BackupConfiguration db that was deleted");
}

static void a_missing_invoker_kind_or_job_is_said(void **state)
{
    struct here *w = *state;

    assert_int_equal(create(w, "BackupConfiguration", "gone", NULL), ERR_NOTFOUND);
    expect_error(w, "get BackupConfiguration demo/gone");
    assert_int_equal(create(w, "RestoreSession", "db", NULL), ERR_INVALID);
    expect_error(w, "--invoker-kind=RestoreSession: expected BackupConfiguration");
    assert_int_equal(create(w, "BackupBatch", "db", NULL), ERR_INVALID);
    expect_error(w, "--invoker-kind=BackupBatch: this operator runs no BackupBatch, make a BackupConfiguration");
    assert_int_equal(create(w, NULL, NULL, NULL), ERR_INVALID);
    expect_error(w, "--invoker-kind=BackupConfiguration and --invoker-name=NAME are required");
    assert_int_equal(create(w, "BackupConfiguration", "db", "no-such-job"), ERR_NOTFOUND);
    expect_error(w, "get Job demo/no-such-job");
    assert_null(get(w, STASH "backupsessions/db-1772331234"));
}

/* Without the binding nothing is made, and the server's words are passed on. */
static void the_role_is_needed(void **state)
{
    struct here *w = *state;

    assert_int_equal(model_do(w->model, "system:admin", "DELETE", RBAC "namespaces/demo/rolebindings/stash-trigger",
                              NULL, NULL),
                     200);
    assert_int_equal(create(w, "BackupConfiguration", "db", NULL), ERR_DENIED);
    expect_error(w, "stash-trigger");
}

/* ---- the program ---- */

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static void serve(void *ctx, struct http_serve *s)
{
    model_serve(((struct here *)ctx)->model, s);
}

static void the_program_takes_flags_and_its_pods_environment(void **state)
{
    struct here *w = *state;
    struct h2_server_options so = {.env = w->env, .address = "127.0.0.1", .body_max = 1 << 20, .handler = serve,
                                   .ctx = w};
    struct error e;
    struct h2_server *server = h2_server_start(&so, &e);
    AUTO_FREE char *master = mem_printf("--master=http://127.0.0.1:%u", h2_server_port(server));
    const char *argv[] = {"create-backupsession", "--invoker-name=db", "--invoker-kind", "BackupConfiguration", master,
                          NULL};
    const char *wrong[] = {"create-backupsession", "--invoker=db", NULL};
    const char *by_flag[] = {"create-backupsession", "--invoker-name=db", "--invoker-kind", "BackupConfiguration",
                             "--namespace=demo", master, NULL};
    const char *envp[] = {"POD_NAMESPACE=demo", "JOB_NAME=trigger-1", NULL};
    const char *elsewhere[] = {"POD_NAMESPACE=elsewhere", "JOB_NAME=trigger-1", NULL};
    bool stopped = false;
    json_t *s;

    /* Without a certificate the server takes us for nobody. */
    put(w, "POST", RBAC "clusterrolebindings",
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: all},"
        " roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: stashd-cron-job},"
        " subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: 'system:anonymous'}]}");
    put_job(w, "trigger-1", "batch.kubernetes.io/cronjob-scheduled-timestamp: '2026-03-01T02:00:00Z'");
    assert_int_equal(create_session_main(&w->job, 5, argv, envp), 0);
    s = get(w, STASH "backupsessions/db-" DUE);
    assert_non_null(s);
    json_decref(s);
    assert_int_equal(create_session_main(&w->job, 6, by_flag, elsewhere), 0); /* the flag wins */
    argv[1] = "--invoker-name=gone";
    assert_int_equal(create_session_main(&w->job, 5, argv, envp), 1);
    assert_int_equal(create_session_main(&w->job, 2, wrong, envp), 2);
    h2_server_stop(server, on_stopped, &stopped);
    job_wait(&w->job, &stopped);
}

/* There is no cluster: whoever connects says so. */
static void flags_are_judged_before_it_connects(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const bare[] = {"create-backupsession", NULL};
    static const char *const nameless[] = {"create-backupsession", "--invoker-kind=BackupConfiguration", NULL};
    static const char *const batch[] = {"create-backupsession", "--invoker-kind=BackupBatch", "--invoker-name=b", NULL};
    static const char *const place[] = {"create-backupsession", "--invoker-kind=BackupConfiguration",
                                        "--invoker-name=b", "--namespace=a/b", NULL};
    static const char *const user[] = {"create-backupsession", "--invoker-kind=BackupConfiguration",
                                       "--invoker-name=b", "--master=https://me:hidden@host", NULL};
    static const char *const good[] = {"create-backupsession", "--invoker-kind=BackupConfiguration",
                                       "--invoker-name=b", NULL};
    static const char *const help[] = {"create-backupsession", "--help", NULL};
    struct here *w = *state;
    struct support_program p;

    support_program_run(&p, create_session_main, &w->job, bare, none);
    support_program_expect(&p, 2, "stash-job create-backupsession: --invoker-kind=BackupConfiguration and "
                                  "--invoker-name=NAME are required\n");
    support_program_run(&p, create_session_main, &w->job, nameless, none);
    support_program_expect(&p, 2, "--invoker-name=NAME are required");
    support_program_run(&p, create_session_main, &w->job, batch, none);
    support_program_expect(&p, 2, "this operator runs no BackupBatch, make a BackupConfiguration");
    support_program_run(&p, create_session_main, &w->job, place, none);
    support_program_expect(&p, 2, "--namespace=a/b is no name of a namespace");
    support_program_run(&p, create_session_main, &w->job, user, none);
    support_program_expect(&p, 1, "--master");
    assert_null(strstr(p.err, "hidden"));
    support_program_run(&p, create_session_main, &w->job, good, none);
    support_program_expect(&p, 1, "this process does not run in a cluster: KUBERNETES_SERVICE_HOST is not set; give "
                                  "--kubeconfig=FILE");
    support_program_run(&p, create_session_main, &w->job, help, none);
    assert_int_equal(p.status, 0);
    assert_null(strstr(p.out, "BackupBatch"));
    assert_non_null(strstr(p.out, "--namespace"));
    assert_non_null(strstr(p.out, "$POD_NAMESPACE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_session_is_named_and_filled_as_the_operator_would, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pod_that_is_tried_again_makes_the_same_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_without_a_time_is_taken_by_its_creation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_another_invoker_has_is_a_clear_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_session_of_a_deleted_namesake_is_no_success, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_invoker_kind_or_job_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_role_is_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_program_takes_flags_and_its_pods_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flags_are_judged_before_it_connects, set_up, tear_down),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
