/* test_model_crd: kinds that come and go at run time, what discovery and tables say of them; restoring a state. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_model.h"

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define WIDGETS "/apis/example.com/v1/namespaces/default/widgets"

static const char definition[] =
    "{\"metadata\":{\"name\":\"widgets.example.com\"},\"spec\":{\"group\":\"example.com\",\"scope\":\"Namespaced\","
    "\"names\":{\"plural\":\"widgets\",\"kind\":\"Widget\",\"shortNames\":[\"wd\"],\"categories\":[\"all\"]},"
    "\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"subresources\":{\"status\":{}},"
    "\"additionalPrinterColumns\":[{\"name\":\"Size\",\"type\":\"integer\",\"jsonPath\":\".spec.size\"},"
    "{\"name\":\"Ready\",\"type\":\"string\",\"jsonPath\":\".status.conditions[?(@.type==\\\"Ready\\\")].status\"},"
    "{\"name\":\"Age\",\"type\":\"date\",\"jsonPath\":\".metadata.creationTimestamp\"}],"
    "\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":"
    "{\"size\":{\"type\":\"integer\",\"minimum\":1},\"color\":{\"type\":\"string\",\"default\":\"Red\"}}},"
    "\"status\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}}}}]}}";

static int set_up(void **state)
{
    struct test_model *t = calloc(1, sizeof(*t));

    test_model_init(t, 0, false);
    test_model_ok(t, "POST", CRDS, definition, 201);
    test_env_settle(&t->env);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    test_model_done(*state);
    free(*state);
    return 0;
}

static void definition_is_established(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o = test_model_do(t, "GET", CRDS "/widgets.example.com", NULL, &status);

    assert_string_equal(json_text(o, "status.conditions.1.type"), "Established");
    assert_string_equal(json_text(o, "status.conditions.1.status"), "True");
    assert_string_equal(json_text(o, "status.storedVersions.0"), "v1");
    assert_string_equal(json_text(o, "spec.names.listKind"), "WidgetList");
    assert_string_equal(json_text(o, "spec.names.singular"), "widget");
    json_decref(o);
    o = test_model_do(t, "GET", "/apis/example.com/v1", NULL, &status);
    assert_int_equal(status, 200);
    assert_string_equal(json_text(o, "resources.0.name"), "widgets");
    assert_string_equal(json_text(o, "resources.0.shortNames.0"), "wd");
    assert_string_equal(json_text(o, "resources.1.name"), "widgets/status");
    json_decref(o);
}

static void bad_definitions_are_refused(void **state)
{
    struct test_model *t = *state;

    test_model_ok(t, "POST", CRDS, "{\"metadata\":{\"name\":\"x.example.com\"},\"spec\":{}}", 422);
    test_model_ok(
        t, "POST", CRDS,
        "{\"metadata\":{\"name\":\"other.example.com\"},\"spec\":{\"group\":\"example.com\",\"scope\":\"Cluster\","
        "\"names\":{\"plural\":\"things\",\"kind\":\"Thing\"},\"versions\":[{\"name\":\"v1\",\"served\":true,"
        "\"storage\":true,\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}}",
        422);
    test_model_ok(
        t, "POST", CRDS,
        "{\"metadata\":{\"name\":\"things.example.com\"},\"spec\":{\"group\":\"example.com\",\"scope\":\"Cluster\","
        "\"names\":{\"plural\":\"things\",\"kind\":\"Thing\"},\"versions\":[{\"name\":\"v1\",\"served\":true,"
        "\"storage\":true,\"schema\":{\"openAPIV3Schema\":{\"type\":\"nonsense\"}}}]}}",
        422);
}

static void objects_are_defaulted_pruned_and_checked(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o = test_model_do(t, "POST", WIDGETS,
                              "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":2,\"bogus\":1},\"status\":{\"x\":1}}",
                              &status);

    assert_int_equal(status, 201);
    assert_string_equal(json_text(o, "spec.color"), "Red");
    assert_null(json_at(o, "spec.bogus"));
    assert_null(json_object_get(o, "status"));
    assert_int_equal(json_int(o, "metadata.generation", 0), 1);
    json_decref(o);
    o = test_model_do(t, "POST", WIDGETS, "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"size\":0}}", &status);
    assert_int_equal(status, 422);
    assert_string_equal(json_text(o, "details.causes.0.field"), "spec.size");
    assert_string_equal(json_text(o, "details.kind"), "Widget");
    json_decref(o);
    test_model_ok(t, "POST", WIDGETS "?fieldValidation=Strict",
                  "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"bogus\":1}}", 400);
}

static void unknown_fields_are_warned_of(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;

    test_serve(t, &s, "CN=a,O=system:masters", "POST", WIDGETS "?fieldValidation=Warn", NULL,
               "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"bogus\":1}}");
    assert_int_equal(s.status, 201);
    assert_non_null(strstr(s.head, "warning: 299 - \"unknown field \\\"spec.bogus\\\"\"\n"));
    test_serve_done(&s);
}

static void status_and_spec_are_written_apart(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o;

    test_model_ok(t, "POST", WIDGETS, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":2}}", 201);
    test_model_ok(t, "PATCH", WIDGETS "/a", "{\"status\":{\"x\":1}}", 200);
    o = test_model_do(t, "PATCH", WIDGETS "/a/status", "{\"status\":{\"x\":2},\"spec\":{\"size\":9}}", &status);
    assert_int_equal(json_int(o, "status.x", 0), 2);
    assert_int_equal(json_int(o, "spec.size", 0), 2);
    assert_int_equal(json_int(o, "metadata.generation", 0), 1);
    json_decref(o);
    o = test_model_do(t, "PATCH", WIDGETS "/a", "{\"spec\":{\"size\":3},\"status\":null}", &status);
    assert_int_equal(json_int(o, "status.x", 0), 2);
    assert_int_equal(json_int(o, "metadata.generation", 0), 2);
    json_decref(o);
}

static void tables_have_the_kinds_columns(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    json_t *table;

    test_model_ok(t, "POST", WIDGETS, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":2}}", 201);
    test_model_ok(t, "PATCH", WIDGETS "/a/status",
                  "{\"status\":{\"conditions\":[{\"type\":\"Other\",\"status\":\"no\"},{\"type\":\"Ready\",\"status\":"
                  "\"yes\"}]}}",
                  200);
    test_env_advance(&t->env, 150 * 1000);
    test_serve(t, &s, "CN=a,O=system:masters", "GET", WIDGETS, "accept: application/json;as=Table;v=v1;g=meta.k8s.io",
               NULL);
    table = test_serve_json(&s);
    assert_string_equal(json_text(table, "kind"), "Table");
    assert_true(*json_text(table, "metadata.resourceVersion"));
    assert_string_equal(json_text(table, "columnDefinitions.1.name"), "Size");
    assert_string_equal(json_text(table, "rows.0.cells.0"), "a");
    assert_int_equal(json_int(table, "rows.0.cells.1", 0), 2);
    assert_string_equal(json_text(table, "rows.0.cells.2"), "yes");
    assert_string_equal(json_text(table, "rows.0.cells.3"), "2m30s");
    json_decref(table);
    test_serve_done(&s);
}

static void kind_goes_with_its_definition(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    json_t *line;

    test_model_ok(t, "POST", WIDGETS, "{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x.io/f\"]}}", 201);
    test_serve(t, &s, "CN=a,O=system:masters", "GET", WIDGETS "?watch=1&resourceVersion=0", NULL, NULL);
    json_decref(test_serve_line(&s));
    test_model_ok(t, "DELETE", CRDS "/widgets.example.com", NULL, 200);
    test_env_settle(&t->env);
    test_model_ok(t, "GET", CRDS "/widgets.example.com", NULL, 200); /* an instance holds on */
    test_model_ok(t, "PATCH", WIDGETS "/a", "{\"metadata\":{\"finalizers\":null}}", 200);
    test_env_advance(&t->env, 2000);
    test_model_ok(t, "GET", CRDS "/widgets.example.com", NULL, 404);
    test_model_ok(t, "GET", WIDGETS, NULL, 404);
    assert_true(s.ended);
    while ((line = test_serve_line(&s)))
        json_decref(line);
    test_serve_done(&s);
}

static void versions_of_a_kind_share_their_objects(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *crd = test_model_do(t, "GET", CRDS "/widgets.example.com", NULL, &status), *o;
    json_t *old = json_deep_copy(json_at(crd, "spec.versions.0"));

    json_object_set_new(old, "name", json_string("v1beta1"));
    json_object_set_new(old, "storage", json_false());
    json_array_append_new(json_at(crd, "spec.versions"), old);
    assert_int_equal(model_do(t->m, "u", "PUT", CRDS "/widgets.example.com", crd, NULL), 200);
    json_decref(crd);
    test_model_ok(t, "POST", "/apis/example.com/v1beta1/namespaces/default/widgets", "{\"metadata\":{\"name\":\"a\"}}",
                  201);
    o = test_model_do(t, "GET", WIDGETS "/a", NULL, &status);
    assert_string_equal(json_text(o, "apiVersion"), "example.com/v1");
    json_decref(o);
    o = test_model_do(t, "GET", "/apis/example.com/v1beta1/namespaces/default/widgets", NULL, &status);
    assert_string_equal(json_text(o, "items.0.apiVersion"), "example.com/v1beta1");
    json_decref(o);
}

/* ---- restoring ---- */

struct journal {
    struct {
        uint64_t rv;
        char *key;
        json_t *object;
    } lines[256];
    size_t n;
};

static void journal_write(void *ctx, uint64_t rv, const char *key, const json_t *object)
{
    struct journal *j = ctx;

    assert_true(j->n < 256);
    j->lines[j->n].rv = rv;
    j->lines[j->n].key = mem_strdup(key);
    j->lines[j->n++].object = json_deep_copy(object);
}

static void state_survives_a_restart(void **state)
{
    struct test_env env;
    struct journal j = {.n = 0};
    struct model_options o = {.env = &env.env, .seed = 1, .on_commit = journal_write, .ctx = &j};
    struct model *m;
    uint64_t rv;
    json_t *body, *answer;
    size_t live = mem_live(), n;

    (void)state;
    test_env_init(&env);
    m = model_new(&o);
    model_start(m);
    test_env_settle(&env);
    body = json_loads(definition, 0, NULL);
    assert_int_equal(model_do(m, "u", "POST", CRDS, body, NULL), 201);
    json_decref(body);
    body = json_pack("{s:{s:s}}", "metadata", "name", "a");
    assert_int_equal(model_do(m, "u", "POST", WIDGETS, body, NULL), 201);
    json_object_set_new(json_object_get(body, "metadata"), "name", json_string("b"));
    assert_int_equal(model_do(m, "u", "POST", WIDGETS, body, NULL), 201);
    assert_int_equal(model_do(m, "u", "DELETE", WIDGETS "/b", NULL, NULL), 200);
    json_decref(body);
    test_env_settle(&env);
    rv = model_rv(m);
    model_free(m);

    m = model_new(&o);
    n = j.n;
    for (size_t i = 0; i < n; i++)
        model_load(m, j.lines[i].rv, j.lines[i].key, j.lines[i].object);
    assert_int_equal(model_rv(m), rv);
    model_start(m);
    test_env_settle(&env);
    assert_int_equal(model_rv(m), rv); /* a restart writes nothing */
    assert_int_equal(model_do(m, "u", "GET", WIDGETS, NULL, &answer), 200);
    assert_int_equal(json_array_size(json_object_get(answer, "items")), 1);
    assert_string_equal(json_text(answer, "items.0.metadata.name"), "a");
    json_decref(answer);
    model_free(m);
    for (size_t i = 0; i < j.n; i++) {
        mem_free(j.lines[i].key);
        if (i >= n)
            json_decref(j.lines[i].object);
    }
    test_env_done(&env);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(definition_is_established),
        T(bad_definitions_are_refused),
        T(objects_are_defaulted_pruned_and_checked),
        T(unknown_fields_are_warned_of),
        T(status_and_spec_are_written_apart),
        T(tables_have_the_kinds_columns),
        T(kind_goes_with_its_definition),
        T(versions_of_a_kind_share_their_objects),
        cmocka_unit_test(state_survives_a_restart),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
