/*
 * rbac: the authorizer. Rules are walked at each request: with the few hundred bindings of the clusters we serve that
 * costs less than an index that must follow every change.
 */
#include "k8s/model/rbac.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/selector.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

/* ---- one rule ---- */

static bool has(const json_t *list, const char *word)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        const char *text = json_string_value(item);

        if (text && (strcmp(text, "*") == 0 || strcmp(text, word) == 0))
            return true;
    }
    return false;
}

/* "pods", "pods/log", "*", "*"+"/log" */
static bool has_resource(const json_t *list, const char *resource, const char *sub)
{
    const json_t *item;
    size_t i;
    char full[512], any[256];

    (void)snprintf(full, sizeof(full), "%s%s%s", resource, *sub ? "/" : "", sub);
    (void)snprintf(any, sizeof(any), "*/%s", sub);
    json_array_foreach(list, i, item) {
        const char *text = json_string_value(item);

        if (text && (strcmp(text, "*") == 0 || strcmp(text, full) == 0 || (*sub && strcmp(text, any) == 0)))
            return true;
    }
    return false;
}

static bool has_path(const json_t *list, const char *path)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        const char *text = json_string_value(item);
        size_t n = text ? strlen(text) : 0;

        if (text && (strcmp(text, path) == 0 || (n && text[n - 1] == '*' && strncmp(text, path, n - 1) == 0)))
            return true;
    }
    return false;
}

static bool rule_allows(const json_t *rule, const struct access *a)
{
    const json_t *names = json_object_get(rule, "resourceNames");

    if (!has(json_object_get(rule, "verbs"), a->verb))
        return false;
    if (!a->is_resource)
        return has_path(json_object_get(rule, "nonResourceURLs"), a->path);
    if (!has(json_object_get(rule, "apiGroups"), a->group))
        return false;
    if (!has_resource(json_object_get(rule, "resources"), a->resource, a->sub))
        return false;
    if (!json_array_size(names))
        return true;
    return *a->name && has(names, a->name);
}

/* ---- bindings ---- */

static bool is_member(const json_t *list, const char *word)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (str_same(json_string_value(item), word))
            return true;
    return false;
}

static bool subject_is(const json_t *subject, const struct user *u, const char *binding_ns)
{
    const char *kind = json_text(subject, "kind"), *name = json_text(subject, "name");
    const char *ns = json_text(subject, "namespace");
    char full[600];

    if (strcmp(kind, "User") == 0)
        return strcmp(name, u->name) == 0;
    if (strcmp(kind, "Group") == 0)
        return is_member(u->groups, name);
    if (strcmp(kind, "ServiceAccount") != 0)
        return false;
    (void)snprintf(full, sizeof(full), "system:serviceaccount:%s:%s", *ns ? ns : binding_ns, name);
    return strcmp(full, u->name) == 0;
}

static const json_t *rules_of_ref(struct model *m, const json_t *ref, const char *ns)
{
    bool cluster = strcmp(json_text(ref, "kind"), "ClusterRole") == 0;
    struct table *t = store_table(m->store, cluster ? "clusterroles." RBAC_GROUP : "roles." RBAC_GROUP);
    struct stored *role = store_get(t, cluster ? "" : ns, json_text(ref, "name"));

    return role ? json_object_get(role->json, "rules") : NULL;
}

/* Each rule that counts for the user: told until `on_rule` returns true; returns whether it did. */
typedef bool rule_fn(void *ctx, const json_t *rule, const struct stored *binding, bool cluster_wide);

static bool walk_table(struct model *m, const struct user *u, struct table *t, const char *ns, bool cluster_wide,
                       rule_fn *on_rule, void *ctx)
{
    struct stored *binding;

    for (size_t i = store_first(t, ns); (binding = store_at(t, ns, i)); i++) {
        const json_t *subject, *rule, *rules;
        bool bound = false;
        size_t k;

        json_array_foreach(json_object_get(binding->json, "subjects"), k, subject)
            bound = bound || subject_is(subject, u, binding->ns);
        if (!bound)
            continue;
        rules = rules_of_ref(m, json_object_get(binding->json, "roleRef"), binding->ns);
        json_array_foreach(rules, k, rule)
            if (on_rule(ctx, rule, binding, cluster_wide))
                return true;
    }
    return false;
}

static bool walk(struct model *m, const struct user *u, const char *ns, rule_fn *on_rule, void *ctx)
{
    if (walk_table(m, u, store_table(m->store, "clusterrolebindings." RBAC_GROUP), NULL, true, on_rule, ctx))
        return true;
    return *ns && walk_table(m, u, store_table(m->store, "rolebindings." RBAC_GROUP), ns, false, on_rule, ctx);
}

static bool is_master(const struct user *u)
{
    return is_member(u->groups, "system:masters");
}

/* ---- questions ---- */

struct question {
    const struct access *access;
    char *reason;
    size_t size;
};

static bool question_rule(void *ctx, const json_t *rule, const struct stored *binding, bool cluster_wide)
{
    struct question *q = ctx;

    if (!rule_allows(rule, q->access))
        return false;
    if (q->reason)
        (void)snprintf(q->reason, q->size, "RBAC: allowed by %s \"%s%s%s\" of %s \"%s\"",
                       cluster_wide ? "ClusterRoleBinding" : "RoleBinding", binding->name, cluster_wide ? "" : "/",
                       cluster_wide ? "" : binding->ns, json_text(binding->json, "roleRef.kind"),
                       json_text(binding->json, "roleRef.name"));
    return true;
}

bool rbac_allows(struct model *m, const struct user *u, const struct access *a, char *reason, size_t size)
{
    struct question q = {a, reason, size};

    if (reason && size)
        reason[0] = 0;
    if (!m->rbac || is_master(u))
        return true;
    return walk(m, u, a->ns, question_rule, &q);
}

static bool collect_rule(void *ctx, const json_t *rule, const struct stored *binding, bool cluster_wide)
{
    (void)binding;
    (void)cluster_wide;
    json_array_append(ctx, (json_t *)(uintptr_t)rule);
    return false;
}

json_t *rbac_rules(struct model *m, const struct user *u, const char *ns)
{
    json_t *rules = json_array();

    if (!m->rbac || is_master(u)) {
        json_array_append_new(rules,
                              json_pack("{s:[s], s:[s], s:[s]}", "verbs", "*", "apiGroups", "*", "resources", "*"));
        json_array_append_new(rules, json_pack("{s:[s], s:[s]}", "verbs", "*", "nonResourceURLs", "*"));
        return rules;
    }
    (void)walk(m, u, ns, collect_rule, rules);
    return rules;
}

/* A list or watch of one name (fieldSelector metadata.name=x) counts as asking for that name: resourceNames may fit. */
static bool allows_one(struct request *q, struct access a)
{
    struct selector *fields = NULL;
    char text[1024];
    bool allowed = false;

    if (!q->r || *q->name || strcmp(q->verb, "create") == 0)
        return false;
    request_query(q, "fieldSelector", text, sizeof(text));
    if (selector_parse_fields(&fields, q->r, text, NULL) == 0 && selector_name(fields)) {
        a.name = selector_name(fields);
        allowed = rbac_allows(q->m, q->user, &a, NULL, 0);
    }
    selector_free(fields);
    return allowed;
}

int rbac_check(struct request *q)
{
    struct access a = {.verb = q->verb, .is_resource = q->is_resource, .group = q->group, .resource = q->plural,
                       .sub = q->sub, .ns = q->ns, .name = q->name, .path = q->path};
    char what[256], where[300];

    if (rbac_allows(q->m, q->user, &a, NULL, 0) || (q->is_resource && allows_one(q, a)))
        return 0;
    if (!q->is_resource)
        return request_fail(q, 403, "Forbidden", "forbidden: User \"%s\" cannot %s path \"%s\"", q->user->name, q->verb,
                            q->path);
    if (*q->ns && strcmp(q->plural, "namespaces") != 0)
        (void)snprintf(where, sizeof(where), "in the namespace \"%s\"", q->ns);
    else
        (void)snprintf(where, sizeof(where), "at the cluster scope");
    return request_fail(q, 403, "Forbidden",
                        "%s%s%s%s is forbidden: User \"%s\" cannot %s resource \"%s%s%s\" in API group \"%s\" %s",
                        request_what(q, what), *q->name ? " \"" : "", q->name, *q->name ? "\"" : "", q->user->name,
                        q->verb, q->plural, *q->sub ? "/" : "", q->sub, q->group, where);
}
