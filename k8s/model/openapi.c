/*
 * openapi: see openapi.h. Version 3 has one document a group version: its kinds, the types that they refer to, and
 * paths.
 *
 * kubectl reads three things in paths: the kind of a path's get (explain), whether patch takes fieldValidation and
 * dryRun (whether the server checks fields), and whether patch takes strategic merge patches by this document. The last
 * we do not say: kubectl then uses the merge keys that are compiled into it, which are complete.
 */
#include "k8s/model/openapi.h"

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/builtin.h"
#include "k8s/model/builtin_types.h"

enum { NAME_MAX_BYTES = 1024 };

/* ---- names ---- */

/* "stash.appscode.com" is "com.appscode.stash" in names of types. */
static void reverse_group(struct str group, struct buf *out)
{
    const char *dot = group.n ? memrchr(group.p, '.', group.n) : NULL;
    size_t tail = dot ? (size_t)(dot - group.p) + 1 : 0;

    buf_add(out, group.p + tail, group.n - tail);
    if (!dot)
        return;
    buf_putc(out, '.');
    reverse_group((struct str){group.p, tail - 1}, out);
}

static void name_of(const struct resource *r, struct buf *out)
{
    const char *prefix = r->builtin ? builtin_type_prefix(r->group) : NULL;

    if (prefix) {
        struct buf short_name;

        buf_init(&short_name, NAME_MAX_BYTES);
        buf_printf(&short_name, "%s.%s", prefix, r->kind);
        builtin_type_name(short_name.data, out);
        buf_done(&short_name);
        return;
    }
    reverse_group(str_of(r->group), out);
    buf_printf(out, ".%s.%s", r->version, r->kind);
}

static json_t *gvk_of(const struct resource *r)
{
    return json_pack("{s:s, s:s, s:s}", "group", r->group, "kind", r->kind, "version", r->version);
}

/* ---- schemas ---- */

static void add_head(json_t *schema, const struct resource *r)
{
    json_t *properties = json_object_get(schema, "properties");

    if (!properties) {
        properties = json_object();
        json_object_set_new(schema, "properties", properties);
    }
    json_object_set_new(properties, "apiVersion",
                        json_pack("{s:s, s:s}", "type", "string", "description",
                                  "APIVersion is the group and version of the API that this object is written in."));
    json_object_set_new(properties, "kind",
                        json_pack("{s:s, s:s}", "type", "string", "description",
                                  "Kind is the name of the kind of this object."));
    json_object_set_new(properties, "metadata",
                        json_pack("{s:[{s:s}], s:s}", "allOf", "$ref", BUILTIN_REF BUILTIN_OBJECT_META, "description",
                                  "Name, labels and what else every object has."));
    json_object_set_new(schema, "x-kubernetes-group-version-kind", json_pack("[o]", gvk_of(r)));
}

static json_t *schema_of(const struct resource *r)
{
    json_t *schema = r->builtin ? builtin_open_api(r) : json_clone(r->open_api);

    if (!schema)
        schema = json_pack("{s:s, s:{}, s:b}", "type", "object", "properties", "x-kubernetes-preserve-unknown-fields",
                           1);
    add_head(schema, r);
    return schema;
}

/* Adds the types that a schema refers to, and what they refer to. */
static void add_references(json_t *schemas, const json_t *in)
{
    const char *key, *ref = json_string_value(json_object_get(in, "$ref"));
    json_t *value;
    size_t i;

    if (ref && strncmp(ref, BUILTIN_REF, strlen(BUILTIN_REF)) == 0) {
        const char *name = ref + strlen(BUILTIN_REF);

        if (!json_object_get(schemas, name) && (value = builtin_type_schema(name))) {
            json_object_set_new(schemas, name, value);
            add_references(schemas, value);
        }
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)in, key, value)
        add_references(schemas, value);
    json_array_foreach (in, i, value)
        add_references(schemas, value);
}

static void add_schema(json_t *schemas, const struct resource *r)
{
    json_t *schema = schema_of(r);
    struct buf name;

    buf_init(&name, NAME_MAX_BYTES);
    name_of(r, &name);
    json_object_set_new(schemas, name.data, schema);
    add_references(schemas, schema);
    buf_done(&name);
}

/* ---- paths ---- */

static json_t *query_parameter(const char *name, const char *text)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", name, "in", "query", "description", text, "schema", "type",
                     "string");
}

static json_t *operation(const struct resource *r, const char *action, bool writes)
{
    json_t *op = json_pack("{s:s, s:o, s:{s:{s:s}}}", "x-kubernetes-action", action, "x-kubernetes-group-version-kind",
                           gvk_of(r), "responses", "200", "description", "OK");

    if (writes)
        json_object_set_new(
            op, "parameters",
            json_pack("[o, o, o]", query_parameter("dryRun", "All: nothing is stored."),
                      query_parameter("fieldManager", "Who writes."),
                      query_parameter("fieldValidation", "What to do about unknown fields: Ignore, Warn or Strict.")));
    return op;
}

static json_t *patch_operation(const struct resource *r)
{
    json_t *op = operation(r, "patch", true);

    json_object_set_new(op, "requestBody", json_pack("{s:{s:{}, s:{}}}", "content", "application/merge-patch+json",
                                                     "application/json-patch+json"));
    return op;
}

static void add_paths(json_t *paths, const struct resource *r)
{
    struct buf path;

    buf_init(&path, NAME_MAX_BYTES);
    buf_printf(&path, r->group[0] ? "/apis/%s/%s" : "/api%s/%s", r->group, r->version);
    buf_printf(&path, "%s/%s", r->namespaced ? "/namespaces/{namespace}" : "", r->plural);
    if (r->virtual_only) {
        json_object_set_new(paths, path.data, json_pack("{s:o}", "post", operation(r, "post", true)));
        buf_done(&path);
        return;
    }
    json_object_set_new(
        paths, path.data,
        json_pack("{s:o, s:o}", "get", operation(r, "list", false), "post", operation(r, "post", true)));
    buf_puts(&path, "/{name}");
    json_object_set_new(paths, path.data,
                        json_pack("{s:o, s:o, s:o, s:o}", "get", operation(r, "get", false), "put",
                                  operation(r, "put", true), "patch", patch_operation(r), "delete",
                                  operation(r, "delete", false)));
    buf_done(&path);
}

/* ---- documents ---- */

static json_t *info(void)
{
    return json_pack("{s:s, s:s}", "title", "Kubernetes", "version", "v1.32.0");
}

json_t *openapi_v3(const struct resources *rs, const char *group, const char *version)
{
    json_t *schemas = json_object(), *paths = json_object();

    for (const struct resource *r = NULL; (r = resource_next(rs, r));) {
        if (strcmp(r->group, group) != 0 || strcmp(r->version, version) != 0)
            continue;
        add_schema(schemas, r);
        add_paths(paths, r);
    }
    if (json_object_size(schemas) == 0) {
        json_decref(schemas);
        json_decref(paths);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:o, s:{s:o}}", "openapi", "3.0.0", "info", info(), "paths", paths, "components",
                     "schemas", schemas);
}

/* Clients keep a document by its address on disk, for longer than we run: so the hash is the text's. */
static json_t *index_entry(const struct resources *rs, const struct resource *r, const char *path)
{
    json_t *document = openapi_v3(rs, r->group, r->version), *entry;
    char *text = json_dumps(document, JSON_COMPACT);
    char hash[65];

    str_sha256_hex(str_of(text), hash);
    entry = json_pack("{s:o}", "serverRelativeURL", json_sprintf("/openapi/v3/%s?hash=%s", path, hash));
    mem_free(text);
    json_decref(document);
    return entry;
}

json_t *openapi_v3_index(const struct resources *rs)
{
    json_t *paths = json_object();
    struct buf path;

    buf_init(&path, NAME_MAX_BYTES);
    for (const struct resource *r = NULL; (r = resource_next(rs, r));) {
        buf_clear(&path);
        buf_printf(&path, r->group[0] ? "apis/%s/%s" : "api%s/%s", r->group, r->version);
        if (!json_object_get(paths, path.data))
            json_object_set_new(paths, path.data, index_entry(rs, r, path.data));
    }
    buf_done(&path);
    return json_pack("{s:o}", "paths", paths);
}

/* ---- version 2 ---- */

/* What swagger 2.0 has no words for is left out; references
 * point to definitions. names: the keys are a type's fields. */
static void make_v2(json_t *in, bool names)
{
    static const char *const dropped[] = {"oneOf", "anyOf", "not", "nullable"};
    const char *key, *ref = json_string_value(json_object_get(in, "$ref"));
    json_t *value;
    size_t i;

    if (ref && strncmp(ref, BUILTIN_REF, strlen(BUILTIN_REF)) == 0)
        json_object_set_new(in, "$ref", json_sprintf("#/definitions/%s", ref + strlen(BUILTIN_REF)));
    for (i = 0; !names && i < sizeof(dropped) / sizeof(dropped[0]); i++)
        json_object_del(in, dropped[i]);
    json_object_foreach (in, key, value)
        make_v2(value, !names && strcmp(key, "properties") == 0);
    json_array_foreach (in, i, value)
        make_v2(value, false);
}

json_t *openapi_v2(const struct resources *rs)
{
    json_t *definitions = json_object(), *paths = json_object();

    for (const struct resource *r = NULL; (r = resource_next(rs, r));) {
        add_schema(definitions, r);
        add_paths(paths, r);
    }
    make_v2(definitions, true);
    return json_pack("{s:s, s:o, s:o, s:o}", "swagger", "2.0", "info", info(), "paths", paths, "definitions",
                     definitions);
}
