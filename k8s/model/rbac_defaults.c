/*
 * rbac_defaults: the ClusterRoles and bindings that each cluster comes with, as far as they are used here, and the
 * aggregation of ClusterRoles by label.
 */
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/rbac.h"
#include "k8s/model/selector.h"

#define RBAC_PATH "/apis/rbac.authorization.k8s.io/v1"

/* ---- the defaults, as JSON ---- */

#define ALL_VERBS "[\"*\"]"
#define READ "[\"get\",\"list\",\"watch\"]"
#define WRITE "[\"create\",\"delete\",\"deletecollection\",\"patch\",\"update\"]"
#define RULE(groups, resources, verbs) "{\"apiGroups\":" groups ",\"resources\":" resources ",\"verbs\":" verbs "}"
#define WORKLOADS                                                                                                      \
    "[\"pods\",\"pods/log\",\"services\",\"endpoints\",\"configmaps\",\"serviceaccounts\",\"persistentvolumeclaims\"," \
    "\"events\",\"deployments\",\"statefulsets\",\"replicasets\",\"daemonsets\",\"jobs\",\"cronjobs\","                \
    "\"endpointslices\",\"networkpolicies\",\"poddisruptionbudgets\"]"
#define WORKLOADS_STATUS                                                                                               \
    "[\"pods/status\",\"services/status\",\"persistentvolumeclaims/status\",\"deployments/status\","                  \
    "\"statefulsets/status\",\"replicasets/status\",\"daemonsets/status\",\"jobs/status\",\"cronjobs/status\"]"
#define GROUPS "[\"\",\"apps\",\"batch\",\"discovery.k8s.io\",\"networking.k8s.io\",\"policy\"]"

static const struct {
    const char *name, *aggregate_to, *rules;
} roles[] = {
    {"cluster-admin", NULL,
     "[" RULE("[\"*\"]", "[\"*\"]", ALL_VERBS) ",{\"nonResourceURLs\":[\"*\"],\"verbs\":[\"*\"]}]"},
    {"system:aggregate-to-view", "view",
     "[" RULE(GROUPS, WORKLOADS, READ) "," RULE(GROUPS, WORKLOADS_STATUS, READ) ","
     RULE("[\"\"]", "[\"namespaces\"]", READ) "]"},
    {"system:aggregate-to-edit", "edit",
     "[" RULE(GROUPS, WORKLOADS, WRITE) "," RULE("[\"\"]", "[\"secrets\"]", READ) ","
     RULE("[\"\"]", "[\"secrets\"]", WRITE) "," RULE("[\"\"]", "[\"serviceaccounts\"]", "[\"impersonate\"]") ","
     RULE("[\"\"]", "[\"serviceaccounts/token\"]", "[\"create\"]") ","
     RULE("[\"\"]", "[\"pods/exec\",\"pods/attach\",\"pods/portforward\"]", "[\"get\",\"create\"]") ","
     RULE("[\"coordination.k8s.io\"]", "[\"leases\"]", "[\"get\",\"list\",\"watch\",\"create\",\"delete\",\"patch\","
                                                       "\"update\",\"deletecollection\"]") "]"},
    {"system:aggregate-to-admin", "admin",
     "[" RULE("[\"rbac.authorization.k8s.io\"]", "[\"roles\",\"rolebindings\"]",
              "[\"get\",\"list\",\"watch\",\"create\",\"delete\",\"deletecollection\",\"patch\",\"update\"]") ","
     RULE("[\"authorization.k8s.io\"]", "[\"localsubjectaccessreviews\"]", "[\"create\"]") "]"},
    {"system:basic-user", NULL,
     "[" RULE("[\"authorization.k8s.io\"]", "[\"selfsubjectaccessreviews\",\"selfsubjectrulesreviews\"]",
              "[\"create\"]") "," RULE("[\"authentication.k8s.io\"]", "[\"selfsubjectreviews\"]", "[\"create\"]") "]"},
    {"system:discovery", NULL,
     "[{\"nonResourceURLs\":[\"/api\",\"/api/*\",\"/apis\",\"/apis/*\",\"/healthz\",\"/livez\",\"/openapi\","
     "\"/openapi/*\",\"/readyz\",\"/version\",\"/version/\"],\"verbs\":[\"get\"]}]"},
    {"system:public-info-viewer", NULL,
     "[{\"nonResourceURLs\":[\"/healthz\",\"/livez\",\"/readyz\",\"/version\",\"/version/\"],\"verbs\":[\"get\"]}]"},
    {"system:auth-delegator", NULL,
     "[" RULE("[\"authentication.k8s.io\"]", "[\"tokenreviews\"]", "[\"create\"]") ","
     RULE("[\"authorization.k8s.io\"]", "[\"subjectaccessreviews\"]", "[\"create\"]") "]"},
};

/* Each collects what is labelled for it, and what the one before collects. */
static const struct {
    const char *name, *selectors[3];
} aggregated[] = {
    {"view", {"view"}},
    {"edit", {"edit", "view"}},
    {"admin", {"admin", "edit", "view"}},
};

static const struct {
    const char *name, *role, *groups[2];
} bindings[] = {
    {"cluster-admin", "cluster-admin", {"system:masters"}},
    {"system:basic-user", "system:basic-user", {"system:authenticated"}},
    {"system:discovery", "system:discovery", {"system:authenticated"}},
    {"system:public-info-viewer", "system:public-info-viewer", {"system:authenticated", "system:unauthenticated"}},
};

static void ensure(struct model *m, const char *path, json_t *object_take)
{
    char *one = mem_printf("%s/%s", path, json_text(object_take, "metadata.name"));

    if (model_do(m, "system:apiserver", "GET", one, NULL, NULL) == 404)
        (void)model_do(m, "system:apiserver", "POST", path, object_take, NULL); /* 409: it is there after all */
    mem_free(one);
    json_decref(object_take);
}

static json_t *role_of(const char *name, const char *aggregate_to, const char *rules)
{
    json_t *labels = json_pack("{s:s}", "kubernetes.io/bootstrapping", "rbac-defaults");
    char key[128];

    if (aggregate_to) {
        (void)snprintf(key, sizeof(key), "rbac.authorization.k8s.io/aggregate-to-%s", aggregate_to);
        json_object_set_new(labels, key, json_string("true"));
    }
    return json_pack("{s:{s:s, s:o}, s:o}", "metadata", "name", name, "labels", labels, "rules",
                     json_loads(rules, 0, NULL));
}

static json_t *aggregated_role(const char *name, const char *const *selectors)
{
    json_t *list = json_array(), *role = role_of(name, NULL, "[]");
    char key[128];

    for (size_t i = 0; i < 3 && selectors[i]; i++) {
        (void)snprintf(key, sizeof(key), "rbac.authorization.k8s.io/aggregate-to-%s", selectors[i]);
        json_array_append_new(list, json_pack("{s:{s:s}}", "matchLabels", key, "true"));
    }
    json_object_set_new(role, "aggregationRule", json_pack("{s:o}", "clusterRoleSelectors", list));
    return role;
}

void rbac_bootstrap(struct model *m)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        ensure(m, RBAC_PATH "/clusterroles", role_of(roles[i].name, roles[i].aggregate_to, roles[i].rules));
    for (size_t i = 0; i < sizeof(aggregated) / sizeof(aggregated[0]); i++)
        ensure(m, RBAC_PATH "/clusterroles", aggregated_role(aggregated[i].name, aggregated[i].selectors));
    for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++) {
        json_t *subjects = json_array();

        for (size_t k = 0; k < 2 && bindings[i].groups[k]; k++)
            json_array_append_new(subjects, json_pack("{s:s, s:s, s:s}", "apiGroup", "rbac.authorization.k8s.io",
                                                      "kind", "Group", "name", bindings[i].groups[k]));
        ensure(m, RBAC_PATH "/clusterrolebindings",
               json_pack("{s:{s:s}, s:{s:s, s:s, s:s}, s:o}", "metadata", "name", bindings[i].name, "roleRef",
                         "apiGroup", "rbac.authorization.k8s.io", "kind", "ClusterRole", "name", bindings[i].role,
                         "subjects", subjects));
    }
}

/* ---- aggregation ---- */

static json_t *collected(struct model *m, const struct stored *role)
{
    struct table *t = store_table(m->store, "clusterroles.rbac.authorization.k8s.io");
    json_t *rules = json_array(), *selector, *rule;
    struct stored *o;
    size_t s, k;

    for (size_t i = 0; (o = store_at(t, NULL, i)); i++) {
        bool wanted = false;

        if (o == role)
            continue;
        json_array_foreach(json_at(role->json, "aggregationRule.clusterRoleSelectors"), s, selector)
            wanted = wanted || selector_fits_object(selector, json_at(o->json, "metadata.labels"));
        if (!wanted)
            continue;
        json_array_foreach(json_object_get(o->json, "rules"), k, rule)
            json_array_append(rules, rule);
    }
    return rules;
}

static void rbac_due(struct timer *t)
{
    struct model *m = t->data;
    struct store_list list;

    if (!store_list(m->store, store_table(m->store, "clusterroles.rbac.authorization.k8s.io"), NULL, 0, &list))
        return;
    for (size_t i = 0; i < list.n; i++) {
        struct stored *o = list.items[i];
        json_t *rules, *patch;
        char *path;

        if (!json_object_get(o->json, "aggregationRule"))
            continue;
        rules = collected(m, o);
        patch = json_pack("{s:O}", "rules", rules);
        path = mem_printf(RBAC_PATH "/clusterroles/%s", o->name);
        if (!json_equal(rules, json_object_get(o->json, "rules")))
            (void)model_do(m, "system:apiserver", "PATCH", path, patch, NULL);
        mem_free(path);
        json_decref(patch);
        json_decref(rules);
    }
    store_list_free(&list);
}

void rbac_role_changed(struct model *m)
{
    if (m->started)
        timer_set_in(m->env, &m->rbac_timer, 0);
}

void rbac_init(struct model *m)
{
    timer_init(&m->rbac_timer, rbac_due, m);
}

void rbac_done(struct model *m)
{
    timer_clear(m->env, &m->rbac_timer);
}
