/* test_model_forms: what comes in and goes out in other forms than plain JSON: discovery, tables, metadata alone, YAML
 * and protobuf bodies, values of the wrong type. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/proto.h"
#include "k8s/model/tablekinds.h"
#include "k8s/model/typed.h"
#include "k8s/model/yaml.h"
#include "support_model.h"

#define ADMIN "CN=admin,O=system:masters"
#define MAPS "/api/v1/namespaces/kube-public/configmaps"

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

static json_t *ask(struct test_model *t, const char *method, const char *path, const char *headers, const char *body,
                   int *status)
{
    struct test_serve s;
    json_t *answer;

    test_serve(t, &s, ADMIN, method, path, headers, body);
    *status = s.status;
    answer = test_serve_json(&s);
    test_serve_done(&s);
    return answer;
}

/* ---- discovery ---- */

static const json_t *named(const json_t *list, const char *key, const char *name)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (strcmp(json_text(item, key), name) == 0)
            return item;
    return NULL;
}

static void assert_plain(struct test_model *t, const char *path, int status, const char *text)
{
    struct test_serve s;

    test_serve(t, &s, ADMIN, "GET", path, NULL, NULL);
    assert_int_equal(s.status, status);
    assert_string_equal(s.out.data, text);
    test_serve_done(&s);
}

static void discovery_lists_what_is_served(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *d = ask(t, "GET", "/api/v1", NULL, NULL, &status);
    const json_t *pods = named(json_object_get(d, "resources"), "name", "pods");

    assert_string_equal(json_text(pods, "kind"), "Pod");
    assert_string_equal(json_text(pods, "shortNames.0"), "po");
    assert_true(json_flag(pods, "namespaced", false));
    assert_non_null(named(json_object_get(d, "resources"), "name", "pods/log"));
    assert_non_null(named(json_object_get(d, "resources"), "name", "serviceaccounts/token"));
    json_decref(d);
    d = ask(t, "GET", "/apis", NULL, NULL, &status);
    assert_string_equal(json_text(named(json_object_get(d, "groups"), "name", "batch"),
                                  "preferredVersion.groupVersion"),
                        "batch/v1");
    json_decref(d);
    d = ask(t, "GET", "/apis/batch", NULL, NULL, &status);
    assert_string_equal(json_text(d, "kind"), "APIGroup");
    json_decref(d);
    assert_plain(t, "/apis/nothing/v1", 404, "404 page not found\n");
}

static void aggregated_discovery_is_one_document(void **state)
{
    struct test_model *t = *state;
    struct test_serve s;
    json_t *d;

    test_serve(t, &s, ADMIN, "GET", "/apis",
               "accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", NULL);
    assert_non_null(
        strstr(s.head, "content-type: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\n"));
    d = test_serve_json(&s);
    assert_string_equal(json_text(d, "kind"), "APIGroupDiscoveryList");
    assert_non_null(named(json_at(named(json_object_get(d, "items"), "metadata.name", "batch"), "versions.0.resources"),
                          "resource", "jobs"));
    json_decref(d);
    test_serve_done(&s);
}

static void health_is_plain_text(void **state)
{
    static const char *const paths[] = {"/livez", "/readyz", "/healthz", "/livez/"};
    struct test_serve s;

    for (size_t i = 0; i < 4; i++) {
        test_serve(*state, &s, "", "GET", paths[i], NULL, NULL);
        assert_int_equal(s.status, 200);
        assert_string_equal(s.out.data, "ok");
        test_serve_done(&s);
    }
}

/* ---- tables ---- */

static void ages_are_as_kubectl_writes_them(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {-5, "0s"},          {0, "0s"},           {119, "119s"},      {120, "2m"},          {150, "2m30s"},
        {599, "9m59s"},      {600, "10m"},        {10799, "179m"},    {10800, "3h"},        {11100, "3h5m"},
        {28800, "8h"},       {172799, "47h"},     {172800, "2d"},     {180000, "2d2h"},     {691200, "8d"},
        {63072000, "2y"},    {64800000, "2y20d"}, {252288000, "8y"},
    };
    char out[32];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(table_age(rows[i].seconds, out), rows[i].text);
}

static void pod_is_shown_with_its_state(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *table;

    test_model_ok(
        t, "POST", "/api/v1/namespaces/kube-public/pods",
        "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"b\","
        "\"image\":\"x\"}]}}",
        201);
    test_model_ok(
        t, "PATCH", "/api/v1/namespaces/kube-public/pods/p/status",
        "{\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"a\",\"ready\":true,\"restartCount\":2,"
        "\"state\":{\"running\":{}}},{\"name\":\"b\",\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\"}}}]}}",
        200);
    table = ask(t, "GET", "/api/v1/namespaces/kube-public/pods/p",
                "accept: application/json;as=Table;v=v1;g=meta.k8s.io", NULL, &status);
    assert_string_equal(json_text(table, "rows.0.cells.0"), "p");
    assert_string_equal(json_text(table, "rows.0.cells.1"), "1/2");
    assert_string_equal(json_text(table, "rows.0.cells.2"), "ErrImagePull");
    assert_string_equal(json_text(table, "rows.0.cells.3"), "2");
    assert_int_equal(json_int(table, "columnDefinitions.5.priority", 0), 1);
    json_decref(table);
    table = ask(t, "GET", "/api/v1/namespaces/kube-public/pods/none",
                "accept: application/json;as=Table;v=v1;g=meta.k8s.io", NULL, &status);
    assert_string_equal(json_text(table, "kind"), "Status");
    json_decref(table);
}

static void metadata_alone_can_be_asked_for(void **state)
{
    static const char accept[] = "accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    struct test_model *t = *state;
    int status;
    json_t *list;

    test_model_ok(t, "POST", MAPS, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}", 201);
    list = ask(t, "GET", MAPS, accept, NULL, &status);
    assert_string_equal(json_text(list, "kind"), "PartialObjectMetadataList");
    assert_string_equal(json_text(list, "items.0.kind"), "PartialObjectMetadata");
    assert_string_equal(json_text(list, "items.0.metadata.name"), "a");
    assert_null(json_at(list, "items.0.data"));
    json_decref(list);
}

/* ---- bodies ---- */

static void yaml_follows_the_core_schema(void **state)
{
    static const struct {
        const char *yaml, *json; /* NULL: refused */
    } rows[] = {
        {"a: 1\nb: [x, 'y', \"z\"]\nc: {d: null, e: ~, f: }\n",
         "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"],\"c\":{\"d\":null,\"e\":null,\"f\":null}}"},
        {"a: true\nb: False\nc: 'true'\nd: yes\n", "{\"a\":true,\"b\":false,\"c\":\"true\",\"d\":\"yes\"}"},
        {"a: -3\nb: 1.5\nc: 007\nd: 1e3\ne: 1.2.3\nf: '-'\ng: 1_0\n",
         "{\"a\":-3,\"b\":1.5,\"c\":\"007\",\"d\":1000.0,\"e\":\"1.2.3\",\"f\":\"-\",\"g\":\"1_0\"}"},
        {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}"},
        {"a: 1\na: 2\n", NULL},
        {"a: &x 1\nb: *x\n", NULL},
        {"a: [1\n", NULL},
        {"? [a]\n: b\n", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e = {.msg = ""};
        json_t *got = yaml_load(str_of(rows[i].yaml), &e);
        json_t *wanted = rows[i].json ? json_loads(rows[i].json, 0, NULL) : NULL;

        if ((got == NULL) != (wanted == NULL) || (got && !json_equal(got, wanted))) {
            print_error("%s%s\n", rows[i].yaml, e.msg);
            fail();
        }
        assert_true(got || *e.msg);
        json_decref(got);
        json_decref(wanted);
    }
}

static void body_may_be_yaml(void **state)
{
    struct test_model *t = *state;
    int status;
    json_t *o = ask(t, "PATCH", MAPS "/a?fieldManager=me", "content-type: application/apply-patch+yaml",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n", &status);

    assert_int_equal(status, 201);
    assert_string_equal(json_text(o, "data.k"), "v");
    json_decref(o);
    o = ask(t, "POST", MAPS, "content-type: application/json", "metadata: {}", &status);
    assert_int_equal(status, 400);
    json_decref(o);
    o = ask(t, "POST", MAPS, "content-type: application/cbor", "x", &status);
    assert_int_equal(status, 415);
    json_decref(o);
}

static void what_cannot_be_served_says_why(void **state)
{
    static const char core[] = "/api/v1/namespaces/default";
    static const struct {
        const char *method, *path, *type, *body;
        int status;
        const char *message;
    } rows[] = {
        {"POST", "/configmaps", "json", NULL, 400, "a request body is needed"},
        {"POST", "/configmaps", "json", "3", 400, "the object provided is unrecognized: "},
        {"POST", "/configmaps", "yaml", "a: [1", 400, "the object provided is unrecognized: "},
        {"POST", "/configmaps", "yaml", "just words", 400, "the object provided is no object"},
        {"POST", "/configmaps", "vnd.kubernetes.protobuf", "{}", 415, "protobuf: malformed envelope"},
        {"GET", "/configmaps/%zz", "json", NULL, 400, "malformed path"},
        {"GET", "/configmaps/%ff", "json", NULL, 400, "the path is no UTF-8"},
        {"POST", "/configmaps/a", "json", "{}", 405, "the server does not allow this method on the requested resource"},
        {"DELETE", "/pods/a/status", "json", NULL, 405, "the server does not allow this method"},
        {"DELETE", "/pods/a/log", "json", NULL, 405, "the server does not allow this method"},
        {"GET", "/serviceaccounts/default/token", "json", NULL, 405, "the server does not allow this method"},
        {"GET", "/pods/a/bogus", "json", NULL, 404, "the server could not find the requested resource"},
        {"BREW", "/configmaps", "json", NULL, 405, "the server does not allow this method"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *path = mem_printf("%s%s", core, rows[i].path);
        char *type = mem_printf("content-type: application/%s", rows[i].type);
        int status;
        json_t *o = ask(*state, rows[i].method, path, type, rows[i].body, &status);

        if (status != rows[i].status || !strstr(json_text(o, "message"), rows[i].message))
            print_error("%s %s: %d %s\n", rows[i].method, path, status, json_text(o, "message"));
        assert_int_equal(status, rows[i].status);
        assert_non_null(strstr(json_text(o, "message"), rows[i].message));
        json_decref(o);
        mem_free(path);
        mem_free(type);
    }
}

static void more_than_three_mebibytes_are_refused(void **state)
{
    char *body = mem_alloc(3 * 1024 * 1024 + 2);
    int status;
    json_t *o;

    memset(body, ' ', 3 * 1024 * 1024 + 1);
    body[3 * 1024 * 1024 + 1] = 0;
    o = ask(*state, "POST", MAPS, "content-type: application/json", body, &status);
    assert_int_equal(status, 413);
    assert_string_equal(json_text(o, "reason"), "RequestEntityTooLarge");
    json_decref(o);
    mem_free(body);
}

/* Envelope, then {metadata {name "a", labels {x "y"}, creationTimestamp
 * {}, generation 0}, data {"k": "v"}} as kubectl sends it. */
static void body_may_be_protobuf(void **state)
{
    static const char bytes[] = "k8s\000\012\017\012\002v1\022\011ConfigMap\022\035\012\023\012\001a\022\000\032"
                                "\0008\000B\000Z\006\012\001x\022\001y\022\006\012\001k\022\001v\032\000\042\000";
    struct error e;
    json_t *o = proto_load((struct str){bytes, sizeof(bytes) - 1}, &e);

    (void)state;
    assert_non_null(o);
    assert_string_equal(json_text(o, "kind"), "ConfigMap");
    assert_string_equal(json_text(o, "metadata.name"), "a");
    assert_string_equal(json_text(o, "metadata.labels.x"), "y");
    assert_null(json_at(o, "metadata.generateName"));
    assert_null(json_at(o, "metadata.creationTimestamp"));
    assert_string_equal(json_text(o, "data.k"), "v");
    json_decref(o);
    for (size_t n = 0; n < sizeof(bytes) - 1; n++) { /* any cut is refused or gives an object */
        o = proto_load((struct str){bytes, n}, &e);
        json_decref(o);
    }
    assert_null(proto_load(STR("{\"kind\":\"ConfigMap\"}"), &e));
}

static void built_in_kinds_are_typed(void **state)
{
    static const struct {
        const char *kind, *object, *error, *dropped; /* NULL: none */
    } rows[] = {
        {"Pod", "{\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"name\":\"a\"}]},\"status\":{\"zzz\":1}}", NULL, NULL},
        {"Pod", "{\"spec\":{\"containers\":{}}}",
         "cannot unmarshal object into Go struct field PodSpec.spec.containers", NULL},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":true}]}}",
         "cannot unmarshal bool into Go struct field Container.spec.containers.name of type string", NULL},
        {"Pod", "{\"spec\":{\"bogus\":1}}", NULL, "spec.bogus"},
        {"Pod", "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{\"siz\":1}}]}}", NULL,
         "spec.volumes[0].emptyDir.siz"},
        {"Pod",
         "{\"spec\":{\"containers\":[{\"livenessProbe\":{\"httpGet\":{\"port\":\"web\"},\"periodSeconds\":1}}]}}", NULL,
         NULL},
        {"ConfigMap", "{\"data\":{\"a\":1}}", "of type string", NULL},
        {"Job", "{\"spec\":{\"backoffLimit\":\"6\"}}", "cannot unmarshal string into Go struct field JobSpec", NULL},
        {"Service", "{\"spec\":{\"ports\":[{\"targetPort\":80},{\"targetPort\":\"x\"}]}}", NULL, NULL},
        {"NoSuchKind", "{\"spec\":{\"bogus\":1}}", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *object = json_loads(rows[i].object, 0, NULL), *dropped = json_array();
        struct error e = {.msg = ""};
        int rc = typed_check(rows[i].kind, object, NULL, dropped, &e);

        assert_int_equal(rc, rows[i].error ? ERR_INVALID : 0);
        if (rows[i].error && !strstr(e.msg, rows[i].error))
            print_error("%s\n", e.msg);
        assert_true(!rows[i].error || strstr(e.msg, rows[i].error));
        assert_string_equal(json_array_size(dropped) ? json_string_value(json_array_get(dropped, 0)) : "",
                            rows[i].dropped ? rows[i].dropped : "");
        json_decref(object);
        json_decref(dropped);
    }
}

/* Of a stored object only what a write changes is looked into. */
static void what_is_as_stored_is_not_typed_again(void **state)
{
    json_t *old = json_pack("{s:{s:i}, s:{s:i}}", "spec", "bogus", 1, "metadata", "bogus", 1);
    json_t *object = json_pack("{s:{s:i}, s:{s:i, s:s}}", "spec", "bogus", 1, "metadata", "bogus", 1, "name", "a");
    json_t *dropped = json_array();
    struct error e;

    (void)state;
    assert_int_equal(typed_check("Pod", object, old, dropped, &e), 0);
    assert_int_equal(json_array_size(dropped), 1);
    assert_string_equal(json_string_value(json_array_get(dropped, 0)), "metadata.bogus");
    assert_int_equal(json_int(object, "spec.bogus", 0), 1);
    json_decref(dropped);
    json_decref(object);
    json_decref(old);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(discovery_lists_what_is_served),
        T(aggregated_discovery_is_one_document),
        T(health_is_plain_text),
        cmocka_unit_test(ages_are_as_kubectl_writes_them),
        T(pod_is_shown_with_its_state),
        T(metadata_alone_can_be_asked_for),
        T(yaml_follows_the_core_schema),
        T(body_may_be_yaml),
        T(what_cannot_be_served_says_why),
        T(more_than_three_mebibytes_are_refused),
        T(body_may_be_protobuf),
        T(built_in_kinds_are_typed),
        T(what_is_as_stored_is_not_typed_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
