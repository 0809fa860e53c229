/* test_model_apply: server-side apply, and who owns which fields after which write. */
#include "test.h"

#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/fieldset.h"
#include "support_cluster.h"
#include "support_model.h"

#define ADMIN "CN=admin,O=system:masters"
#define MAP "/api/v1/namespaces/default/configmaps/m"
#define PODS "/api/v1/namespaces/default/pods"
#define POD PODS "/p"
#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define THING "/apis/example.com/v1/namespaces/default/things/t"

struct world {
    struct test_model model;
    json_t *answer; /* of the last request */
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    test_model_init(&w->model, 0, false);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    json_decref(w->answer);
    test_model_done(&w->model);
    free(w);
    return 0;
}

/* ' for " in the body; who: the fieldManager, with more of the query behind it. */
static int ask(struct world *w, const char *method, const char *path, const char *who, const char *type,
               const char *body)
{
    AUTO_FREE char *url = mem_printf("%s?fieldManager=%s", path, who);
    AUTO_FREE char *headers = mem_printf("content-type: %s\n", type), *text = NULL;
    json_t *tree = body ? cluster_parse(body) : NULL;
    struct test_serve s;
    int status;

    text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    test_serve(&w->model, &s, ADMIN, method, url, headers, text);
    json_decref(w->answer);
    w->answer = test_serve_json(&s);
    status = s.status;
    test_serve_done(&s);
    json_decref(tree);
    return status;
}

static void must(struct world *w, int status, int got)
{
    if (got != status)
        fail_msg("%d %s", got, json_text(w->answer, "message"));
}

static int apply(struct world *w, const char *path, const char *who, const char *body)
{
    return ask(w, "PATCH", path, who, "application/apply-patch+yaml", body);
}

static int patch(struct world *w, const char *path, const char *who, const char *body)
{
    return ask(w, "PATCH", path, who, "application/merge-patch+json", body);
}

static int apply_map(struct world *w, const char *who, const char *data)
{
    AUTO_FREE char *body = mem_printf("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m'},'data':%s}", data);

    return apply(w, MAP, who, body);
}

static void assert_json(const json_t *value, const char *expected)
{
    json_t *tree = cluster_parse(expected);

    if (!json_equal(value, tree)) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

        print_error("is       %s\nexpected %s\n", text ? text : "nothing", expected);
        mem_free(text);
        json_decref(tree);
        fail();
    }
    json_decref(tree);
}

/* The entries of the last answer, as "manager operation[/sub] …". */
static const char *owners(struct world *w)
{
    const json_t *one;
    struct buf out;
    size_t i;

    buf_init(&out, 4096);
    json_array_foreach (json_at(w->answer, "metadata.managedFields"), i, one)
        buf_printf(&out, "%s%s %s%s%s", i ? ", " : "", json_text(one, "manager"), json_text(one, "operation"),
                   *json_text(one, "subresource") ? "/" : "", json_text(one, "subresource"));
    json_object_set_new(w->answer, "x-owners", json_stringn(out.data, out.len));
    buf_done(&out);
    return json_text(w->answer, "x-owners");
}

static const json_t *fields(struct world *w, const char *manager, const char *operation)
{
    const json_t *one;
    size_t i;

    json_array_foreach (json_at(w->answer, "metadata.managedFields"), i, one)
        if (strcmp(json_text(one, "manager"), manager) == 0 && strcmp(json_text(one, "operation"), operation) == 0)
            return json_object_get(one, "fieldsV1");
    return NULL;
}

/* ---- owners ---- */

static void an_apply_owns_what_it_said_and_no_more(void **state)
{
    struct world *w = *state;

    must(w, 201, apply_map(w, "one", "{'a':'1','b':'2'}"));
    assert_string_equal(owners(w), "one Apply");
    assert_json(fields(w, "one", "Apply"), "{'f:data':{'f:a':{},'f:b':{}}}");
    assert_string_equal(json_text(w->answer, "metadata.managedFields.0.apiVersion"), "v1");
    assert_string_equal(json_text(w->answer, "metadata.managedFields.0.fieldsType"), "FieldsV1");
    assert_string_equal(json_text(w->answer, "metadata.managedFields.0.time"), "2026-03-01T02:00:00Z");
}

static void a_create_owns_all_it_made_with_the_containers(void **state)
{
    struct world *w = *state;

    must(w, 201, ask(w, "POST", "/api/v1/namespaces/default/configmaps", "kubectl-create", "application/json",
                     "{'metadata':{'name':'m','labels':{'l':'1'}},'data':{'a':'1'}}"));
    assert_string_equal(owners(w), "kubectl-create Update");
    assert_json(fields(w, "kubectl-create", "Update"),
                "{'f:data':{'.':{},'f:a':{}},'f:metadata':{'f:labels':{'.':{},'f:l':{}}}}");
}

static void a_patch_takes_over_what_it_changes(void **state)
{
    struct world *w = *state;

    must(w, 201, apply_map(w, "one", "{'a':'1','b':'2'}"));
    must(w, 200, patch(w, MAP, "two", "{'data':{'a':'9','b':'2','c':'3'}}"));
    assert_string_equal(owners(w), "one Apply, two Update");
    assert_json(fields(w, "one", "Apply"), "{'f:data':{'f:b':{}}}");
    assert_json(fields(w, "two", "Update"), "{'f:data':{'f:a':{},'f:c':{}}}");
    must(w, 200, patch(w, MAP, "two", "{'data':{'a':null,'c':null}}"));
    assert_string_equal(owners(w), "one Apply");
}

static void without_a_name_the_user_agent_tells_who_writes(void **state)
{
    struct world *w = *state;
    struct test_serve s;

    test_serve(&w->model, &s, ADMIN, "POST", "/api/v1/namespaces/default/configmaps",
               "user-agent: stashd/1.2 (linux)\n", "{\"metadata\":{\"name\":\"m\"},\"data\":{\"a\":\"1\"}}");
    w->answer = test_serve_json(&s);
    test_serve_done(&s);
    assert_string_equal(owners(w), "stashd Update");
}

static void items_of_a_pod_are_owned_by_their_keys(void **state)
{
    struct world *w = *state;

    must(w, 201, apply(w, POD, "one",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','finalizers':['example.com/f'],"
                       "'ownerReferences':[{'apiVersion':'v1','kind':'Node','name':'n','uid':'u'}]},"
                       "'spec':{'nodeSelector':{'a':'b'},'containers':[{'name':'c','image':'i','args':['x'],"
                       "'ports':[{'containerPort':80}],'env':[{'name':'E','valueFrom':{'secretKeyRef':{'name':'s',"
                       "'key':'k'}}}],'resources':{'limits':{'cpu':'1'}}}]}}"));
    assert_json(
        fields(w, "one", "Apply"),
        "{'f:metadata':{'f:finalizers':{'v:\\'example.com/f\\'':{}},'f:ownerReferences':{'k:{\\'uid\\':\\'u\\'}':{}}},"
        "'f:spec':{'f:nodeSelector':{},'f:containers':{'k:{\\'name\\':\\'c\\'}':{'.':{},'f:name':{},'f:image':{},"
        "'f:args':{},'f:ports':{'k:{\\'containerPort\\':80,\\'protocol\\':\\'TCP\\'}':{'.':{},'f:containerPort':{}}},"
        "'f:env':{'k:{\\'name\\':\\'E\\'}':{'.':{},'f:name':{},'f:valueFrom':{'f:secretKeyRef':{}}}},"
        "'f:resources':{'f:limits':{'f:cpu':{}}}}}}}");
}

static void status_has_owners_of_its_own(void **state)
{
    struct world *w = *state;

    must(w, 201, apply(w, POD, "one",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{'containers':[{'name':'c',"
                       "'image':'i'}]},'status':{'phase':'Failed'}}"));
    assert_string_equal(json_text(w->answer, "status.phase"), "Pending");
    must(w, 200, patch(w, POD "/status", "kubelet",
                       "{'status':{'phase':'Running','conditions':[{'type':'Ready','status':'True'}]}}"));
    assert_string_equal(owners(w), "one Apply, kubelet Update/status");
    assert_json(fields(w, "kubelet", "Update"),
                "{'f:status':{'f:phase':{},'f:conditions':{'.':{},'k:{\\'type\\':\\'Ready\\'}':{'.':{},'f:type':{},"
                "'f:status':{}}}}}");
    must(w, 200, apply(w, POD "/status", "two",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'status':{'conditions':["
                       "{'type':'Mine','status':'True'}]},'spec':{'hostname':'h'}}"));
    assert_string_equal(owners(w), "one Apply, two Apply/status, kubelet Update/status");
    assert_json(fields(w, "two", "Apply"),
                "{'f:status':{'f:conditions':{'k:{\\'type\\':\\'Mine\\'}':{'.':{},'f:type':{},'f:status':{}}}}}");
    assert_int_equal(json_array_size(json_at(w->answer, "status.conditions")), 2);
}

static void what_the_server_allocates_is_nobodys(void **state)
{
    struct world *w = *state;

    must(w, 201, ask(w, "POST", "/apis/batch/v1/namespaces/default/jobs", "one", "application/json",
                     "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'restartPolicy':'Never','containers':"
                     "[{'name':'c','image':'i'}]}}}}"));
    assert_null(json_at(fields(w, "one", "Update"), "f:spec.f:selector"));
    assert_null(json_at(fields(w, "one", "Update"), "f:status"));
    assert_null(json_at(fields(w, "one", "Update"), "f:metadata"));
    assert_null(json_object_get(json_at(fields(w, "one", "Update"), "f:spec.f:template"), ".")); /* always there */
    assert_null(json_object_get(json_at(fields(w, "one", "Update"), "f:spec.f:template.f:spec.f:containers"), "."));
    assert_non_null(json_at(fields(w, "one", "Update"), "f:spec.f:backoffLimit")); /* a default is the writer's */
}

/* ---- conflicts ---- */

static void another_ones_field_is_not_changed_but_by_force(void **state)
{
    struct world *w = *state;

    must(w, 201, apply_map(w, "one", "{'a':'1','b':'2'}"));
    must(w, 409, apply_map(w, "two", "{'a':'9'}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "Apply failed with 1 conflict: conflict with \"one\": .data.a");
    assert_string_equal(json_text(w->answer, "reason"), "Conflict");
    assert_json(json_at(w->answer, "details"),
                "{'causes':[{'reason':'FieldManagerConflict','message':'conflict with \\'one\\'','field':'.data.a'}]}");
    must(w, 409, apply_map(w, "two", "{'a':'9','b':'9'}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .data.a\n- .data.b");
    must(w, 200, apply_map(w, "two&force=true", "{'a':'9'}"));
    assert_json(fields(w, "one", "Apply"), "{'f:data':{'f:b':{}}}");
    assert_json(fields(w, "two", "Apply"), "{'f:data':{'f:a':{}}}");
    assert_string_equal(json_text(w->answer, "data.a"), "9");
}

static void the_same_value_is_shared_without_a_conflict(void **state)
{
    struct world *w = *state;

    must(w, 201, apply_map(w, "one", "{'a':'1'}"));
    must(w, 200, apply_map(w, "two", "{'a':'1'}"));
    assert_json(fields(w, "one", "Apply"), "{'f:data':{'f:a':{}}}");
    assert_json(fields(w, "two", "Apply"), "{'f:data':{'f:a':{}}}");
    must(w, 200, apply_map(w, "two", "{}"));
    assert_string_equal(json_text(w->answer, "data.a"), "1"); /* still the other's */
    must(w, 409, apply_map(w, "two", "{'a':'2'}"));
}

static void a_conflict_with_an_update_names_its_version_and_subresource(void **state)
{
    struct world *w = *state;

    must(w, 201, apply(w, POD, "one",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{'containers':[{'name':'c',"
                       "'image':'i'}]}}"));
    must(w, 200, patch(w, POD, "kubectl-set", "{'spec':{'containers':[{'name':'c','image':'j'}]}}"));
    must(w, 409, apply(w, POD, "one",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{'containers':[{'name':'c',"
                       "'image':'i'}]}}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "Apply failed with 1 conflict: conflict with \"kubectl-set\" using v1: "
                        ".spec.containers[name=\"c\"].image");
    must(w, 200, patch(w, POD "/status", "kubelet", "{'status':{'phase':'Running'}}"));
    must(w, 409, apply(w, POD "/status", "one",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'status':{'phase':'Failed'}}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "Apply failed with 1 conflict: conflict with \"kubelet\" with subresource \"status\" using v1: "
                        ".status.phase");
}

static void client_side_apply_is_taken_over_by_kubectl(void **state)
{
    struct world *w = *state;
    const char *note = "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m','annotations':{"
                       "'kubectl.kubernetes.io/last-applied-configuration':'{\\\\\"data\\\\\":{\\\\\"a\\\\\":"
                       "\\\\\"1\\\\\"}}'}},'data':{'a':'1','b':'1'}}";
    AUTO_FREE char *text = mem_strdup(note);

    /* The annotation's own quotes must stay quoted: they are written as \\" above. */
    for (char *p = text, *q = p;; p++) {
        if (p[0] == '\\' && p[1] == '\\')
            p++;
        *q++ = *p;
        if (!*p)
            break;
    }
    must(w, 201, ask(w, "POST", "/api/v1/namespaces/default/configmaps", "kubectl-client-side-apply",
                     "application/json", text));
    must(w, 409, apply_map(w, "kubectl", "{'a':'2','b':'2'}"));
    assert_json(json_at(w->answer, "details.causes.0.field"), "'.data.b'");
    assert_null(json_at(w->answer, "details.causes.1"));
    must(w, 409, apply_map(w, "other", "{'a':'2'}"));
    must(w, 200, apply_map(w, "kubectl", "{'a':'2'}"));
    assert_string_equal(json_text(w->answer, "data.a"), "2");
}

/* ---- taking away ---- */

static void what_is_no_longer_applied_goes(void **state)
{
    struct world *w = *state;

    must(w, 201, apply_map(w, "one", "{'a':'1','b':'2'}"));
    must(w, 200, patch(w, MAP, "two", "{'data':{'c':'3'}}"));
    must(w, 200, apply_map(w, "one", "{'a':'1'}"));
    assert_json(json_at(w->answer, "data"), "{'a':'1','c':'3'}");
    assert_json(fields(w, "one", "Apply"), "{'f:data':{'f:a':{}}}");
}

static void an_item_goes_with_all_that_was_only_ours_in_it(void **state)
{
    struct world *w = *state;
    const char *two = "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','finalizers':['a/x','a/y'],'labels':"
                      "{'l':'1'}},'spec':{'containers':[{'name':'c','image':'i'}]}}";
    const char *one = "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','finalizers':['a/y']},"
                      "'spec':{'containers':[{'name':'c','image':'i'}]}}";

    must(w, 201, apply(w, POD, "one", two));
    must(w, 200, patch(w, POD, "two", "{'metadata':{'finalizers':['a/x','a/y','a/z'],'labels':{'m':'2'}}}"));
    must(w, 200, apply(w, POD, "one", one));
    assert_json(json_at(w->answer, "metadata.finalizers"), "['a/y','a/z']");
    assert_json(json_at(w->answer, "metadata.labels"), "{'m':'2'}");
    assert_string_equal(json_text(w->answer, "spec.dnsPolicy"), "ClusterFirst");
}

static void a_field_given_up_stays_when_another_took_it(void **state)
{
    struct world *w = *state;

    must(w, 201, apply_map(w, "one", "{'a':'1','b':'1'}"));
    must(w, 200, patch(w, MAP, "two", "{'data':{'b':'2'}}"));
    must(w, 200, apply_map(w, "one", "{'a':'1'}"));
    assert_json(json_at(w->answer, "data"), "{'a':'1','b':'2'}");
}

static void an_object_without_owners_was_somebodys_before(void **state)
{
    struct world *w = *state;

    must(w, 201, apply_map(w, "one", "{'a':'1'}"));
    must(w, 200, patch(w, MAP, "one", "{'metadata':{'managedFields':[{}]}}"));
    assert_string_equal(owners(w), "");
    must(w, 200, patch(w, MAP, "two", "{'data':{'b':'2'}}"));
    assert_string_equal(owners(w), "");
    must(w, 409, apply_map(w, "three", "{'a':'2'}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.a");
    must(w, 200, apply_map(w, "three", "{'c':'3'}"));
    assert_string_equal(owners(w), "three Apply, before-first-apply Update");
    assert_json(fields(w, "before-first-apply", "Update"), "{'f:data':{'.':{},'f:a':{},'f:b':{}}}");
}

static void the_order_of_items_follows_the_configuration(void **state)
{
    struct world *w = *state;

    must(w, 201, ask(w, "POST", PODS, "one", "application/json",
                     "{'metadata':{'name':'p','finalizers':['x/a','x/b','x/c']},'spec':{'containers':[{'name':'c',"
                     "'image':'i'}]}}"));
    must(w, 200, apply(w, POD, "two",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','finalizers':['x/c','x/d','x/a']}}"));
    assert_json(json_at(w->answer, "metadata.finalizers"), "['x/b','x/c','x/d','x/a']");
    must(w, 200, patch(w, POD, "one", "{'metadata':{'finalizers':['x/a']}}"));
    must(w, 200, apply(w, POD, "three",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','finalizers':['x/n']}}"));
    assert_json(json_at(w->answer, "metadata.finalizers"), "['x/a','x/n']");
}

static void an_apply_that_changes_nothing_writes_nothing(void **state)
{
    struct world *w = *state;
    AUTO_FREE char *rv = NULL;

    must(w, 201, apply_map(w, "one", "{'a':'1'}"));
    rv = mem_strdup(json_text(w->answer, "metadata.resourceVersion"));
    test_env_advance(&w->model.env, 60 * 1000);
    must(w, 200, apply_map(w, "one", "{'a':'1'}"));
    assert_string_equal(json_text(w->answer, "metadata.resourceVersion"), rv);
    assert_string_equal(json_text(w->answer, "metadata.managedFields.0.time"), "2026-03-01T02:00:00Z");
    must(w, 200, apply_map(w, "two", "{'a':'1'}")); /* an owner more */
    assert_string_not_equal(json_text(w->answer, "metadata.resourceVersion"), rv);
}

static void many_writers_are_folded_into_one(void **state)
{
    struct world *w = *state;

    must(w, 201, apply_map(w, "one", "{'a':'1'}"));
    for (int i = 0; i < 12; i++) {
        AUTO_FREE char *who = mem_printf("w%02d", i), *body = mem_printf("{'data':{'k%d':'1'}}", i);

        must(w, 200, patch(w, MAP, who, body));
        test_env_advance(&w->model.env, 1000);
    }
    assert_int_equal(json_array_size(json_at(w->answer, "metadata.managedFields")), 11);
    assert_json(fields(w, "ancient-changes", "Update"), "{'f:data':{'f:k0':{},'f:k1':{},'f:k2':{}}}");
}

/* ---- custom kinds ---- */

static void make_crd(struct world *w)
{
    must(w, 201,
         ask(w, "POST", CRDS, "one", "application/json",
             "{'metadata':{'name':'things.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names':"
             "{'plural':'things','kind':'Thing'},'versions':[{'name':'v1','served':true,'storage':true,'subresources':"
             "{'status':{}},'schema':{'openAPIV3Schema':{'type':'object','properties':{'spec':{'type':'object',"
             "'properties':{'n':{'type':'integer','default':3},'plain':{'type':'array','items':{'type':'string'}},"
             "'set':{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}},"
             "'keyed':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['name'],'items':"
             "{'type':'object','required':['name'],'properties':{'name':{'type':'string'},'value':{'type':'string'}}}},"
             "'whole':{'type':'object','x-kubernetes-map-type':'atomic','additionalProperties':{'type':'string'}},"
             "'free':{'type':'object','x-kubernetes-preserve-unknown-fields':true}}},"
             "'status':{'type':'object','properties':{'phase':{'type':'string'}}}}}}}]}}"));
    test_env_settle(&w->model.env);
}

#define THING_HEAD "{'apiVersion':'example.com/v1','kind':'Thing','metadata':{'name':'t'},"

static void custom_kinds_are_merged_as_their_schema_says(void **state)
{
    struct world *w = *state;

    make_crd(w);
    must(w, 201, apply(w, THING, "one",
                       THING_HEAD "'spec':{'plain':['a'],'set':['a'],'keyed':[{'name':'x','value':'1'}],'whole':"
                                  "{'a':'1'},'free':{'q':{'r':[1]}}}}"));
    assert_json(fields(w, "one", "Apply"),
                "{'f:spec':{'f:plain':{},'f:set':{'v:\\'a\\'':{}},'f:keyed':{'k:{\\'name\\':\\'x\\'}':{'.':{},"
                "'f:name':{},'f:value':{}}},'f:whole':{},'f:free':{'f:q':{'.':{},'f:r':{}}}}}");
    assert_int_equal(json_int(w->answer, "spec.n", 0), 3);
    must(w, 200, apply(w, THING, "two",
                       THING_HEAD "'spec':{'set':['b'],'keyed':[{'name':'y'}],'free':{'s':1}}}"));
    assert_json(json_at(w->answer, "spec"),
                "{'n':3,'plain':['a'],'set':['a','b'],'keyed':[{'name':'x','value':'1'},{'name':'y'}],"
                "'whole':{'a':'1'},'free':{'q':{'r':[1]},'s':1}}");
    must(w, 409, apply(w, THING, "two", THING_HEAD "'spec':{'whole':{'b':'1'}}}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "Apply failed with 1 conflict: conflict with \"one\": .spec.whole");
    must(w, 200, apply(w, THING, "one", THING_HEAD "'spec':{'set':['a']}}"));
    assert_json(json_at(w->answer, "spec"), "{'n':3,'set':['a','b'],'keyed':[{'name':'y'}],'free':{'s':1}}");
}

static void a_status_of_a_custom_kind_has_owners_of_its_own(void **state)
{
    struct world *w = *state;

    make_crd(w);
    must(w, 201, apply(w, THING, "one", THING_HEAD "'spec':{'n':1},'status':{'phase':'no'}}"));
    assert_json(fields(w, "one", "Apply"), "{'f:spec':{'f:n':{}}}");
    assert_null(json_object_get(w->answer, "status"));
    must(w, 200, apply(w, THING "/status", "two", THING_HEAD "'spec':{'n':9},'status':{'phase':'yes'}}"));
    assert_json(fields(w, "two", "Apply"), "{'f:status':{'f:phase':{}}}");
    assert_int_equal(json_int(w->answer, "spec.n", 0), 1);
    assert_string_equal(owners(w), "one Apply, two Apply/status");
}

/* ---- refusals ---- */

static void wrong_applies_are_refused(void **state)
{
    struct world *w = *state;

    must(w, 422, apply_map(w, "", "{}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for "
                        "apply patch");
    must(w, 400, apply(w, MAP, "one", "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m','managedFields':"
                                      "[{}]}}"));
    assert_string_equal(json_text(w->answer, "message"), "metadata.managedFields must be nil");
    must(w, 400, apply(w, MAP, "one", "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'m'}}"));
    must(w, 500, apply(w, MAP, "one", "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m'},'dat':{}}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "failed to create typed patch object (/m; /v1, Kind=ConfigMap): .dat: field not declared in "
                        "schema");
    must(w, 500, apply(w, POD, "one",
                       "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{'containers':[{'name':'c'},"
                       "{'name':'c'}]}}"));
    assert_string_equal(json_text(w->answer, "message"),
                        "failed to create typed patch object (/p; /v1, Kind=Pod): .spec.containers: duplicate entries "
                        "for key [name=\"c\"]");
    must(w, 422, patch(w, MAP "", "one&force=true", "{}"));
    must(w, 201, apply_map(w, "one", "{'a':'1'}"));
    must(w, 409, apply(w, MAP, "one", "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m',"
                                      "'resourceVersion':'1'},'data':{'a':'2'}}"));
    must(w, 404, apply(w, PODS "/none/status", "one", "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'none'}}"));
}

/* ---- sets ---- */

static void a_set_reads_as_it_was_written(void **state)
{
    json_t *wire = cluster_parse("{'f:a':{'.':{},'f:b':{}},'f:c':{'k:{\\'n\\':1}':{}}}"), *set = fieldset_read(wire);
    json_t *back = fieldset_write(set), *same = fieldset_union(set, set), *none = fieldset_difference(set, set);
    json_t *below = fieldset_read(json_object_get(wire, "f:c")), *left = fieldset_without(set, set);

    (void)state;
    assert_true(json_equal(wire, back));
    assert_true(json_equal(same, set));
    assert_true(fieldset_is_empty(none));
    assert_true(fieldset_is_empty(left));
    assert_false(fieldset_is_empty(below));
    json_decref(wire);
    json_decref(set);
    json_decref(back);
    json_decref(same);
    json_decref(none);
    json_decref(below);
    json_decref(left);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_apply_owns_what_it_said_and_no_more),
        TEST(a_create_owns_all_it_made_with_the_containers),
        TEST(a_patch_takes_over_what_it_changes),
        TEST(without_a_name_the_user_agent_tells_who_writes),
        TEST(items_of_a_pod_are_owned_by_their_keys),
        TEST(status_has_owners_of_its_own),
        TEST(what_the_server_allocates_is_nobodys),
        TEST(another_ones_field_is_not_changed_but_by_force),
        TEST(the_same_value_is_shared_without_a_conflict),
        TEST(a_conflict_with_an_update_names_its_version_and_subresource),
        TEST(client_side_apply_is_taken_over_by_kubectl),
        TEST(what_is_no_longer_applied_goes),
        TEST(an_item_goes_with_all_that_was_only_ours_in_it),
        TEST(a_field_given_up_stays_when_another_took_it),
        TEST(an_object_without_owners_was_somebodys_before),
        TEST(the_order_of_items_follows_the_configuration),
        TEST(an_apply_that_changes_nothing_writes_nothing),
        TEST(many_writers_are_folded_into_one),
        TEST(custom_kinds_are_merged_as_their_schema_says),
        TEST(a_status_of_a_custom_kind_has_owners_of_its_own),
        TEST(wrong_applies_are_refused),
        TEST(a_set_reads_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
