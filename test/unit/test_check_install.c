/* test_check_install: what `helm test` finds, against the model of the API server with the rights of its account. */
#include "test.h"

#include <string.h>

#include "controllers/job/check_install.h"
#include "controllers/job/job.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/h2.h"
#include "k8s/model/model.h"
#include "support_program.h"
#include "support_world.h"

#define RBAC "/apis/rbac.authorization.k8s.io/v1/namespaces/stash/"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/stash/leases"

struct here {
    size_t live;
    struct env *env;
    struct job job;
    struct model *model;
    struct http_peer *peer;
    struct apiserver *api;
    struct error error;
    char text[256];
};

static void put(struct here *w, const char *path, const char *yaml)
{
    json_t *o = test_yaml(yaml), *answer = NULL;
    int status = model_do(w->model, "system:admin", "POST", path, o, &answer);

    if (status >= 300)
        fail_msg("%s: %d %s", path, status, json_text(answer, "message"));
    json_decref(o);
    json_decref(answer);
}

static void put_kind(struct here *w, const char *plural)
{
    AUTO_FREE char *place = mem_printf("%s/../../../chart/templates/crds/%s.yaml", TEST_DATA, plural);
    struct buf text;
    struct error e;

    buf_init(&text, 1 << 20);
    assert_int_equal(env_uv_read_file(place, &text, &e), 0);
    put(w, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", text.data);
    buf_done(&text);
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct here *w = mem_zalloc(sizeof(*w));

    w->live = live;
    w->env = env_uv_new();
    job_init(&w->job, w->env, "/tmp", "/tmp");
    w->job.log.min = LOG_ERROR + 1;
    w->model = model_new(&(struct model_options){.env = w->env, .seed = 1, .rbac = true});
    model_start(w->model);
    put(w, "/api/v1/namespaces", "{apiVersion: v1, kind: Namespace, metadata: {name: stash}}");
    put(w, RBAC "roles",
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: test}, rules: [{apiGroups: "
        "[stash.appscode.com], resources: [repositories], verbs: [create]}, {apiGroups: [coordination.k8s.io], "
        "resources: [leases], resourceNames: [stashd], verbs: [get]}]}");
    put(w, RBAC "rolebindings",
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: test}, roleRef: {apiGroup: "
        "rbac.authorization.k8s.io, kind: Role, name: test}, subjects: [{kind: ServiceAccount, name: test, namespace: "
        "stash}]}");
    w->peer = model_peer_new(w->model, "system:serviceaccount:stash:test", "system:authenticated");
    w->api = apiserver_with_peer(&w->job, w->peer);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct here *w = *state;
    size_t live = w->live;

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

static void put_lease(struct here *w, int64_t renewed_s)
{
    char time[32];
    AUTO_FREE char *yaml = NULL;

    (void)str_format_time(renewed_s, time);
    yaml = mem_printf("{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: stashd}, spec: "
                      "{holderIdentity: stashd-0_1, renewTime: '%.19s.000000Z'}}",
                      time);
    put(w, LEASES, yaml);
}

static void a_good_repository_is_accepted_and_not_kept(void **state)
{
    struct here *w = *state;
    json_t *list = NULL;

    put_kind(w, "repositories");
    assert_int_equal(check_install_repository(w->api, "stash", true, w->text, &w->error), 0);
    assert_string_equal(w->text, "a good Repository is accepted");
    assert_int_equal(model_do(w->model, "system:admin", "GET",
                              "/apis/stash.appscode.com/v1alpha1/namespaces/stash/repositories", NULL, &list),
                     200);
    assert_int_equal(json_array_size(json_object_get(list, "items")), 0);
    json_decref(list);
}

static void a_bad_repository_is_refused(void **state)
{
    struct here *w = *state;

    put_kind(w, "repositories");
    assert_int_equal(check_install_repository(w->api, "stash", false, w->text, &w->error), 0);
    assert_true(str_starts(str_of(w->text), STR("a bad Repository is refused: ")));
    assert_non_null(strstr(w->text, "bucket"));
}

static void kinds_that_are_missing_are_said(void **state)
{
    struct here *w = *state;

    assert_true(check_install_repository(w->api, "stash", true, w->text, &w->error) < 0);
    assert_true(str_starts(str_of(w->error.msg), STR("a good Repository: ")));
}

static void make_kinds(struct timer *t)
{
    struct here *w = t->data;

    put_kind(w, "functions");
    put_kind(w, "tasks");
}

static void kinds_are_waited_for(void **state)
{
    struct here *w = *state;
    struct timer timer;

    timer_init(&timer, make_kinds, w);
    timer_set_in(w->env, &timer, 1);
    assert_int_equal(check_install_kinds(&w->job, w->api, w->text, &w->error), 0);
    assert_string_equal(w->text, "Functions and Tasks are served");
}

static void a_leader_that_renews_is_named(void **state)
{
    struct here *w = *state;

    put_lease(w, 1772330400);
    assert_int_equal(check_install_leader(w->api, "stash", "stashd", 1772330400 + 60, w->text, &w->error), 0);
    assert_string_equal(w->text, "stashd-0_1 has the lead");
}

static void a_silent_leader_is_an_error(void **state)
{
    struct here *w = *state;

    put_lease(w, 1772330400);
    assert_int_equal(check_install_leader(w->api, "stash", "stashd", 1772330400 + 61, w->text, &w->error), ERR_INVALID);
    assert_string_equal(w->error.msg, "Lease stash/stashd: stashd-0_1 has been silent for 61 s; does a pod of the "
                                      "operator run?");
}

static void no_leader_ever_is_an_error(void **state)
{
    struct here *w = *state;

    assert_int_equal(check_install_leader(w->api, "stash", "stashd", 0, w->text, &w->error), ERR_NOTFOUND);
    assert_true(str_starts(str_of(w->error.msg), STR("no operator has ever had the lead here: ")));
}

/* It may be there, and a leader alive. */
static void a_lease_that_cannot_be_read_says_nothing_of_leaders(void **state)
{
    struct here *w = *state;

    assert_int_equal(check_install_leader(w->api, "stash", "other", 0, w->text, &w->error), ERR_DENIED);
    if (!str_starts(str_of(w->error.msg), STR("Lease stash/other cannot be read: ")))
        fail_msg("%s", w->error.msg);
    assert_null(strstr(w->error.msg, "had the lead"));
}

/* ---- the program ---- */

static void serve(void *ctx, struct http_serve *s)
{
    model_serve(((struct here *)ctx)->model, s);
}

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

/* Without a certificate the server takes us for nobody, who may read no Lease. */
static void the_namespace_is_a_flag(void **state)
{
    struct here *w = *state;
    struct h2_server_options so = {.env = w->env, .address = "127.0.0.1", .body_max = 1 << 20, .handler = serve,
                                   .ctx = w};
    struct support_program p;
    struct error e;
    struct h2_server *server = h2_server_start(&so, &e);
    AUTO_FREE char *master = mem_printf("--master=http://127.0.0.1:%u", h2_server_port(server));
    const char *argv[] = {"check-installation", master, "--namespace=there", NULL};
    const char *envp[] = {"POD_NAMESPACE=stash", NULL}, *none[] = {NULL};
    bool stopped = false;

    put_kind(w, "functions");
    put_kind(w, "tasks");
    support_program_run(&p, check_install_main, &w->job, argv, envp);
    assert_int_equal(p.status, 1);
    if (!strstr(p.out, "FAILED: Lease there/stashd cannot be read: "))
        fail_msg("%s%s", p.out, p.err);
    argv[2] = NULL;
    support_program_run(&p, check_install_main, &w->job, argv, envp);
    assert_non_null(strstr(p.out, "Lease stash/stashd"));
    support_program_run(&p, check_install_main, &w->job, argv, none);
    assert_non_null(strstr(p.out, "Lease default/stashd"));
    h2_server_stop(server, on_stopped, &stopped);
    job_wait(&w->job, &stopped);
}

static void flags_are_judged_before_it_connects(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const place[] = {"check-installation", "--namespace=a/b", NULL};
    static const char *const nameless[] = {"check-installation", "--fullname=", NULL};
    static const char *const help[] = {"check-installation", "--help", NULL};
    struct here *w = *state;
    struct support_program p;

    support_program_run(&p, check_install_main, &w->job, place, none);
    support_program_expect(&p, 2, "stash-job check-installation: --namespace=a/b is no name of a namespace");
    support_program_run(&p, check_install_main, &w->job, nameless, none);
    support_program_expect(&p, 2, "--fullname is empty");
    support_program_run(&p, check_install_main, &w->job, help, none);
    assert_non_null(strstr(p.out, "--namespace"));
    assert_non_null(strstr(p.out, "$POD_NAMESPACE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_repository_is_accepted_and_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_repository_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_that_are_missing_are_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_are_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leader_that_renews_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_leader_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_leader_ever_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lease_that_cannot_be_read_says_nothing_of_leaders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_namespace_is_a_flag, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flags_are_judged_before_it_connects, set_up, tear_down),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
