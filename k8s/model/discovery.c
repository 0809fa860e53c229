/*
 * discovery: what kubectl asks before it asks for anything: groups, versions, resources (also as one aggregated
 * document), OpenAPI, the version, health.
 */
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/openapi.h"
#include "k8s/model/openapi_proto.h"
#include "k8s/model/verbs.h"

enum { OPENAPI_MAX = 32 * 1024 * 1024 };

#define SERVED_AS_MAJOR "1"
#define SERVED_AS_MINOR "32"

static int done(struct request *q, json_t *answer_take)
{
    json_decref(q->answer);
    q->answer = answer_take;
    return 200;
}

static json_t *words(const char *text)
{
    json_t *list = json_array();
    struct str rest = str_of(text), item;

    while (str_cut(&rest, ',', &item))
        if (item.n)
            json_array_append_new(list, json_stringn(item.p, item.n));
    return list;
}

static json_t *verbs_of(const struct resource *r)
{
    if (r->virtual_only)
        return words("create");
    return words(!*r->group && strcmp(r->plural, "namespaces") == 0
                     ? "create,delete,get,list,patch,update,watch"
                     : "create,delete,deletecollection,get,list,patch,update,watch");
}

/* What a subresource is asked with. */
static const struct {
    const char *sub, *verbs;
} subresources[] = {
    {"status", "get,patch,update"},
    {"log", "get"},
    {"finalize", "update"},
    {"token", "create"},
};

static const char *sub_verbs(const char *sub)
{
    for (size_t i = 0; i < sizeof(subresources) / sizeof(subresources[0]); i++)
        if (strcmp(subresources[i].sub, sub) == 0)
            return subresources[i].verbs;
    return "get";
}

static const char *sub_kind(const struct resource *r, const char *sub)
{
    return strcmp(sub, "token") == 0 ? "TokenRequest" : r->kind;
}

/* Each subresource of a row, status first, as a new array of names. */
static json_t *subs_of(const struct resource *r)
{
    json_t *list = words(r->subresources);

    if (r->has_status)
        json_array_insert_new(list, 0, json_string("status"));
    return list;
}

static void add_optional(json_t *entry, const char *key, json_t *list_take)
{
    if (json_array_size(list_take))
        json_object_set_new(entry, key, list_take);
    else
        json_decref(list_take);
}

/* ---- the classic form: APIVersions, APIGroupList, APIResourceList ---- */

static void add_resource(json_t *list, const struct resource *r)
{
    json_t *entry = json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", r->plural, "singularName", r->singular, "namespaced",
                              r->namespaced, "kind", r->kind, "verbs", verbs_of(r));
    json_t *subs = subs_of(r), *sub;
    size_t i;

    add_optional(entry, "shortNames", words(r->short_names));
    add_optional(entry, "categories", words(r->categories));
    json_array_append_new(list, entry);
    json_array_foreach(subs, i, sub) {
        const char *name = json_string_value(sub);
        char full[300];

        (void)snprintf(full, sizeof(full), "%s/%s", r->plural, name);
        entry = json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", full, "singularName", "", "namespaced", r->namespaced,
                          "kind", sub_kind(r, name), "verbs", words(sub_verbs(name)));
        if (strcmp(name, "token") == 0) {
            json_object_set_new(entry, "group", json_string("authentication.k8s.io"));
            json_object_set_new(entry, "version", json_string("v1"));
        }
        json_array_append_new(list, entry);
    }
    json_decref(subs);
}

/* A subresource stands behind its resource. */
static json_t *sorted_by_name(json_t *list_take)
{
    json_t *sorted = json_array(), *entry;
    size_t i, at;

    json_array_foreach(list_take, i, entry) {
        for (at = json_array_size(sorted); at > 0; at--)
            if (strcmp(json_text(json_array_get(sorted, at - 1), "name"), json_text(entry, "name")) <= 0)
                break;
        json_array_insert(sorted, at, entry);
    }
    json_decref(list_take);
    return sorted;
}

static json_t *resource_list(const struct model *m, const char *group, const char *version)
{
    json_t *list = json_array();
    char name[300];

    for (const struct resource *r = NULL; (r = resource_next(m->resources, r));)
        if (strcmp(r->group, group) == 0 && strcmp(r->version, version) == 0)
            add_resource(list, r);
    if (!json_array_size(list)) {
        json_decref(list);
        return NULL;
    }
    list = sorted_by_name(list);
    (void)snprintf(name, sizeof(name), "%s%s%s", group, *group ? "/" : "", version);
    return json_pack("{s:s, s:s, s:s, s:o}", "kind", "APIResourceList", "apiVersion", "v1", "groupVersion", name,
                     "resources", list);
}

/* Versions of a group, in the order they were registered; the first is preferred. NULL: no such group. */
static json_t *group_entry(const struct model *m, const char *group)
{
    json_t *versions = json_array(), *seen = json_object(), *entry;
    char name[300];

    for (const struct resource *r = NULL; (r = resource_next(m->resources, r));) {
        if (strcmp(r->group, group) != 0 || json_object_get(seen, r->version))
            continue;
        json_object_set_new(seen, r->version, json_true());
        (void)snprintf(name, sizeof(name), "%s/%s", group, r->version);
        json_array_append_new(versions, json_pack("{s:s, s:s}", "groupVersion", name, "version", r->version));
    }
    json_decref(seen);
    if (!json_array_size(versions)) {
        json_decref(versions);
        return NULL;
    }
    entry = json_pack("{s:s, s:O, s:O}", "name", group, "versions", versions, "preferredVersion",
                      json_array_get(versions, 0));
    json_decref(versions);
    return entry;
}

static json_t *group_names(const struct model *m)
{
    json_t *names = json_object();

    for (const struct resource *r = NULL; (r = resource_next(m->resources, r));)
        if (*r->group)
            json_object_set_new(names, r->group, json_true());
    return names;
}

static json_t *group_list(const struct model *m)
{
    json_t *names = group_names(m), *groups = json_array(), *unused;
    const char *name;

    json_object_foreach(names, name, unused)
        json_array_append_new(groups, group_entry(m, name));
    json_decref(names);
    return json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups);
}

static json_t *group_alone(const struct model *m, const char *group)
{
    json_t *entry = group_entry(m, group);

    if (entry) {
        json_object_set_new(entry, "kind", json_string("APIGroup"));
        json_object_set_new(entry, "apiVersion", json_string("v1"));
    }
    return entry;
}

static json_t *core_versions(void)
{
    return json_pack("{s:s, s:[s], s:[{s:s, s:s}]}", "kind", "APIVersions", "versions", "v1",
                     "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress", "");
}

/* ---- the aggregated form: APIGroupDiscoveryList ---- */

static json_t *aggregated_resource(const struct resource *r)
{
    json_t *entry = json_pack("{s:s, s:{s:s, s:s, s:s}, s:s, s:s, s:o}", "resource", r->plural, "responseKind", "group",
                              r->group, "version", r->version, "kind", r->kind, "scope",
                              r->namespaced ? "Namespaced" : "Cluster", "singularResource", r->singular, "verbs",
                              verbs_of(r));
    json_t *subs = subs_of(r), *list = json_array(), *sub;
    size_t i;

    add_optional(entry, "shortNames", words(r->short_names));
    add_optional(entry, "categories", words(r->categories));
    json_array_foreach(subs, i, sub) {
        const char *name = json_string_value(sub);
        bool token = strcmp(name, "token") == 0;

        json_array_append_new(list, json_pack("{s:s, s:{s:s, s:s, s:s}, s:o}", "subresource", name, "responseKind",
                                              "group", token ? "authentication.k8s.io" : r->group, "version",
                                              r->version, "kind", sub_kind(r, name), "verbs", words(sub_verbs(name))));
    }
    add_optional(entry, "subresources", list);
    json_decref(subs);
    return entry;
}

static json_t *aggregated_version(const struct model *m, const char *group, const char *version)
{
    json_t *list = json_array();

    for (const struct resource *r = NULL; (r = resource_next(m->resources, r));)
        if (strcmp(r->group, group) == 0 && strcmp(r->version, version) == 0)
            json_array_append_new(list, aggregated_resource(r));
    return json_pack("{s:s, s:s, s:o}", "version", version, "freshness", "Current", "resources", list);
}

static json_t *aggregated_group(const struct model *m, const char *group)
{
    json_t *versions = json_array(), *seen = json_object(), *meta = json_object();

    for (const struct resource *r = NULL; (r = resource_next(m->resources, r));) {
        if (strcmp(r->group, group) != 0 || json_object_get(seen, r->version))
            continue;
        json_object_set_new(seen, r->version, json_true());
        json_array_append_new(versions, aggregated_version(m, group, r->version));
    }
    json_decref(seen);
    if (*group)
        json_object_set_new(meta, "name", json_string(group));
    return json_pack("{s:o, s:o}", "metadata", meta, "versions", versions);
}

static json_t *aggregated_list(const struct model *m, bool core)
{
    json_t *items = json_array(), *names = group_names(m), *unused;
    const char *name;

    if (core)
        json_array_append_new(items, aggregated_group(m, ""));
    else
        json_object_foreach(names, name, unused)
            json_array_append_new(items, aggregated_group(m, name));
    json_decref(names);
    return json_pack("{s:s, s:s, s:{}, s:o}", "kind", "APIGroupDiscoveryList", "apiVersion", "apidiscovery.k8s.io/v2",
                     "metadata", "items", items);
}

static bool wants_aggregated(const struct request *q)
{
    struct str accept = q->serve ? http_header_find(q->serve->headers, q->serve->n_headers, "accept") : STR_NONE;
    struct str type;

    while (str_cut(&accept, ',', &type)) {
        if (!memmem(type.p, type.n, "as=APIGroupDiscoveryList", 24))
            continue;
        if (memmem(type.p, type.n, "v=v2;", 5) || str_ends(str_trim(type), STR("v=v2")))
            return true;
    }
    return false;
}

static int serve_aggregated(struct request *q, bool core)
{
    q->answer_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    return done(q, aggregated_list(q->m, core));
}

/* ---- the rest ---- */

static json_t *version_info(void)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "major", SERVED_AS_MAJOR, "minor",
                     SERVED_AS_MINOR, "gitVersion",
                     "v" SERVED_AS_MAJOR "." SERVED_AS_MINOR ".0+devkube." STASHD_VERSION, "gitCommit", "",
                     "gitTreeState", "clean", "buildDate", "2026-01-01T00:00:00Z", "goVersion", "none", "compiler",
                     "gcc", "platform", "linux/amd64");
}

/* A path that nothing is behind. */
static int not_found(struct request *q)
{
    request_drop_answer(q);
    q->answer = json_string("404 page not found\n");
    return 404;
}

static int done_or_not_found(struct request *q, json_t *answer_take)
{
    return answer_take ? done(q, answer_take) : not_found(q);
}

/* kubectl asks for it in protobuf: before 1.27 for all it knows of kinds, since then about kinds that aren't served. */
static int serve_openapi_v2(struct request *q)
{
    struct str accept = q->serve ? http_header_find(q->serve->headers, q->serve->n_headers, "accept") : STR_NONE;
    json_t *document = openapi_v2(q->m->resources), *text;
    struct buf out;

    if (!accept.n || !memmem(accept.p, accept.n, "protobuf", 8) || memmem(accept.p, accept.n, "json", 4))
        return done(q, document);
    buf_init(&out, OPENAPI_MAX);
    openapi_proto_write(&out, document);
    json_decref(document);
    text = json_stringn_nocheck(out.data, out.len);
    buf_done(&out);
    q->answer_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    return done(q, text);
}

/* /apis/<group>, /apis/<group>/<version> */
static int serve_group(struct request *q, const char *rest)
{
    struct str text = str_of(rest), group, version;
    char *g, *v = NULL;
    int status;

    (void)str_cut(&text, '/', &group);
    g = mem_strndup(group.p, group.n);
    if (str_cut(&text, '/', &version) && version.n)
        v = mem_strndup(version.p, version.n);
    status = *g ? done_or_not_found(q, v ? resource_list(q->m, g, v) : group_alone(q->m, g)) : not_found(q);
    mem_free(g);
    mem_free(v);
    return status;
}

/* /openapi/v3/api/v1, /openapi/v3/apis/<group>/<version> */
static int serve_openapi_v3(struct request *q, const char *rest)
{
    struct str text = str_of(rest), word, group = STR_NONE, version = STR_NONE;
    char *g, *v;
    int status;

    (void)str_cut(&text, '/', &word);
    if (str_is(word, "apis"))
        (void)str_cut(&text, '/', &group);
    (void)str_cut(&text, '/', &version);
    if (!version.n)
        return not_found(q);
    g = mem_strndup(group.n ? group.p : "", group.n);
    v = mem_strndup(version.p, version.n);
    status = done_or_not_found(q, openapi_v3(q->m->resources, g, v));
    mem_free(g);
    mem_free(v);
    return status;
}

static const char *after(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

static bool is_health(const char *path)
{
    static const char *const pages[] = {"/livez",      "/readyz",      "/healthz",
                                        "/livez/ping", "/readyz/ping", "/healthz/ping"};

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (strcmp(path, pages[i]) == 0)
            return true;
    return false;
}

int discovery_serve(struct request *q)
{
    size_t n = strlen(q->path);
    const char *path, *rest;

    if (strcmp(q->verb, "get") != 0 && strcmp(q->verb, "head") != 0)
        return not_found(q);
    if (n > 1 && q->path[n - 1] == '/')
        q->path[n - 1] = 0;
    path = q->path;
    if (strcmp(path, "/api") == 0)
        return wants_aggregated(q) ? serve_aggregated(q, true) : done(q, core_versions());
    if (strcmp(path, "/apis") == 0)
        return wants_aggregated(q) ? serve_aggregated(q, false) : done(q, group_list(q->m));
    if (strcmp(path, "/api/v1") == 0)
        return done(q, resource_list(q->m, "", "v1"));
    if ((rest = after(path, "/apis/")))
        return serve_group(q, rest);
    if (strcmp(path, "/version") == 0)
        return done(q, version_info());
    if (strcmp(path, "/openapi/v2") == 0)
        return serve_openapi_v2(q);
    if (strcmp(path, "/openapi/v3") == 0)
        return done(q, openapi_v3_index(q->m->resources));
    if ((rest = after(path, "/openapi/v3/")))
        return serve_openapi_v3(q, rest);
    if (is_health(path))
        return done(q, json_string("ok"));
    if (strcmp(path, "") == 0 || strcmp(path, "/") == 0)
        return done(q, json_pack("{s:[s, s, s, s, s, s, s]}", "paths", "/api", "/apis", "/healthz", "/livez",
                                 "/openapi/v3", "/readyz", "/version"));
    return not_found(q);
}
