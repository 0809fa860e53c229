/* test_openapi: the documents as kubectl reads them. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/internal.h"
#include "k8s/model/openapi.h"
#include "support_cluster.h"

static const char crd[] =
    "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition',"
    "'metadata':{'name':'toys.shop.example.com'},"
    "'spec':{'group':'shop.example.com','scope':'Namespaced','names':{'kind':'Toy','plural':'toys'},'versions':[{"
    "'name':'v1','served':true,'storage':true,'schema':{'openAPIV3Schema':{'type':'object','description':'A toy.',"
    "'properties':{'spec':{'type':'object','oneOf':[{'required':['size']}],'properties':{'size':{'type':'integer',"
    "'description':'Its size.','nullable':true},'not':{'type':'string'}}}}}}}]}}";

static void add_toys(struct cluster *c)
{
    cluster_must(c, 201, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
}

static json_t *document(struct cluster *c, const char *group, const char *version)
{
    json_t *doc = openapi_v3(c->m->resources, group, version);

    assert_non_null(doc);
    return doc;
}

/* As explain does: the path's get tells the kind, the kind tells the schema. */
static json_t *explained(json_t *doc, const char *path)
{
    json_t *get = json_object_get(json_object_get(json_object_get(doc, "paths"), path), "get");
    json_t *gvk = json_object_get(get, "x-kubernetes-group-version-kind"), *schema, *other;
    const char *name;
    size_t i;

    assert_non_null(gvk);
    json_object_foreach (json_at(doc, "components.schemas"), name, schema)
        json_array_foreach (json_object_get(schema, "x-kubernetes-group-version-kind"), i, other)
            if (json_equal(gvk, other))
                return schema;
    fail_msg("no schema for %s", path);
    return NULL;
}

static json_t *follow(json_t *doc, json_t *ref)
{
    const char *name = strrchr(json_text(ref, "$ref"), '/');

    return json_object_get(json_at(doc, "components.schemas"), name ? name + 1 : "");
}

static size_t count_lost_references(json_t *in, json_t *schemas, const char *prefix)
{
    const char *key, *ref = json_string_value(json_object_get(in, "$ref"));
    json_t *value;
    size_t i, lost = 0;

    if (ref)
        lost += strncmp(ref, prefix, strlen(prefix)) != 0 || !json_object_get(schemas, ref + strlen(prefix));
    json_object_foreach (in, key, value)
        lost += count_lost_references(value, schemas, prefix);
    json_array_foreach (in, i, value)
        lost += count_lost_references(value, schemas, prefix);
    return lost;
}

static void a_field_of_a_built_in_kind_is_found_and_described(void **state)
{
    json_t *doc = document(*state, "batch", "v1");
    json_t *job = explained(doc, "/apis/batch/v1/namespaces/{namespace}/jobs");
    json_t *spec = follow(doc, json_at(job, "properties.spec"));

    assert_string_equal(json_text(spec, "properties.backoffLimit.format"), "int32");
    assert_string_not_equal(json_text(spec, "properties.backoffLimit.description"), "");
    assert_string_equal(json_text(spec, "required.0"), "template");
    json_decref(doc);
}

static void a_field_of_a_custom_kind_is_found_and_described(void **state)
{
    json_t *doc, *toy;

    add_toys(*state);
    doc = document(*state, "shop.example.com", "v1");
    toy = explained(doc, "/apis/shop.example.com/v1/namespaces/{namespace}/toys/{name}");
    assert_ptr_equal(toy, json_object_get(json_at(doc, "components.schemas"), "com.example.shop.v1.Toy"));
    assert_string_equal(json_text(toy, "description"), "A toy.");
    assert_string_equal(json_text(toy, "properties.spec.properties.size.description"), "Its size.");
    assert_non_null(follow(doc, json_at(toy, "properties.metadata.allOf.0")));
    json_decref(doc);
}

static void every_reference_leads_somewhere(void **state)
{
    struct cluster *c = *state;
    json_t *doc;

    add_toys(c);
    for (const struct resource *r = NULL; (r = resource_next(c->m->resources, r));) {
        doc = document(c, r->group, r->version);
        assert_int_equal(count_lost_references(doc, json_at(doc, "components.schemas"), "#/components/schemas/"), 0);
        json_decref(doc);
    }
    doc = openapi_v2(c->m->resources);
    assert_int_equal(count_lost_references(doc, json_object_get(doc, "definitions"), "#/definitions/"), 0);
    json_decref(doc);
}

static void fields_are_checked_by_the_server_and_merge_keys_are_kubectls(void **state)
{
    json_t *doc = document(*state, "", "v1"), *patch, *parameters, *one;
    bool found = false;
    size_t i;

    patch =
        json_object_get(json_object_get(json_object_get(doc, "paths"), "/api/v1/namespaces/{namespace}/pods/{name}"),
                        "patch");
    parameters = json_object_get(patch, "parameters");
    json_array_foreach (parameters, i, one)
        found = found || strcmp(json_text(one, "name"), "fieldValidation") == 0;
    assert_true(found);
    assert_null(json_object_get(json_at(patch, "requestBody.content"), "application/strategic-merge-patch+json"));
    assert_non_null(json_object_get(json_at(patch, "requestBody.content"), "application/merge-patch+json"));
    json_decref(doc);
}

static const char *address(json_t *index, const char *path)
{
    return json_text(json_object_get(json_object_get(index, "paths"), path), "serverRelativeURL");
}

static void a_documents_address_changes_with_it_alone(void **state)
{
    struct cluster *c = *state;
    json_t *before, *after, *changed;

    add_toys(c);
    before = openapi_v3_index(c->m->resources);
    cluster_must(c, 200, "PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/toys.shop.example.com",
                 "[{'op':'replace','path':'/spec/versions/0/schema/openAPIV3Schema/description','value':'Better.'}]");
    after = openapi_v3_index(c->m->resources);
    changed = openapi_v3(c->m->resources, "shop.example.com", "v1");
    assert_string_equal(json_text(explained(changed, "/apis/shop.example.com/v1/namespaces/{namespace}/toys"),
                                  "description"),
                        "Better.");
    assert_int_equal(strncmp(address(before, "api/v1"), "/openapi/v3/api/v1?hash=", 24), 0);
    assert_string_equal(address(before, "apis/batch/v1"), address(after, "apis/batch/v1"));
    assert_string_not_equal(address(before, "apis/shop.example.com/v1"), address(after, "apis/shop.example.com/v1"));
    assert_null(openapi_v3(c->m->resources, "shop.example.com", "v2"));
    json_decref(before);
    json_decref(after);
    json_decref(changed);
}

static void version_2_leaves_out_what_it_has_no_words_for(void **state)
{
    struct cluster *c = *state;
    json_t *doc, *spec;

    add_toys(c);
    doc = openapi_v2(c->m->resources);
    spec = json_at(json_object_get(json_object_get(doc, "definitions"), "com.example.shop.v1.Toy"), "properties.spec");
    assert_non_null(spec);
    assert_null(json_object_get(spec, "oneOf"));
    assert_null(json_at(spec, "properties.size.nullable"));
    assert_non_null(json_at(spec, "properties.not")); /* a field of that name stays */
    json_decref(doc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_setup, cluster_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_field_of_a_built_in_kind_is_found_and_described),
        TEST(a_field_of_a_custom_kind_is_found_and_described),
        TEST(every_reference_leads_somewhere),
        TEST(fields_are_checked_by_the_server_and_merge_keys_are_kubectls),
        TEST(a_documents_address_changes_with_it_alone),
        TEST(version_2_leaves_out_what_it_has_no_words_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
