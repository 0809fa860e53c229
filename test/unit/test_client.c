/* test_client: what goes out for each verb, and what each kind of answer is to the caller. */
#include "test.h"

#include <jansson.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/auth.h"
#include "k8s/client.h"
#include "support_env.h"
#include "support_peer.h"

struct world {
    struct test_env env;
    struct test_peer peer;
    struct kube kube;
    struct kube_call call;
    /* what on_done heard */
    unsigned n_done;
    int rc;
    struct error error;
    json_t *object;
    /* what on_request heard */
    char verb[16];
    int status;
    size_t live;
};

static void on_request(void *ctx, const char *verb, const struct kind *k, int status)
{
    struct world *w = ctx;

    (void)k;
    (void)snprintf(w->verb, sizeof(w->verb), "%s", verb);
    w->status = status;
}

static void on_done(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct world *w = c->data;

    w->n_done++;
    w->rc = rc;
    w->error = e ? *e : (struct error){0};
    json_decref(w->object);
    w->object = json_incref((json_t *)(uintptr_t)object);
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    test_env_init(&w->env);
    test_peer_init(&w->peer, &w->env);
    w->live = live;
    w->kube = (struct kube){.env = &w->env.env,
                            .peers = {&w->peer.peer, &w->peer.peer, &w->peer.peer},
                            .user_agent = "stashd/test",
                            .on_request = on_request,
                            .ctx = w};
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    json_decref(w->object);
    test_peer_done(&w->peer);
    test_env_done(&w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static struct http_call *start(struct world *w, struct kube_call call)
{
    w->call = call;
    w->call.on_done = on_done;
    w->call.data = w;
    kube_start(&w->kube, &w->call);
    return test_peer_first(&w->peer);
}

static struct kube_call get_pod(void)
{
    return (struct kube_call){.verb = KUBE_GET, .kind = kind_get(KIND_POD), .ns = "demo", .name = "p"};
}

static void a_get_asks_for_the_object_and_hands_it_over(void **state)
{
    struct world *w = *state;
    struct http_call *h = start(w, get_pod());

    assert_string_equal(h->method, "GET");
    assert_string_equal(h->path, "/api/v1/namespaces/demo/pods/p");
    assert_string_equal(test_peer_header(h, "accept"), "application/json");
    assert_string_equal(test_peer_header(h, "user-agent"), "stashd/test");
    assert_string_equal(test_peer_header(h, "authorization"), "");
    assert_int_equal(h->timeout_ms, 30000);
    test_peer_head(h, 200, NULL);
    test_peer_data(h, "{\"kind\":");
    test_peer_data(h, "\"Pod\"}");
    assert_int_equal(w->n_done, 0);
    test_peer_end(h, 0);
    assert_int_equal(w->n_done, 1);
    assert_int_equal(w->rc, 0);
    assert_string_equal(json_text(w->object, "kind"), "Pod");
    assert_string_equal(w->verb, "get");
    assert_int_equal(w->status, 200);
}

static void each_verb_has_its_method_content_type_and_path(void **state)
{
    static const struct {
        enum kube_verb verb;
        const char *name, *sub, *query, *method, *type, *path, *body;
    } cases[] = {
        {KUBE_LIST, NULL, NULL, "labelSelector=a%3Db", "GET", "",
         "/apis/batch/v1/namespaces/n/jobs?labelSelector=a%3Db", NULL},
        {KUBE_CREATE, "j", NULL, NULL, "POST", "application/json", "/apis/batch/v1/namespaces/n/jobs",
         "{\"a\":1,\"apiVersion\":\"batch/v1\",\"kind\":\"Job\"}"},
        {KUBE_CREATE, "j", "eviction", NULL, "POST", "application/json", "/apis/batch/v1/namespaces/n/jobs/j/eviction",
         "{\"a\":1,\"apiVersion\":\"batch/v1\",\"kind\":\"Job\"}"},
        {KUBE_REPLACE, "j", NULL, NULL, "PUT", "application/json", "/apis/batch/v1/namespaces/n/jobs/j",
         "{\"a\":1,\"apiVersion\":\"batch/v1\",\"kind\":\"Job\"}"},
        {KUBE_PATCH, "j", "status", NULL, "PATCH", "application/merge-patch+json",
         "/apis/batch/v1/namespaces/n/jobs/j/status", "{\"a\":1}"},
        {KUBE_APPLY, "j", NULL, "dryRun=All", "PATCH", "application/apply-patch+yaml",
         "/apis/batch/v1/namespaces/n/jobs/j?fieldManager=stashd&force=true&dryRun=All",
         "{\"a\":1,\"apiVersion\":\"batch/v1\",\"kind\":\"Job\"}"},
        {KUBE_DELETE, "j", NULL, NULL, "DELETE", "application/json", "/apis/batch/v1/namespaces/n/jobs/j",
         "{\"a\":1,\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\"}"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *body = cases[i].body ? json_pack("{s:i}", "a", 1) : NULL;
        struct http_call *h =
            start(w, (struct kube_call){.verb = cases[i].verb, .kind = kind_get(KIND_JOB), .ns = "n",
                                        .name = cases[i].name, .subresource = cases[i].sub, .query = cases[i].query,
                                        .body = body, .timeout_ms = 5000});

        assert_true(!body || json_object_size(body) == 1); /* the caller's tree is as it was */
        json_decref(body);                                 /* borrowed for kube_start only */
        assert_string_equal(h->method, cases[i].method);
        assert_string_equal(h->path, cases[i].path);
        assert_string_equal(test_peer_header(h, "content-type"), cases[i].type);
        assert_int_equal(h->timeout_ms, 5000);
        if (cases[i].body) {
            char sent[300];

            (void)snprintf(sent, sizeof(sent), "%.*s", (int)h->body.n, h->body.p);
            assert_string_equal(sent, cases[i].body);
        }
        test_peer_answer(&w->peer, 200, "");
        assert_int_equal(w->rc, 0);
        assert_null(w->object);
    }
}

static void statuses_become_the_codes_of_the_header(void **state)
{
    static const struct {
        int status;
        const char *retry_after, *body;
        int rc;
        uint32_t retry_after_ms;
        const char *msg;
    } cases[] = {
        {400, NULL, "{\"message\":\"bad\"}", ERR_INVALID, 0, "bad"},
        {401, NULL, "{\"message\":\"who\"}", ERR_DENIED, 0, "who"},
        {403, NULL, "{\"message\":\"exceeded quota\",\"reason\":\"Forbidden\",\"details\":{\"causes\":[{\"reason\":"
                    "\"NamespaceTerminating\"}]}}",
         ERR_DENIED, 0, "exceeded quota"},
        {404, NULL, "", ERR_NOTFOUND, 0, "the API server answered HTTP 404"},
        {409, NULL, "{\"message\":\"m\",\"reason\":\"AlreadyExists\"}", ERR_EXISTS, 0, "m"},
        {409, NULL, "{\"message\":\"m\",\"reason\":\"Conflict\"}", ERR_CONFLICT, 0, "m"},
        {410, NULL, "{\"message\":\"m\"}", ERR_GONE, 0, "m"},
        {413, NULL, "too big", ERR_TOOBIG, 0, "the API server answered HTTP 413"},
        {422, NULL, "{\"message\":\"m\"}", ERR_INVALID, 0, "m"},
        {429, "7", "{\"message\":\"slow\"}", ERR_THROTTLED, 7000, "slow"},
        {429, NULL, "{\"message\":\"slow\",\"details\":{\"retryAfterSeconds\":2}}", ERR_THROTTLED, 2000, "slow"},
        {429, "Wed, 21 Oct 2026 07:28:00 GMT", "{}", ERR_THROTTLED, 0, "the API server answered HTTP 429"},
        {503, "1", "{}", ERR_THROTTLED, 1000, "the API server answered HTTP 503"},
        {503, NULL, "{}", ERR_NET, 0, "the API server answered HTTP 503"},
        {500, NULL, "{\"message\":\"m", ERR_NET, 0, "the API server answered HTTP 500"},
        {200, NULL, "{\"kind\":", ERR_NET, 0, NULL},
        {301, NULL, "", ERR_NET, 0, NULL},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_call *h = start(w, get_pod());

        test_peer_head(h, cases[i].status, cases[i].retry_after);
        test_peer_data(h, cases[i].body);
        test_peer_end(h, 0);
        assert_int_equal(w->n_done, i + 1);
        assert_int_equal(w->rc, cases[i].rc);
        assert_int_equal(w->error.code, cases[i].rc);
        assert_int_equal(w->error.retry_after_ms, cases[i].retry_after_ms);
        if (cases[i].msg)
            assert_string_equal(w->error.msg, cases[i].msg);
        assert_int_equal(w->call.status, cases[i].status);
        assert_null(w->object);
        if (cases[i].status == 403) {
            assert_string_equal(w->call.reason, "Forbidden");
            assert_string_equal(w->call.cause, "NamespaceTerminating");
        } else if (cases[i].status == 400) {
            assert_string_equal(w->call.reason, "");
        }
    }
}

static void a_lost_connection_is_passed_on(void **state)
{
    struct world *w = *state;

    test_peer_end(start(w, get_pod()), ERR_NET);
    assert_int_equal(w->rc, ERR_NET);
    assert_string_equal(w->error.msg, "connection lost");
    assert_int_equal(w->status, 0);
}

static void an_answer_over_the_cap_ends_the_call(void **state)
{
    static char chunk[64 * 1024 + 1];
    struct world *w = *state;
    struct http_call *h = start(w, get_pod());

    memset(chunk, ' ', sizeof(chunk) - 1);
    test_peer_head(h, 200, NULL);
    for (int i = 0; i < 65; i++)
        test_peer_data(h, chunk);
    test_env_settle(&w->env);
    assert_int_equal(w->rc, ERR_TOOBIG);
}

static void a_request_over_the_cap_never_leaves(void **state)
{
    struct world *w = *state;
    char *big = mem_zalloc(5 * 1024 * 1024);
    json_t *body;
    struct kube_call call = {.verb = KUBE_CREATE, .kind = kind_get(KIND_POD), .ns = "n"};

    memset(big, 'x', 5 * 1024 * 1024 - 1);
    body = json_pack("{s:s}", "a", big);
    call.body = body;
    assert_null(start(w, call));
    json_decref(body);
    mem_free(big);
    assert_int_equal(w->n_done, 0);
    test_env_settle(&w->env);
    assert_int_equal(w->rc, ERR_TOOBIG);
}

static void a_cancel_comes_back_in_a_later_turn(void **state)
{
    struct world *w = *state;

    (void)start(w, get_pod());
    kube_cancel(&w->call);
    assert_int_equal(w->n_done, 0);
    test_env_settle(&w->env);
    assert_int_equal(w->n_done, 1);
    assert_int_equal(w->rc, ERR_CANCELED);
    kube_cancel(&w->call);
    test_env_settle(&w->env);
    assert_int_equal(w->n_done, 1);
}

/* ---- with a token ---- */

static const char *token_in_file;
static int read_token(const char *path, struct buf *out, struct error *e)
{
    if (!token_in_file)
        return error_set(e, ERR_NOTFOUND, "%s: no such file", path);
    buf_puts(out, token_in_file);
    return 0;
}

static void a_401_is_tried_once_more_with_the_token_read_again(void **state)
{
    struct world *w = *state;

    token_in_file = "old\n";
    w->kube.auth = kube_auth_token_file(&w->env.env, "/token", read_token);
    assert_string_equal(test_peer_header(start(w, get_pod()), "authorization"), "Bearer old");
    token_in_file = "new\n";
    test_peer_answer(&w->peer, 401, "{\"message\":\"expired\"}");
    assert_int_equal(w->n_done, 0);
    assert_string_equal(test_peer_header(test_peer_first(&w->peer), "authorization"), "Bearer new");
    test_peer_answer(&w->peer, 200, "{\"kind\":\"Pod\"}");
    assert_int_equal(w->rc, 0);

    (void)start(w, get_pod());
    test_peer_answer(&w->peer, 401, "{}");
    test_peer_answer(&w->peer, 401, "{}");
    assert_int_equal(w->n_done, 2);
    assert_int_equal(w->rc, ERR_DENIED);
    kube_auth_free(w->kube.auth);
}

static void a_missing_token_fails_the_call_later(void **state)
{
    struct world *w = *state;

    token_in_file = NULL;
    w->kube.auth = kube_auth_token_file(&w->env.env, "/token", read_token);
    assert_null(start(w, get_pod()));
    assert_int_equal(w->n_done, 0);
    test_env_settle(&w->env);
    assert_int_equal(w->rc, ERR_NOTFOUND);
    assert_string_equal(w->error.msg, "token file: /token: no such file");
    kube_auth_free(w->kube.auth);
}

static struct proc *plugin;
static int plugin_start(struct test_env *t, struct proc *p, const struct proc_spec *spec, struct error *e)
{
    (void)t;
    (void)spec;
    (void)e;
    plugin = p;
    return 0;
}

static void a_call_that_waits_for_its_credential_can_be_canceled(void **state)
{
    static const char *const argv[] = {"login", NULL};
    struct world *w = *state;

    w->env.on_proc_start = plugin_start;
    w->kube.auth = kube_auth_exec(&w->env.env, argv, NULL);
    assert_null(start(w, get_pod()));
    kube_cancel(&w->call);
    test_env_settle(&w->env);
    assert_int_equal(w->rc, ERR_CANCELED);
    plugin->on_stdout(plugin, STR("{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}"));
    plugin->on_exit(plugin, 0, 0);
    assert_int_equal(w->n_done, 1);
    assert_string_equal(test_peer_header(start(w, get_pod()), "authorization"), "Bearer t");
    test_peer_answer(&w->peer, 200, "{}");
    kube_auth_free(w->kube.auth);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_get_asks_for_the_object_and_hands_it_over),
        TEST(each_verb_has_its_method_content_type_and_path),
        TEST(statuses_become_the_codes_of_the_header),
        TEST(a_lost_connection_is_passed_on),
        TEST(an_answer_over_the_cap_ends_the_call),
        TEST(a_request_over_the_cap_never_leaves),
        TEST(a_cancel_comes_back_in_a_later_turn),
        TEST(a_401_is_tried_once_more_with_the_token_read_again),
        TEST(a_missing_token_fails_the_call_later),
        TEST(a_call_that_waits_for_its_credential_can_be_canceled),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
