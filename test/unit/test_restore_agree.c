/*
 * test_restore_agree: hosts of one RestoreSession that look for "latest" in a real restic repository, against the model
 * of the API server, as the account and with the role that they have there.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "controllers/job/restore_parts.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "k8s/model/model.h"
#include "support_restic.h"
#include "support_world.h"

#define SESSIONS "/apis/stash.appscode.com/v1beta1/namespaces/demo/restoresessions"
#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define RBAC "/apis/rbac.authorization.k8s.io/v1/"

struct here {
    struct http_peer peer; /* in front of the model's */
    size_t live;
    struct env *env;
    struct job job;
    struct repo repo;
    struct secrets key;
    struct model *model;
    struct http_peer *server;
    void (*before_patch)(struct here *w); /* once */
    struct error error;
    char dir[64], took[80], uid[80];
};

/* ---- the API server ---- */

static void peer_start(struct http_peer *p, struct http_call *c)
{
    struct here *w = LIST_ENTRY(p, struct here, peer);
    void (*hook)(struct here *) = w->before_patch;

    if (hook && strcmp(c->method, "PATCH") == 0) {
        w->before_patch = NULL;
        hook(w);
    }
    http_start(w->server, c);
}

static void peer_cancel(struct http_peer *p, struct http_call *c)
{
    http_cancel(LIST_ENTRY(p, struct here, peer)->server, c);
}

static const struct http_peer_ops peer_ops = {.start = peer_start, .cancel = peer_cancel};

static void put_json(struct here *w, const char *method, const char *path, json_t *o_take)
{
    json_t *answer = NULL;
    int status = model_do(w->model, "system:admin", method, path, o_take, &answer);

    if (status >= 300)
        fail_msg("%s %s: %d %s", method, path, status, json_text(answer, "message"));
    json_decref(o_take);
    json_decref(answer);
}

static void put(struct here *w, const char *method, const char *path, const char *yaml)
{
    put_json(w, method, path, test_yaml(yaml));
}

static json_t *chart_file(const char *file)
{
    AUTO_FREE char *place = mem_printf("%s/../../../chart/%s", TEST_DATA, file);
    struct buf text;
    struct error e;
    json_t *documents;

    buf_init(&text, 1 << 20);
    assert_int_equal(env_uv_read_file(place, &text, &e), 0);
    documents = test_yaml_documents(text.data);
    buf_done(&text);
    return documents;
}

static void make_session(struct here *w, const char *name)
{
    AUTO_FREE char *yaml = mem_printf("{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: "
                                      "%s}, spec: {repository: {name: repo}, target: {ref: {apiVersion: v1, kind: "
                                      "AppBinding, name: db}}}}", name);

    put(w, "POST", SESSIONS, yaml);
}

static json_t *session(struct here *w, const char *name)
{
    AUTO_FREE char *path = mem_printf(SESSIONS "/%s", name);
    json_t *o = NULL;

    assert_int_equal(model_do(w->model, "system:admin", "GET", path, NULL, &o), 200);
    return o;
}

static void start_server(struct here *w)
{
    json_t *documents = chart_file("manifests/rbac/jobs.yaml"), *d;
    size_t i;

    w->model = model_new(&(struct model_options){.env = w->env, .seed = 1, .rbac = true});
    model_start(w->model);
    json_array_foreach (documents, i, d)
        put_json(w, "POST", RBAC "clusterroles", json_incref(d));
    json_decref(documents);
    put(w, "POST", "/api/v1/namespaces", "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}");
    put(w, "POST", RBAC "namespaces/demo/rolebindings",
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: stash-restore},"
        " roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: stashd-restore-job},"
        " subjects: [{kind: ServiceAccount, name: stash-restore, namespace: demo}]}");
    w->server = model_peer_new(w->model, "system:serviceaccount:demo:stash-restore", "system:authenticated");
}

/* Of the chart; without: as it was before the hosts agreed. */
static void make_crd(struct here *w, bool without)
{
    json_t *documents = chart_file("templates/crds/restoresessions.yaml"), *crd = json_array_get(documents, 0);

    if (without)
        assert_int_equal(json_object_del(json_at(crd, "spec.versions.0.schema.openAPIV3Schema.properties.status."
                                                      "properties"), "snapshots"), 0);
    put_json(w, "POST", CRDS, json_incref(crd));
    json_decref(documents);
}

/* ---- the repository ---- */

static void in_repository(const struct here *w, const char *line)
{
    AUTO_FREE char *all = mem_printf(SUPPORT_RESTIC_SHELL "cd %s && export RESTIC_REPOSITORY=$PWD/repo && export "
                                     "RESTIC_PASSWORD=pw && { %s; } >log 2>&1 || { cat log; false; }", w->dir, line);

    assert_int_equal(system(all), 0);
}

static void back_up(struct here *w)
{
    in_repository(w, "echo x | restic backup --stdin --stdin-filename dumpfile.sql --host host-0");
}

/* ---- a host of a restore ---- */

/* The id it takes, in w->took. */
static int choose(struct here *w, const char *name, const char *ordinal)
{
    AUTO_FREE char *of = mem_printf("STASH_RESTORE_NAME=%s", name), *uid = mem_printf("STASH_RESTORE_UID=%s", w->uid);
    AUTO_FREE char *number = mem_printf("POD_ORDINAL=%s", ordinal);
    const char *envp[] = {of, uid, number, NULL};
    struct restore_flags f = {.app = "db", .app_ns = "demo", .ns = "demo", .hostname = "host-9",
                              .source_hostname = "host-0", .snapshot = "latest"};
    struct restore r = {.job = &w->job, .flags = &f, .repo = w->repo, .envp = envp};
    int rc;

    r.api = apiserver_with_peer(&w->job, &w->peer);
    rc = restore_find_snapshot(&r, &w->error);
    (void)snprintf(w->took, sizeof(w->took), "%s", rc == 0 ? r.snapshot : "");
    apiserver_free(r.api);
    mem_free(r.snapshot);
    mem_free(r.server);
    return rc;
}

static void of(struct here *w, const char *name)
{
    json_t *o = session(w, name);

    (void)snprintf(w->uid, sizeof(w->uid), "%s", json_text(o, "metadata.uid"));
    json_decref(o);
}

static void takes(struct here *w, const char *name, const char *ordinal)
{
    if (choose(w, name, ordinal) < 0)
        fail_msg("ordinal %s of %s: %s", ordinal, name, w->error.msg);
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct here *w = mem_zalloc(sizeof(*w));
    struct repo_flags f = {.provider = "local"};
    char bucket[80], secret[120];
    const char *envp[] = {secret, NULL};

    w->live = live;
    w->peer.ops = &peer_ops;
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-restore-agree-XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    (void)snprintf(bucket, sizeof(bucket), "%s/repo", w->dir);
    (void)snprintf(secret, sizeof(secret), "STASH_STORAGE_SECRET_DIR=%s/secret", w->dir);
    f.bucket = bucket;
    f.scratch_dir = w->dir;
    support_restic_make(w->dir, "pw");
    in_repository(w, "mkdir secret && printf pw >secret/RESTIC_PASSWORD");
    w->env = env_uv_new();
    job_init(&w->job, w->env, w->dir, w->dir);
    w->job.log.min = LOG_ERROR + 1;
    if (repo_flags_open(&f, &w->job, envp, NULL, &w->key, &w->repo, &w->error) < 0)
        fail_msg("%s", w->error.msg);
    start_server(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct here *w = *state;
    size_t live = w->live;

    model_peer_free(w->server);
    model_free(w->model);
    env_uv_run(w->env);
    repo_done(&w->repo);
    secrets_done(&w->key);
    job_done(&w->job);
    env_uv_free(w->env);
    job_remove(w->dir);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

/* ---- tests ---- */

static void all_hosts_take_what_the_first_has_chosen_and_so_does_a_repetition(void **state)
{
    struct here *w = *state;
    char first[80];
    json_t *o;

    make_crd(w, false);
    make_session(w, "r");
    of(w, "r");
    back_up(w);
    takes(w, "r", "0");
    (void)snprintf(first, sizeof(first), "%s", w->took);
    back_up(w); /* one ends before the others look */
    takes(w, "r", "1");
    assert_string_equal(w->took, first);
    takes(w, "r", "0");
    assert_string_equal(w->took, first);
    o = session(w, "r");
    assert_int_equal(json_array_size(json_at(o, "status.snapshots")), 1);
    assert_string_equal(json_text(o, "status.snapshots.0.hostname"), "host-0");
    assert_string_equal(json_text(o, "status.snapshots.0.id"), first);
    json_decref(o);
    make_session(w, "later"); /* another restore chooses anew */
    of(w, "later");
    takes(w, "later", "0");
    assert_string_not_equal(w->took, first);
}

/* It has made its list before; meanwhile there is a newer one, and that is chosen. */
static void another_is_faster(struct here *w)
{
    back_up(w);
    takes(w, "r", "1");
}

static void who_writes_second_takes_the_choice_of_the_first(void **state)
{
    struct here *w = *state;
    char last[80];

    make_crd(w, false);
    make_session(w, "r");
    of(w, "r");
    back_up(w);
    w->before_patch = another_is_faster;
    takes(w, "r", "0");
    assert_null(w->before_patch);
    (void)snprintf(last, sizeof(last), "%s", w->took);
    takes(w, "r", "1");
    assert_string_equal(w->took, last);
    make_session(w, "later");
    of(w, "later");
    takes(w, "later", "0");
    assert_string_equal(w->took, last); /* it was the newer one */
}

static void what_the_others_took_is_never_replaced(void **state)
{
    struct here *w = *state;

    make_crd(w, false);
    make_session(w, "r");
    of(w, "r");
    back_up(w);
    takes(w, "r", "0");
    in_repository(w, "restic forget latest");
    back_up(w);
    assert_int_equal(choose(w, "r", "1"), ERR_NOTFOUND);
    assert_non_null(strstr(w->error.msg, "which this restore began with"));
}

static void hosts_that_cannot_agree_restore_nothing(void **state)
{
    struct here *w = *state;

    make_crd(w, true); /* what is written is dropped */
    make_session(w, "r");
    of(w, "r");
    back_up(w);
    assert_int_equal(choose(w, "r", "0"), ERR_INVALID);
    assert_non_null(strstr(w->error.msg, "the CRD of RestoreSession has no status.snapshots"));
    (void)snprintf(w->uid, sizeof(w->uid), "another");
    assert_int_equal(choose(w, "r", "0"), ERR_INVALID);
    assert_non_null(strstr(w->error.msg, "it was deleted and made anew"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(all_hosts_take_what_the_first_has_chosen_and_so_does_a_repetition),
        T(who_writes_second_takes_the_choice_of_the_first),
        T(what_the_others_took_is_never_replaced),
        T(hosts_that_cannot_agree_restore_nothing),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
