/*
 * resource: the table of served kinds. The built-in rows are written here; rows of CustomResourceDefinitions come and
 * go at run time.
 */
#include "k8s/model/resource.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/schema.h"

struct resources {
    struct list all;
    uint64_t serial;
};

enum { NS = 1, STATUS = 2, GEN = 4, VIRTUAL = 8, ALL = 16 };

static const struct builtin_row {
    const char *group, *version, *kind, *plural, *short_names, *subresources;
    unsigned flags;
} builtins[] = {
    {"", "v1", "Namespace", "namespaces", "ns", "finalize", STATUS},
    {"", "v1", "Pod", "pods", "po", "log", NS | STATUS | GEN | ALL},
    {"", "v1", "Secret", "secrets", "", "", NS},
    {"", "v1", "ConfigMap", "configmaps", "cm", "", NS},
    {"", "v1", "Service", "services", "svc", "", NS | STATUS | ALL},
    {"", "v1", "Endpoints", "endpoints", "ep", "", NS},
    {"", "v1", "ServiceAccount", "serviceaccounts", "sa", "token", NS},
    {"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "", NS | STATUS},
    {"", "v1", "PersistentVolume", "persistentvolumes", "pv", "", STATUS},
    {"", "v1", "ResourceQuota", "resourcequotas", "quota", "", NS | STATUS},
    {"", "v1", "Event", "events", "ev", "", NS},
    {"", "v1", "Node", "nodes", "no", "", STATUS},
    {"apps", "v1", "Deployment", "deployments", "deploy", "", NS | STATUS | GEN | ALL},
    {"apps", "v1", "StatefulSet", "statefulsets", "sts", "", NS | STATUS | GEN | ALL},
    {"apps", "v1", "ReplicaSet", "replicasets", "rs", "", NS | STATUS | GEN | ALL},
    {"apps", "v1", "DaemonSet", "daemonsets", "ds", "", NS | STATUS | GEN | ALL},
    {"batch", "v1", "Job", "jobs", "", "", NS | STATUS | GEN | ALL},
    {"batch", "v1", "CronJob", "cronjobs", "cj", "", NS | STATUS | GEN | ALL},
    {"coordination.k8s.io", "v1", "Lease", "leases", "", "", NS},
    {"discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "", "", NS},
    {"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol", "", NS | GEN},
    {"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", "", NS | STATUS | GEN},
    {"storage.k8s.io", "v1", "StorageClass", "storageclasses", "sc", "", 0},
    {"rbac.authorization.k8s.io", "v1", "Role", "roles", "", "", NS},
    {"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "", "", NS},
    {"rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", "", "", 0},
    {"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", "", "", 0},
    {"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "crd,crds", "",
     STATUS | GEN},
    {"authentication.k8s.io", "v1", "TokenReview", "tokenreviews", "", "", VIRTUAL},
    {"authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", "", "", VIRTUAL},
    {"authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", "", "", VIRTUAL},
    {"authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "", "", VIRTUAL},
    {"authorization.k8s.io", "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", "", "", VIRTUAL | NS},
    {"authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", "", "", VIRTUAL},
};

/* ---- rows ---- */

/* All texts of a row are its own, so that custom rows and built-in ones are freed alike. */
static struct resource *row_new(const char *group, const char *version, const char *kind, const char *plural)
{
    struct resource *r = mem_zalloc(sizeof(*r));

    r->group = mem_strdup(group);
    r->version = mem_strdup(version);
    r->kind = mem_strdup(kind);
    r->plural = mem_strdup(plural);
    return r;
}

static char *lower(const char *text)
{
    char *out = mem_strdup(text);

    for (char *c = out; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return out;
}

static void row_free(struct resource *r)
{
    const char *texts[] = {r->group, r->version, r->kind, r->list_kind, r->plural, r->singular, r->short_names,
                           r->categories, r->subresources};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        mem_free((void *)(uintptr_t)texts[i]);
    schema_free(r->schema);
    json_decref(r->open_api);
    json_decref(r->columns);
    mem_free(r);
}

static struct table *row_table(struct store *s, const char *plural, const char *group)
{
    char name[512];

    (void)snprintf(name, sizeof(name), "%s%s%s", plural, *group ? "." : "", group);
    return store_table(s, name);
}

static void add_builtin(struct resources *rs, struct store *s, const struct builtin_row *b)
{
    struct resource *r = row_new(b->group, b->version, b->kind, b->plural);

    r->list_kind = mem_printf("%sList", b->kind);
    r->singular = lower(b->kind);
    r->short_names = mem_strdup(b->short_names);
    r->categories = mem_strdup(b->flags & ALL ? "all" : "");
    r->subresources = mem_strdup(b->subresources);
    r->namespaced = b->flags & NS;
    r->has_status = b->flags & STATUS;
    r->bumps_generation = b->flags & GEN;
    r->virtual_only = b->flags & VIRTUAL;
    r->builtin = true;
    r->table = r->virtual_only ? NULL : row_table(s, b->plural, b->group);
    list_add_tail(&rs->all, &r->link);
}

struct resources *resources_new(struct store *s)
{
    struct resources *rs = mem_zalloc(sizeof(*rs));

    list_init(&rs->all);
    for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
        add_builtin(rs, s, &builtins[i]);
    return rs;
}

void resources_free(struct resources *rs)
{
    struct list *l;

    if (!rs)
        return;
    while ((l = list_pop(&rs->all)))
        row_free(LIST_ENTRY(l, struct resource, link));
    mem_free(rs);
}

/* ---- finding ---- */

const struct resource *resource_next(const struct resources *rs, const struct resource *r)
{
    const struct list *l = r ? r->link.next : rs->all.next;

    return l == &rs->all ? NULL : LIST_ENTRY(l, const struct resource, link);
}

const struct resource *resource_find(const struct resources *rs, struct str group, struct str version,
                                     struct str plural)
{
    for (const struct resource *r = NULL; (r = resource_next(rs, r));)
        if (str_is(plural, r->plural) && str_is(version, r->version) && str_is(group, r->group))
            return r;
    return NULL;
}

const struct resource *resource_of_kind(const struct resources *rs, const char *api_version, const char *kind)
{
    char text[256];

    for (const struct resource *r = NULL; (r = resource_next(rs, r));)
        if (str_same(r->kind, kind) && str_same(resource_api_version(r, text), api_version))
            return r;
    return NULL;
}

const struct resource *resource_of_table(const struct resources *rs, const struct table *t)
{
    for (const struct resource *r = NULL; (r = resource_next(rs, r));)
        if (r->table == t)
            return r;
    return NULL;
}

const char *resource_api_version(const struct resource *r, char out[256])
{
    (void)snprintf(out, 256, "%s%s%s", r->group, *r->group ? "/" : "", r->version);
    return out;
}

json_t *resource_copy(const struct resource *r, const json_t *object, bool shares_spec)
{
    json_t *copy, *value;
    const char *key;

    if (!shares_spec || !r->builtin || (!str_same(r->kind, "Job") && !str_same(r->kind, "Pod")))
        return json_clone(object);
    copy = json_copy((json_t *)(uintptr_t)object);
    json_object_foreach (copy, key, value)
        if (strcmp(key, "spec") != 0)
            json_object_set_new(copy, key, json_clone(value)); /* of a key that is there: the loop goes on */
    return copy;
}

uint64_t resources_serial(const struct resources *rs)
{
    return rs->serial;
}

/* ---- custom kinds ---- */

static char *joined(const json_t *list)
{
    char *text = mem_strdup("");
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        char *longer = mem_printf("%s%s%s", text, *text ? "," : "", json_string_value(item));

        mem_free(text);
        text = longer;
    }
    return text;
}

static void add_custom(struct resources *rs, struct store *s, const json_t *crd, const json_t *version)
{
    const char *kind = json_text(crd, "spec.names.kind"), *list_kind = json_text(crd, "spec.names.listKind");
    const char *singular = json_text(crd, "spec.names.singular");
    struct resource *r = row_new(json_text(crd, "spec.group"), json_text(version, "name"), kind,
                                 json_text(crd, "spec.names.plural"));
    json_t *open_api = json_at(version, "schema.openAPIV3Schema");
    struct error e;

    r->list_kind = *list_kind ? mem_strdup(list_kind) : mem_printf("%sList", kind);
    r->singular = *singular ? mem_strdup(singular) : lower(kind);
    r->short_names = joined(json_at(crd, "spec.names.shortNames"));
    r->categories = joined(json_at(crd, "spec.names.categories"));
    r->subresources = mem_strdup("");
    r->namespaced = strcmp(json_text(crd, "spec.scope"), "Namespaced") == 0;
    r->has_status = json_at(version, "subresources.status") != NULL;
    r->bumps_generation = true;
    r->table = row_table(s, r->plural, r->group);
    r->columns = json_incref(json_object_get(version, "additionalPrinterColumns"));
    r->open_api = json_incref(open_api);
    /* A schema that doesn't compile was refused when the definition was written; a stored one always does. */
    r->schema = open_api ? schema_compile(open_api, &e) : NULL;
    list_add_tail(&rs->all, &r->link);
}

void resources_set_crd(struct resources *rs, struct store *s, const char *plural, const char *group, const json_t *crd)
{
    const json_t *version;
    size_t i;

    rs->serial++;
    LIST_EACH_SAFE(it, &rs->all) {
        struct resource *r = LIST_ENTRY(it, struct resource, link);

        if (!r->builtin && str_same(r->plural, plural) && str_same(r->group, group)) {
            list_del(it);
            row_free(r);
        }
    }
    json_array_foreach(json_at(crd, "spec.versions"), i, version)
        if (json_flag(version, "served", false))
            add_custom(rs, s, crd, version);
}
