/*
 * test_session_cost: what a session asks of the API server in its whole life, from the due second to rest: the operator
 * as it is on the model API server, each request counted by verb and resource. These numbers are the price of a backup
 * in a cluster with thousands of them; a change that raises one has to say why.
 */
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "controllers/operator.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/model.h"
#include "support_env.h"
#include "support_world.h"

enum { N_ASKED = 64, TICK_S = 20, N = 10 };

/* Stands in front of the model and notes what is asked. */
struct counter {
    struct http_peer peer; /* first */
    struct http_peer *inner;
    struct {
        char what[80]; /* "PATCH backupsessions/status" */
        unsigned n;
    } asked[N_ASKED];
    size_t n;
    unsigned n_pod_lists, n_job_lists, n_lists; /* of watches; of other kinds */
};

struct cluster {
    struct test_env env;
    struct model *model;
    struct http_peer *peer;
    struct counter counter;
    struct kube kube;
    struct log log;
    struct operator_settings settings;
    struct registry *registry;
    struct operator *operator;
    const char *identity; /* NULL: no Lease */
    bool stopped;
    size_t live;
};

/* ---- counting ---- */

/* The resource of "/apis/<group>/<version>/namespaces/<ns>/<plural>/<name>/<subresource>?…", with its subresource. */
static void describe(const struct http_call *call, char out[80])
{
    struct str path = str_of(call->path), part = STR_NONE, plural = STR_NONE, sub = STR_NONE;
    int n = 0, at;

    (void)str_cut(&path, '?', &part);
    path = part;
    (void)str_cut(&path, '/', &part); /* before the first slash */
    (void)str_cut(&path, '/', &part);
    at = str_is(part, "api") ? 1 : 2;
    while (str_cut(&path, '/', &part)) {
        if (n == at && str_is(part, "namespaces") && path.n && memchr(path.p, '/', path.n)) {
            (void)str_cut(&path, '/', &part); /* the namespace's name */
            continue;
        }
        if (n == at)
            plural = part;
        else if (n == at + 2)
            sub = part;
        n++;
    }
    (void)snprintf(out, 80, "%s %.*s%s%.*s", call->method, (int)plural.n, plural.p ? plural.p : "", sub.n ? "/" : "",
                   (int)sub.n, sub.n ? sub.p : "");
}

static void start_call(struct http_peer *peer, struct http_call *call)
{
    struct counter *c = (struct counter *)(void *)peer;
    char what[80];
    size_t i = 0;

    describe(call, what);
    if (strstr(call->path, "sendInitialEvents=true"))
        ++*(strcmp(what, "GET pods") == 0 ? &c->n_pod_lists
            : strcmp(what, "GET jobs") == 0 ? &c->n_job_lists : &c->n_lists);
    if (!strstr(call->path, "watch=true")) {
        while (i < c->n && strcmp(c->asked[i].what, what) != 0)
            i++;
        assert_true(i < N_ASKED);
        if (i == c->n) {
            (void)snprintf(c->asked[c->n].what, sizeof(c->asked[c->n].what), "%s", what);
            c->asked[c->n++].n = 0;
        }
        c->asked[i].n++;
    }
    http_start(c->inner, call);
}

static void cancel_call(struct http_peer *peer, struct http_call *call)
{
    http_cancel(((struct counter *)(void *)peer)->inner, call);
}

static const struct http_peer_ops counter_ops = {start_call, cancel_call};

static unsigned asked(const struct cluster *c, const char *what)
{
    for (size_t i = 0; i < c->counter.n; i++)
        if (strcmp(c->counter.asked[i].what, what) == 0)
            return c->counter.asked[i].n;
    return 0;
}

static unsigned asked_by(const struct cluster *c, const char *verb)
{
    unsigned n = 0;

    for (size_t i = 0; i < c->counter.n; i++)
        if (str_starts(str_of(c->counter.asked[i].what), str_of(verb)))
            n += c->counter.asked[i].n;
    return n;
}

static void print_asked(const struct cluster *c)
{
    for (size_t i = 0; i < c->counter.n; i++)
        print_message("    %3u %s\n", c->counter.asked[i].n, c->counter.asked[i].what);
}

/* ---- the cluster ---- */

static json_t *ask(struct cluster *c, const char *method, const char *path, json_t *body_take, int want)
{
    json_t *answer = NULL;
    int status = model_do(c->model, "admin", method, path, body_take, &answer);

    if (status != want)
        fail_msg("%s %s: %d %s", method, path, status, json_text(answer, "message"));
    json_decref(body_take);
    return answer;
}

static void make(struct cluster *c, const char *path, const char *yaml)
{
    json_decref(ask(c, "POST", path, test_yaml(yaml), 201));
}

static void make_crds(struct cluster *c)
{
    static const char folder[] = TEST_DATA "/../../../chart/templates/crds";
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);

    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        AUTO_FREE char *file = mem_printf("%s/%s", folder, names[i]->d_name);
        char *text = NULL;
        size_t cap = 0;

        if (names[i]->d_name[0] != '.') {
            FILE *f = fopen(file, "re");

            assert_non_null(f);
            assert_true(getdelim(&text, &cap, '\0', f) > 0);
            (void)fclose(f);
            make(c, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", text);
            free(text); /* getdelim's */
        }
        free(names[i]);
    }
    free(names);
}

#define STASH "/apis/stash.appscode.com/"
#define SESSIONS STASH "v1beta1/namespaces/shop/backupsessions"
#define CONFIGURATIONS STASH "v1beta1/namespaces/shop/backupconfigurations"

static void make_catalogue(struct cluster *c)
{
    make(c, STASH "v1beta1/functions",
         "{apiVersion: stash.appscode.com/v1beta1, kind: Function, metadata: {name: dump}, spec: {image: 'worker:1'}}");
    make(c, STASH "v1beta1/functions",
         "{apiVersion: stash.appscode.com/v1beta1, kind: Function, metadata: {name: update-status}, spec: {image: "
         "'stashd:1', args: [update-status]}}");
    make(c, STASH "v1beta1/tasks",
         "{apiVersion: stash.appscode.com/v1beta1, kind: Task, metadata: {name: pxc-backup}, spec: {steps: [{name: "
         "dump}, {name: update-status}]}}");
    make(c, "/api/v1/namespaces", "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
    make(c, STASH "v1alpha1/namespaces/shop/repositories",
         "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo}, spec: {backend: {s3: "
         "{endpoint: s3.example.org, bucket: b, prefix: /demo}, storageSecretName: storage}}}");
}

/* Each with a database of its own: sessions of one target wait for each other. */
static void make_configuration(struct cluster *c, const char *name)
{
    AUTO_FREE char *app =
        mem_printf("{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, metadata: {name: %s}, spec: "
                   "{type: kubedb.com/perconaxtradb, clientConfig: {service: {scheme: mysql, name: %s, port: 3306}}, "
                   "secret: {name: auth}}}",
                   name, name);
    AUTO_FREE char *config =
        mem_printf("{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: %s}, spec: "
                   "{schedule: '0 * * * *', task: {name: pxc-backup}, repository: {name: repo}, target: {ref: "
                   "{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: %s}}, retentionPolicy: "
                   "{name: keep, keepLast: 5, prune: true}}}",
                   name, name);

    make(c, "/apis/appcatalog.appscode.com/v1alpha1/namespaces/shop/appbindings", app);
    make(c, CONFIGURATIONS, config);
}

static void drop_line(void *ctx, struct str line)
{
    (void)ctx;
    (void)line;
}

static void start_operator(struct cluster *c)
{
    c->settings = (struct operator_settings){.own_namespace = "default", .image = "stashd:1",
                                             .pull_policy = "IfNotPresent", .fullname = "stashd",
                                             .pushgateway_url = "", .job_ttl_s = 3600,
                                             .job_default_timeout_s = 86400, .pod_start_timeout_s = 900,
                                             .catch_up_s = 600};
    c->peer = model_peer_new(c->model, "stashd", "system:masters");
    c->counter = (struct counter){.peer = {&counter_ops}, .inner = c->peer};
    c->log = (struct log){.env = &c->env.env, .write = drop_line};
    c->kube = (struct kube){.env = &c->env.env, .log = &c->log,
                            .peers = {&c->counter.peer, &c->counter.peer, &c->counter.peer}};
    c->registry = registry_new();
    c->operator = operator_new(&(struct operator_options){.env = &c->env.env, .kube = &c->kube, .log = &c->log,
                                                          .settings = &c->settings, .registry = c->registry,
                                                          .concurrency = 64, .identity = c->identity});
    operator_start(c->operator);
}

static int setup(void **state)
{
    size_t live;
    struct cluster *c;

    mem_install(1);
    live = mem_live();
    c = mem_zalloc(sizeof(*c));
    c->live = live;
    test_env_init(&c->env);
    c->model = model_new(&(struct model_options){.env = &c->env.env, .seed = 1});
    model_start(c->model);
    make_crds(c);
    make_catalogue(c);
    *state = c;
    return 0;
}

static void stopped(void *ctx)
{
    ((struct cluster *)ctx)->stopped = true;
}

static int teardown(void **state)
{
    struct cluster *c = *state;
    size_t live = c->live;

    operator_stop(c->operator, stopped, c);
    for (int i = 0; i < 10 && !c->stopped; i++)
        test_env_advance(&c->env, 100);
    assert_true(c->stopped);
    operator_free(c->operator);
    registry_free(c->registry);
    model_peer_free(c->peer);
    model_free(c->model);
    test_env_done(&c->env);
    mem_free(c);
    assert_int_equal(mem_live(), live);
    return 0;
}

/* ---- kubelet and worker ---- */

static void report(struct cluster *c, const char *session)
{
    AUTO_FREE char *path = mem_printf(SESSIONS "/%s", session);
    AUTO_FREE char *status = mem_printf("%s/status", path);
    json_t *o = ask(c, "GET", path, NULL, 200), *targets = json_deep_copy(json_at(o, "status.targets"));

    assert_int_equal(json_array_size(targets), 1); /* the operator said what is to be done before the pod was there */
    json_object_set_new(json_array_get(targets, 0), "stats",
                        test_yaml("[{hostname: host-0, phase: Succeeded, duration: 3s}]"));
    json_decref(ask(c, "PATCH", status, json_pack("{s:{s:o}}", "status", "targets", targets), 200));
    json_decref(o);
}

static void end_pod(struct cluster *c, const json_t *pod)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/pods/%s/status", json_text(pod, "metadata.namespace"),
                                      json_text(pod, "metadata.name"));
    const char *session = json_meta(pod, "labels", "stash.appscode.com/session");

    if (strcmp(json_text(pod, "status.phase"), "Succeeded") == 0)
        return;
    if (*session)
        report(c, session);
    json_decref(ask(c, "PATCH", path, test_yaml("{status: {phase: Succeeded}}"), 200));
}

/* Pods end at the next tick after they were made. */
static void pass_time(struct cluster *c, unsigned s)
{
    for (; s; s -= s < TICK_S ? s : TICK_S) {
        json_t *pods, *pod;
        size_t i;

        test_env_advance(&c->env, TICK_S * 1000);
        pods = ask(c, "GET", "/api/v1/pods", NULL, 200);
        json_array_foreach (json_object_get(pods, "items"), i, pod)
            end_pod(c, pod);
        json_decref(pods);
    }
}

static unsigned succeeded(struct cluster *c)
{
    json_t *list = ask(c, "GET", SESSIONS, NULL, 200), *o;
    unsigned n = 0;
    size_t i;

    json_array_foreach (json_object_get(list, "items"), i, o) {
        const char *phase = json_text(o, "status.phase");

        if (strcmp(phase, "Succeeded") != 0)
            fail_msg("%s is %s", json_text(o, "metadata.name"), phase);
        n++;
    }
    json_decref(list);
    return n;
}

/* The world starts at 02:00:00; all is judged by 02:10, and what comes then is counted. */
static void settle(struct cluster *c)
{
    start_operator(c);
    pass_time(c, 600);
    c->counter.n = 0;
}

/* ---- the prices ---- */

static void a_session_costs_four_writes_and_its_own(void **state)
{
    struct cluster *c = *state;

    make_configuration(c, "db");
    settle(c);
    pass_time(c, 3600); /* the first in its namespace: accounts, catalogue */
    assert_int_equal(succeeded(c), 1);
    c->counter.n = 0;
    pass_time(c, 3600);
    assert_int_equal(succeeded(c), 1); /* and the one before is gone: history is one */
    print_asked(c);
    assert_int_equal(asked(c, "POST backupsessions"), 1);
    assert_int_equal(asked(c, "PATCH backupconfigurations"), 1); /* the due time is handled */
    assert_int_equal(asked(c, "POST jobs"), 1);
    assert_int_equal(asked(c, "PATCH backupsessions/status"), 3); /* Pending, Running, the end and what follows */
    assert_int_equal(asked(c, "DELETE backupsessions"), 1);       /* history */
    assert_int_equal(asked(c, "POST events") + asked(c, "PATCH events"), 1); /* BackupSession Created */
    assert_int_equal(asked_by(c, "PATCH"), 4 + asked(c, "PATCH events"));
    assert_int_equal(asked_by(c, "POST"), 2 + asked(c, "POST events"));
    assert_int_equal(asked_by(c, "GET"), 1); /* is the success still there that history would leave alone? */
}

static void sessions_of_one_second_make_their_accounts_once(void **state)
{
    struct cluster *c = *state;

    for (int i = 0; i < N; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "db-%d", i);
        make_configuration(c, name);
    }
    settle(c);
    pass_time(c, 3600);
    assert_int_equal(succeeded(c), N);
    print_asked(c);
    assert_int_equal(asked(c, "PATCH serviceaccounts"), 1);
    assert_int_equal(asked(c, "PATCH rolebindings"), 1);
    assert_int_equal(asked(c, "POST jobs"), N);
    assert_int_equal(asked(c, "PATCH backupsessions/status"), 3 * N);
    assert_int_equal(asked(c, "GET backupsessions"), 0);
    assert_int_equal(asked(c, "GET jobs"), 0);
    assert_int_equal(asked(c, "GET appbindings"), N); /* the first time; what nobody changes is kept */
    assert_int_equal(asked_by(c, "GET"), N + 3);       /* and the catalogue, once for all */
}

/* Its own watches may be behind what the one before it has made. */
static void who_gets_the_lead_lists_jobs_and_pods_anew(void **state)
{
    struct cluster *c = *state;

    c->identity = "stashd-0_1";
    start_operator(c);
    for (int i = 0; i < 30 && !operator_leads(c->operator); i++)
        test_env_advance(&c->env, 1000);
    test_env_advance(&c->env, 1000);
    assert_true(operator_leads(c->operator));
    assert_int_equal(c->counter.n_pod_lists, 2);
    assert_int_equal(c->counter.n_job_lists, 2);
    make_configuration(c, "db");
    pass_time(c, 3660);
    assert_int_equal(succeeded(c), 1); /* and works */
    assert_int_equal(c->counter.n_pod_lists, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_costs_four_writes_and_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_of_one_second_make_their_accounts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_gets_the_lead_lists_jobs_and_pods_anew, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
