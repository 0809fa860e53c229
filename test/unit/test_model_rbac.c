/* test_model_rbac: who may do what: Roles and bindings, what may be granted, tokens, impersonation, reviews. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_model.h"

#define RBAC "/apis/rbac.authorization.k8s.io/v1"
#define PUBLIC "/api/v1/namespaces/kube-public"

static int set_up(void **state)
{
    struct test_model *t = calloc(1, sizeof(*t));

    test_model_init(t, 0, true);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    test_model_done(*state);
    free(*state);
    return 0;
}

/* The status that a request of this subject gets, with these headers. */
static int ask(struct test_model *t, const char *subject, const char *headers, const char *method, const char *path,
               const char *body)
{
    struct test_serve s;
    int status;

    test_serve(t, &s, subject, method, path, headers, body);
    status = s.status;
    test_serve_done(&s);
    return status;
}

static void grant(struct test_model *t, const char *user, const char *rules)
{
    char body[2048];

    (void)snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"r-%s\"},\"rules\":%s}", user, rules);
    test_model_ok(t, "POST", RBAC "/namespaces/kube-public/roles", body, 201);
    (void)snprintf(
        body, sizeof(body),
        "{\"metadata\":{\"name\":\"b-%s\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"
        "\"Role\",\"name\":\"r-%s\"},\"subjects\":[{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"User\","
        "\"name\":\"%s\"}]}",
        user, user, user);
    test_model_ok(t, "POST", RBAC "/namespaces/kube-public/rolebindings", body, 201);
}

static void rules_say_what_is_allowed(void **state)
{
    struct test_model *t = *state;
    static const struct {
        const char *method, *path;
        int status;
    } rows[] = {
        {"GET", PUBLIC "/pods", 200},
        {"GET", PUBLIC "/pods?watch=true&timeoutSeconds=1", 403},
        {"GET", PUBLIC "/pods/x", 403},
        {"GET", PUBLIC "/configmaps/one", 404}, /* allowed, but not there */
        {"GET", PUBLIC "/configmaps/two", 403},
        {"GET", PUBLIC "/configmaps", 403},
        {"GET", PUBLIC "/configmaps?fieldSelector=metadata.name%3Done", 200}, /* list is allowed by that name */
        {"GET", PUBLIC "/configmaps?fieldSelector=metadata.name%3Dtwo", 403},
        {"GET", PUBLIC "/configmaps?fieldSelector=metadata.name!%3Done", 403},
        {"PATCH", PUBLIC "/pods/x/status", 404},
        {"PATCH", PUBLIC "/pods/x", 403},
        {"GET", "/api/v1/namespaces/default/pods", 403},
        {"GET", "/api/v1/pods", 403},
        {"GET", "/api/v1/nodes", 403},
        {"DELETE", PUBLIC "/pods", 403},
        {"GET", "/version", 200},
        {"GET", "/metrics", 403},
    };

    grant(t, "ann",
          "[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"list\"]},"
          "{\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],\"resourceNames\":[\"one\"],\"verbs\":[\"get\","
          "\"list\"]},"
          "{\"apiGroups\":[\"\"],\"resources\":[\"pods/status\"],\"verbs\":[\"*\"]}]");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int got = ask(t, "CN=ann", "content-type: application/merge-patch+json", rows[i].method, rows[i].path,
                      strcmp(rows[i].method, "PATCH") == 0 ? "{}" : NULL);

        if (got != rows[i].status)
            print_error("%s %s: %d\n", rows[i].method, rows[i].path, got);
        assert_int_equal(got, rows[i].status);
    }
    assert_int_equal(ask(t, "CN=bob", NULL, "GET", PUBLIC "/pods", NULL), 403);
    assert_int_equal(ask(t, "CN=bob,O=system:masters", NULL, "GET", PUBLIC "/pods", NULL), 200);
}

static void refusal_names_user_and_resource(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    json_t *answer;

    test_serve(t, &s, "CN=ann", "GET", PUBLIC "/pods/x", NULL, NULL);
    answer = test_serve_json(&s);
    assert_string_equal(json_text(answer, "message"),
                        "pods \"x\" is forbidden: User \"ann\" cannot get resource \"pods\" in API group \"\" in the "
                        "namespace \"kube-public\"");
    assert_string_equal(json_text(answer, "reason"), "Forbidden");
    json_decref(answer);
    test_serve_done(&s);
}

static void nobody_grants_what_he_has_not(void **state)
{
    struct test_model *t = *state;
    const char *roles = RBAC "/namespaces/kube-public/roles", *bindings = RBAC "/namespaces/kube-public/rolebindings";
    static const char *const binding =
        "{\"metadata\":{\"name\":\"x\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"
        "\"ClusterRole\","
        "\"name\":\"%s\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"a\",\"namespace\":\"kube-public\"}]}";
    char body[1024];

    grant(
        t, "ann",
        "[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\",\"list\"]},"
        "{\"apiGroups\":[\"rbac.authorization.k8s.io\"],\"resources\":[\"roles\",\"rolebindings\"],\"verbs\":["
        "\"create\"]},"
        "{\"apiGroups\":[\"rbac.authorization.k8s.io\"],\"resources\":[\"clusterroles\"],\"resourceNames\":[\"view\"],"
        "\"verbs\":[\"bind\"]}]");
    assert_int_equal(ask(t, "CN=ann", NULL, "POST", roles,
                         "{\"metadata\":{\"name\":\"ok\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],"
                         "\"resourceNames\":[\"p\"],\"verbs\":[\"get\"]}]}"),
                     201);
    assert_int_equal(ask(t, "CN=ann", NULL, "POST", roles,
                         "{\"metadata\":{\"name\":\"no\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],"
                         "\"verbs\":[\"get\",\"delete\"]}]}"),
                     403);
    assert_int_equal(ask(t, "CN=ann", NULL, "POST", roles,
                         "{\"metadata\":{\"name\":\"no\"},\"rules\":[{\"apiGroups\":[\"*\"],\"resources\":[\"pods\"],"
                         "\"verbs\":[\"get\"]}]}"),
                     403);
    (void)snprintf(body, sizeof(body), binding, "view");
    assert_int_equal(ask(t, "CN=ann", NULL, "POST", bindings, body), 201);
    (void)snprintf(body, sizeof(body), binding, "edit");
    assert_int_equal(ask(t, "CN=ann", NULL, "POST", bindings, body), 403);
    (void)snprintf(body, sizeof(body), binding, "cluster-admin");
    assert_int_equal(ask(t, "CN=ann", NULL, "POST", bindings, body), 403);
}

static void labelled_cluster_roles_are_collected(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *view;

    test_model_ok(
        t, "POST", RBAC "/clusterroles",
        "{\"metadata\":{\"name\":\"w-view\",\"labels\":{\"rbac.authorization.k8s.io/aggregate-to-view\":\"true\"}},"
        "\"rules\":[{\"apiGroups\":[\"w.io\"],\"resources\":[\"ws\"],\"verbs\":[\"get\"]}]}",
        201);
    test_env_settle(&t->env);
    for (int i = 0; i < 2; i++) { /* edit and admin take in what view has */
        char *text;

        view = test_model_do(t, "GET", i ? RBAC "/clusterroles/admin" : RBAC "/clusterroles/view", NULL, &status);
        text = json_dumps(json_object_get(view, "rules"), JSON_COMPACT);
        assert_non_null(strstr(text, "\"w.io\""));
        mem_free(text);
        json_decref(view);
    }
}

static void account_tokens_live_until_they_expire(void **state)
{
    struct test_model *t = *state;
    char *token, *headers;

    test_model_ok(t, "POST", PUBLIC "/serviceaccounts", "{\"metadata\":{\"name\":\"bot\"}}", 201);
    grant(t, "system:serviceaccount:kube-public:bot",
          "[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"list\"]}]");
    assert_null(model_account_token(t->m, "kube-public", "none", 600));
    token = model_account_token(t->m, "kube-public", "bot", 600);
    headers = mem_printf("authorization: Bearer %s", token);
    assert_int_equal(ask(t, "", headers, "GET", PUBLIC "/pods", NULL), 200);
    assert_int_equal(ask(t, "", headers, "GET", PUBLIC "/secrets", NULL), 403);
    assert_int_equal(ask(t, "", "authorization: Bearer nonsense", "GET", PUBLIC "/pods", NULL), 401);
    assert_int_equal(ask(t, "", NULL, "GET", PUBLIC "/pods", NULL), 403); /* anonymous */
    assert_int_equal(ask(t, "", NULL, "GET", "/livez", NULL), 200);
    headers[strlen(headers) - 2] = headers[strlen(headers) - 2] == 'A' ? 'B' : 'A';
    assert_int_equal(ask(t, "", headers, "GET", PUBLIC "/pods", NULL), 401);
    mem_free(headers);
    headers = mem_printf("authorization: Bearer %s", token);
    test_env_advance(&t->env, 601 * 1000);
    assert_int_equal(ask(t, "", headers, "GET", PUBLIC "/pods", NULL), 401);
    mem_free(headers);
    mem_free(token);
}

static void token_dies_with_its_account(void **state)
{
    struct test_model *t = *state;
    char *token, *headers;
    int status;
    json_t *answer;

    test_model_ok(t, "POST", PUBLIC "/serviceaccounts", "{\"metadata\":{\"name\":\"bot\"}}", 201);
    answer = test_model_do(t, "POST", PUBLIC "/serviceaccounts/bot/token", "{\"spec\":{\"expirationSeconds\":900}}",
                           &status);
    assert_int_equal(status, 201);
    assert_string_equal(json_text(answer, "status.expirationTimestamp"), "2026-03-01T02:15:00Z");
    token = mem_strdup(json_text(answer, "status.token"));
    json_decref(answer);
    headers = mem_printf("authorization: Bearer %s", token);
    assert_int_equal(ask(t, "", headers, "GET", "/version", NULL), 200);
    test_model_ok(t, "DELETE", PUBLIC "/serviceaccounts/bot", NULL, 200);
    test_model_ok(t, "POST", PUBLIC "/serviceaccounts", "{\"metadata\":{\"name\":\"bot\"}}", 201);
    assert_int_equal(ask(t, "", headers, "GET", "/version", NULL), 401);
    mem_free(headers);
    mem_free(token);
}

static void static_tokens_name_user_and_groups(void **state)
{
    struct test_model *t = *state;

    model_add_token(t->m, "changeit", "carl", "system:masters");
    assert_int_equal(ask(t, "", "authorization: Bearer changeit", "GET", "/api/v1/nodes", NULL), 200);
    model_add_token(t->m, "changeit", "carl", "");
    assert_int_equal(ask(t, "", "authorization: Bearer changeit", "GET", "/api/v1/nodes", NULL), 403);
}

static void impersonation_needs_its_right(void **state)
{
    struct test_model *t = *state;

    assert_int_equal(ask(t, "CN=root,O=system:masters", "impersonate-user: ann", "GET", "/api/v1/nodes", NULL), 403);
    assert_int_equal(ask(t, "CN=root,O=system:masters", "impersonate-user: ann\nimpersonate-group: system:masters",
                         "GET", "/api/v1/nodes", NULL),
                     200);
    assert_int_equal(ask(t, "CN=ann", "impersonate-user: root\nimpersonate-group: system:masters", "GET", "/version",
                         NULL),
                     403);
}

static void subjects_are_read_as_rfc_2253_writes_them(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    json_t *answer;

    test_serve(t, &s, "O=a\\,b+O=c,CN=x\\+y", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", NULL, "{}");
    answer = test_serve_json(&s);
    assert_string_equal(json_text(answer, "status.userInfo.username"), "x+y");
    assert_string_equal(json_text(answer, "status.userInfo.groups.0"), "a,b");
    assert_string_equal(json_text(answer, "status.userInfo.groups.1"), "c");
    assert_string_equal(json_text(answer, "status.userInfo.groups.2"), "system:authenticated");
    json_decref(answer);
    test_serve_done(&s);
}

static bool review(struct test_model *t, const char *spec)
{
    char body[1024];
    int status;
    json_t *answer;
    bool allowed;

    (void)snprintf(body, sizeof(body), "{\"spec\":%s}", spec);
    answer = test_model_do(t, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body, &status);
    assert_int_equal(status, 201);
    allowed = json_flag(answer, "status.allowed", false);
    json_decref(answer);
    return allowed;
}

static void reviews_answer_for_others(void **state)
{
    struct test_model *t = *state;

    grant(t, "ann", "[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"list\"]}]");
    assert_true(review(t, "{\"user\":\"ann\",\"resourceAttributes\":{\"namespace\":\"kube-public\",\"verb\":\"list\","
                          "\"resource\":\"pods\"}}"));
    assert_false(review(t, "{\"user\":\"ann\",\"resourceAttributes\":{\"namespace\":\"default\",\"verb\":\"list\","
                           "\"resource\":\"pods\"}}"));
    assert_false(review(t, "{\"user\":\"ann\",\"resourceAttributes\":{\"verb\":\"list\",\"resource\":\"pods\"}}"));
    assert_true(review(t, "{\"user\":\"z\",\"groups\":[\"system:masters\"],\"nonResourceAttributes\":{\"verb\":\"get\","
                          "\"path\":\"/x\"}}"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(rules_say_what_is_allowed),
        T(refusal_names_user_and_resource),
        T(nobody_grants_what_he_has_not),
        T(labelled_cluster_roles_are_collected),
        T(account_tokens_live_until_they_expire),
        T(token_dies_with_its_account),
        T(static_tokens_name_user_and_groups),
        T(impersonation_needs_its_right),
        T(subjects_are_read_as_rfc_2253_writes_them),
        T(reviews_answer_for_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
