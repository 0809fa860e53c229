/* test_model_verbs: create, get, list, update, patch and delete as their users see them. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_model.h"

#define MAPS "/api/v1/namespaces/default/configmaps"

static int set_up(void **state)
{
    struct test_model *t = calloc(1, sizeof(*t));

    test_model_init(t, 0, false);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    test_model_done(*state);
    free(*state);
    return 0;
}

/* "status reason": what a request is answered with. */
static void assert_refused(struct test_model *t, const char *method, const char *path, const char *body, int status,
                           const char *reason)
{
    int got;
    json_t *answer = test_model_do(t, method, path, body, &got);

    assert_int_equal(got, status);
    assert_string_equal(json_text(answer, "kind"), "Status");
    assert_string_equal(json_text(answer, "reason"), reason);
    json_decref(answer);
}

static void created_object_has_what_the_server_sets(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o = test_model_do(t, "POST", MAPS, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}", &status);

    assert_int_equal(status, 201);
    assert_string_equal(json_text(o, "kind"), "ConfigMap");
    assert_string_equal(json_text(o, "apiVersion"), "v1");
    assert_string_equal(json_text(o, "metadata.namespace"), "default");
    assert_int_equal(strlen(json_text(o, "metadata.uid")), 36);
    assert_string_equal(json_text(o, "metadata.creationTimestamp"), "2026-03-01T02:00:00Z");
    assert_true(*json_text(o, "metadata.resourceVersion"));
    json_decref(o);
    assert_refused(t, "POST", MAPS, "{\"metadata\":{\"name\":\"a\"}}", 409, "AlreadyExists");
    assert_refused(t, "POST", "/api/v1/namespaces/none/configmaps", "{\"metadata\":{\"name\":\"a\"}}", 404, "NotFound");
    assert_refused(t, "POST", MAPS, "{\"metadata\":{\"name\":\"A_b\"}}", 422, "Invalid");
    assert_refused(t, "POST", MAPS, "{\"metadata\":{}}", 422, "Invalid");
    assert_refused(t, "POST", MAPS, "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"b\"}}", 400, "BadRequest");
}

/* Messages are cut; a cut within a character must not lose the refusal with its text. */
static void violation_with_a_long_text_is_refused(void **state)
{
    char body[8192] = "{\"metadata\":{\"name\":\"a\",\"labels\":{\"k\":\"";
    size_t n = strlen(body);

    for (int pad = 0; pad < 2; pad++) {
        size_t at = n;

        for (int i = 0; i < pad; i++)
            body[at++] = 'x';
        for (int i = 0; i < 1500; i++, at += 2)
            memcpy(body + at, "\303\251", 2);
        (void)snprintf(body + at, sizeof(body) - at, "\"}}}");
        assert_refused(*state, "POST", MAPS, body, 422, "Invalid");
    }
}

static void generated_names_differ(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *a = test_model_do(t, "POST", MAPS, "{\"metadata\":{\"generateName\":\"x-\"}}", &status);
    json_t *b = test_model_do(t, "POST", MAPS, "{\"metadata\":{\"generateName\":\"x-\"}}", &status);

    assert_int_equal(strlen(json_text(a, "metadata.name")), 7);
    assert_string_not_equal(json_text(a, "metadata.name"), json_text(b, "metadata.name"));
    json_decref(a);
    json_decref(b);
}

static void update_needs_the_latest_version(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o, *answer;

    test_model_ok(t, "POST", MAPS, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}", 201);
    o = test_model_do(t, "GET", MAPS "/a", NULL, &status);
    test_model_ok(t, "PATCH", MAPS "/a", "{\"data\":{\"k\":\"w\"}}", 200);
    status = model_do(t->m, "u", "PUT", MAPS "/a", o, &answer);
    assert_int_equal(status, 409);
    assert_string_equal(json_text(answer, "message"),
                        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply "
                        "your changes to the latest version and try again");
    json_decref(answer);
    json_object_del(json_object_get(o, "metadata"), "resourceVersion");
    status = model_do(t->m, "u", "PUT", MAPS "/a", o, &answer);
    assert_int_equal(status, 200);
    assert_string_equal(json_text(answer, "data.k"), "v");
    json_decref(answer);
    json_decref(o);
}

static void write_without_change_keeps_the_version(void **state)
{
    struct test_model *t = *state;
    uint64_t rv;

    test_model_ok(t, "POST", MAPS, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}", 201);
    rv = model_rv(t->m);
    test_model_ok(t, "PATCH", MAPS "/a", "{\"data\":{\"k\":\"v\"}}", 200);
    assert_int_equal(model_rv(t->m), rv);
    test_model_ok(t, "PATCH", MAPS "/a?dryRun=All", "{\"data\":{\"k\":\"w\"}}", 200);
    assert_int_equal(model_rv(t->m), rv);
}

static void lists_select_by_labels_and_fields(void **state)
{
    struct test_model *t = *state;
    static const struct {
        const char *query;
        size_t n;
    } cases[] = {
        {"", 3},
        {"?labelSelector=app%3Dx", 2},
        {"?labelSelector=app!%3Dx", 1},
        {"?labelSelector=app+in+(x,y)", 3},
        {"?labelSelector=app+notin+(x)", 1},
        {"?labelSelector=tier", 1},
        {"?labelSelector=!tier", 2},
        {"?labelSelector=app%3Dx,tier%3D%3Da", 1},
        {"?fieldSelector=metadata.name%3Db", 1},
        {"?fieldSelector=metadata.name!%3Db", 2},
    };

    test_model_ok(t, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"n\"}}", 201);
#define N "/api/v1/namespaces/n/secrets"
    test_model_ok(t, "POST", N, "{\"metadata\":{\"name\":\"a\",\"labels\":{\"app\":\"x\",\"tier\":\"a\"}}}", 201);
    test_model_ok(t, "POST", N, "{\"metadata\":{\"name\":\"b\",\"labels\":{\"app\":\"x\"}}}", 201);
    test_model_ok(t, "POST", N, "{\"metadata\":{\"name\":\"c\",\"labels\":{\"app\":\"y\"}}}", 201);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[256];
        int status;
        json_t *list;

        (void)snprintf(path, sizeof(path), N "%s", cases[i].query);
        list = test_model_do(t, "GET", path, NULL, &status);
        assert_int_equal(status, 200);
        assert_string_equal(json_text(list, "kind"), "SecretList");
        if (json_array_size(json_object_get(list, "items")) != cases[i].n)
            print_error("%s\n", path);
        assert_int_equal(json_array_size(json_object_get(list, "items")), cases[i].n);
        json_decref(list);
    }
    assert_refused(t, "GET", N "?fieldSelector=data.x%3D1", NULL, 400, "BadRequest");
    assert_refused(t, "GET", N "?labelSelector=%3D1", NULL, 400, "BadRequest");
#undef N
}

static void pages_show_one_state_of_the_world(void **state)
{
    struct test_model *t = *state;
    char path[512];
    json_t *page;
    int status;

    test_model_ok(t, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"n\"}}", 201);
#define N "/api/v1/namespaces/n/secrets"
    for (char c = 'a'; c <= 'e'; c++) {
        (void)snprintf(path, sizeof(path), "{\"metadata\":{\"name\":\"%c\"}}", c);
        test_model_ok(t, "POST", N, path, 201);
    }
    page = test_model_do(t, "GET", N "?limit=2", NULL, &status);
    assert_string_equal(json_text(page, "items.1.metadata.name"), "b");
    assert_int_equal(json_int(page, "metadata.remainingItemCount", 0), 3);
    test_model_ok(t, "DELETE", N "/c", NULL, 200);
    test_model_ok(t, "POST", N, "{\"metadata\":{\"name\":\"bb\"}}", 201);
    (void)snprintf(path, sizeof(path), N "?limit=2&continue=%s", json_text(page, "metadata.continue"));
    json_decref(page);
    page = test_model_do(t, "GET", path, NULL, &status);
    assert_int_equal(status, 200);
    assert_string_equal(json_text(page, "items.0.metadata.name"), "c");
    assert_string_equal(json_text(page, "items.1.metadata.name"), "d");
    json_decref(page);
    model_compact(t->m, model_rv(t->m));
    assert_refused(t, "GET", path, NULL, 410, "Expired");
#undef N
}

static void finalizers_hold_what_is_deleted(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o;

    test_model_ok(t, "POST", MAPS, "{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x.io/f\"]}}", 201);
    test_model_ok(t, "DELETE", MAPS "/a", NULL, 200);
    o = test_model_do(t, "GET", MAPS "/a", NULL, &status);
    assert_string_equal(json_text(o, "metadata.deletionTimestamp"), "2026-03-01T02:00:00Z");
    json_decref(o);
    assert_refused(t, "PATCH", MAPS "/a", "{\"metadata\":{\"finalizers\":[\"x.io/f\",\"x.io/g\"]}}", 422, "Invalid");
    test_model_ok(t, "PATCH", MAPS "/a", "{\"metadata\":{\"finalizers\":null}}", 200);
    assert_refused(t, "GET", MAPS "/a", NULL, 404, "NotFound");
}

static void delete_keeps_to_its_preconditions(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o, *options;

    test_model_ok(t, "POST", MAPS, "{\"metadata\":{\"name\":\"a\"}}", 201);
    assert_refused(t, "DELETE", MAPS "/a", "{\"preconditions\":{\"uid\":\"other\"}}", 409, "Conflict");
    assert_refused(t, "DELETE", MAPS "/a", "{\"preconditions\":{\"resourceVersion\":\"1\"}}", 409, "Conflict");
    o = test_model_do(t, "GET", MAPS "/a", NULL, &status);
    options = json_pack("{s:{s:s}}", "preconditions", "uid", json_text(o, "metadata.uid"));
    assert_int_equal(model_do(t->m, "u", "DELETE", MAPS "/a", options, NULL), 200);
    json_decref(options);
    json_decref(o);
    assert_refused(t, "DELETE", MAPS "/a", NULL, 404, "NotFound");
}

static void collections_are_deleted_by_selector(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *list;

    test_model_ok(t, "POST", MAPS, "{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":\"1\"}}}", 201);
    test_model_ok(t, "POST", MAPS, "{\"metadata\":{\"name\":\"b\",\"labels\":{\"x\":\"1\"}}}", 201);
    test_model_ok(t, "POST", MAPS, "{\"metadata\":{\"name\":\"c\"}}", 201);
    list = test_model_do(t, "DELETE", MAPS "?labelSelector=x%3D1", NULL, &status);
    assert_string_equal(json_text(list, "kind"), "ConfigMapList");
    assert_int_equal(json_array_size(json_object_get(list, "items")), 2);
    json_decref(list);
    list = test_model_do(t, "GET", MAPS "?fieldSelector=metadata.name!%3Dkube-root-ca.crt", NULL, &status);
    assert_int_equal(json_array_size(json_object_get(list, "items")), 1);
    assert_string_equal(json_text(list, "items.0.metadata.name"), "c");
    json_decref(list);
}

static void secrets_fold_their_string_data(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o =
        test_model_do(t, "POST", "/api/v1/namespaces/default/secrets",
                      "{\"metadata\":{\"name\":\"s\"},\"data\":{\"a\":\"eA==\"},\"stringData\":{\"b\":\"changeit\"}}",
                      &status);

    assert_int_equal(status, 201);
    assert_string_equal(json_text(o, "data.a"), "eA==");
    assert_string_equal(json_text(o, "data.b"), "Y2hhbmdlaXQ=");
    assert_null(json_object_get(o, "stringData"));
    assert_string_equal(json_text(o, "type"), "Opaque");
    json_decref(o);
}

static void unknown_paths_and_methods_are_refused(void **state)
{
    struct test_model *t = *state;

    assert_refused(t, "GET", "/apis/none.io/v1/things", NULL, 404, "NotFound");
    assert_refused(t, "GET", "/api/v1/nothings", NULL, 404, "NotFound");
    assert_refused(t, "GET", MAPS "/a/status", NULL, 404, "NotFound");
    assert_refused(t, "PUT", MAPS, "{}", 405, "MethodNotAllowed");
    assert_refused(t, "POST", "/api/v1/configmaps", "{}", 405, "MethodNotAllowed");
    assert_refused(t, "DELETE", "/api/v1/namespaces/kube-system", NULL, 403, "Forbidden");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(created_object_has_what_the_server_sets),
        T(violation_with_a_long_text_is_refused),
        T(generated_names_differ),
        T(update_needs_the_latest_version),
        T(write_without_change_keeps_the_version),
        T(lists_select_by_labels_and_fields),
        T(pages_show_one_state_of_the_world),
        T(finalizers_hold_what_is_deleted),
        T(delete_keeps_to_its_preconditions),
        T(collections_are_deleted_by_selector),
        T(secrets_fold_their_string_data),
        T(unknown_paths_and_methods_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
