/*
 * rbac_write: nobody gives what he hasn't: a Role may hold only rules that its writer holds (or he has the verb
 * escalate on it), a binding only a role whose rules he holds (or he has the verb bind on it).
 */
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/rbac.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

/* ---- covering: one verb, group, resource, name at a time ---- */

static bool lists(const json_t *list, const char *word)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (str_same(json_string_value(item), word))
            return true;
    return false;
}

static bool lists_or_all(const json_t *list, const char *word)
{
    return lists(list, "*") || lists(list, word);
}

static bool path_covered(const json_t *list, const char *path)
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

static bool resource_covered(const json_t *list, const char *resource)
{
    const char *slash = strchr(resource, '/');
    char any[256];

    if (lists_or_all(list, resource))
        return true;
    if (!slash)
        return false;
    (void)snprintf(any, sizeof(any), "*%s", slash);
    return lists(list, any);
}

struct piece { /* one permission; a text NULL where it doesn't apply */
    const char *verb, *group, *resource, *name, *path;
};

static bool rule_covers(const json_t *rule, const struct piece *p)
{
    const json_t *names = json_object_get(rule, "resourceNames");

    if (!lists_or_all(json_object_get(rule, "verbs"), p->verb))
        return false;
    if (p->path)
        return path_covered(json_object_get(rule, "nonResourceURLs"), p->path);
    return lists_or_all(json_object_get(rule, "apiGroups"), p->group) &&
           resource_covered(json_object_get(rule, "resources"), p->resource) &&
           (!json_array_size(names) || (p->name && lists(names, p->name)));
}

static bool piece_covered(const json_t *rules, const struct piece *p)
{
    const json_t *rule;
    size_t i;

    json_array_foreach(rules, i, rule)
        if (rule_covers(rule, p))
            return true;
    return false;
}

/* All names of a rule (or none) with one verb, group and resource. */
static bool names_covered(const json_t *rules, const json_t *names, struct piece *p)
{
    const json_t *name;
    size_t i;

    p->name = NULL;
    if (!json_array_size(names))
        return piece_covered(rules, p);
    json_array_foreach(names, i, name) {
        p->name = json_string_value(name);
        if (!piece_covered(rules, p))
            return false;
    }
    return true;
}

static bool wanted_covered(const json_t *rules, const json_t *wanted)
{
    const json_t *verb, *group, *resource, *path;
    size_t v, g, r;

    json_array_foreach(json_object_get(wanted, "verbs"), v, verb) {
        struct piece p = {.verb = json_string_value(verb)};

        if (!p.verb)
            return false;
        json_array_foreach(json_object_get(wanted, "apiGroups"), g, group)
            json_array_foreach(json_object_get(wanted, "resources"), r, resource) {
                p.group = json_string_value(group);
                p.resource = json_string_value(resource);
                if (!p.group || !p.resource || !names_covered(rules, json_object_get(wanted, "resourceNames"), &p))
                    return false;
            }
        json_array_foreach(json_object_get(wanted, "nonResourceURLs"), g, path) {
            p.path = json_string_value(path);
            if (!p.path || !piece_covered(rules, &p))
                return false;
            p.path = NULL;
        }
    }
    return true;
}

bool rbac_covers(const json_t *rules, const json_t *wanted, const json_t **ret_missing)
{
    const json_t *rule;
    size_t i;

    json_array_foreach(wanted, i, rule) {
        if (!wanted_covered(rules, rule)) {
            *ret_missing = rule;
            return false;
        }
    }
    return true;
}

/* ---- the check ---- */

static bool has_verb(struct request *q, const char *verb, const char *resource, const char *ns, const char *name)
{
    struct access a = {.verb = verb,
                       .is_resource = true,
                       .group = RBAC_GROUP,
                       .resource = resource,
                       .sub = "",
                       .ns = ns,
                       .name = name,
                       .path = ""};

    return rbac_allows(q->m, q->user, &a, NULL, 0);
}

static int refuse(struct request *q, const char *name, const json_t *missing)
{
    char what[256];
    char *rule = json_compact(missing);
    int status =
        request_fail(q, 403, "Forbidden",
                     "%s \"%s\" is forbidden: user \"%s\" (groups=%zu) is attempting to grant RBAC permissions "
                     "not currently held: %s",
                     request_what(q, what), name, q->user->name, json_array_size(q->user->groups), rule);

    mem_free(rule);
    return status;
}

static int check_rules(struct request *q, const char *name, const json_t *wanted, const char *ns)
{
    json_t *held = rbac_rules(q->m, q->user, ns);
    const json_t *missing = NULL;
    int status = rbac_covers(held, wanted, &missing) ? 0 : refuse(q, name, missing);

    json_decref(held);
    return status;
}

static int check_role(struct request *q, const json_t *role, const json_t *old)
{
    const char *name = json_text(role, "metadata.name");
    bool cluster = strcmp(q->r->kind, "ClusterRole") == 0;
    int status;

    if (old && json_equal(json_object_get(role, "rules"), json_object_get(old, "rules")) &&
        json_equal(json_object_get(role, "aggregationRule"), json_object_get(old, "aggregationRule")))
        return 0;
    if (has_verb(q, "escalate", q->plural, q->ns, name))
        return 0;
    status = check_rules(q, name, json_object_get(role, "rules"), cluster ? "" : q->ns);
    if (!status && cluster && json_object_get(role, "aggregationRule")) {
        /* It may come to hold anything: only who has all may write it. */
        json_t *all = json_pack("[{s:[s], s:[s], s:[s]}, {s:[s], s:[s]}]", "verbs", "*", "apiGroups", "*", "resources",
                                "*", "verbs", "*", "nonResourceURLs", "*");

        status = check_rules(q, name, all, "");
        json_decref(all);
    }
    return status;
}

static int check_binding(struct request *q, const json_t *binding, const json_t *old)
{
    const json_t *ref = json_object_get(binding, "roleRef");
    const char *role_name = json_text(ref, "name"), *name = json_text(binding, "metadata.name");
    bool cluster = strcmp(json_text(ref, "kind"), "ClusterRole") == 0;
    struct stored *role;

    if (old && json_equal(ref, json_object_get(old, "roleRef")) &&
        json_equal(json_object_get(binding, "subjects"), json_object_get(old, "subjects")))
        return 0;
    if (has_verb(q, "bind", cluster ? "clusterroles" : "roles", q->ns, role_name))
        return 0;
    role = store_get(store_table(q->m->store, cluster ? "clusterroles." RBAC_GROUP : "roles." RBAC_GROUP),
                     cluster ? "" : q->ns, role_name);
    if (!role)
        return request_fail(q, 404, "NotFound", "%s.%s \"%s\" not found", cluster ? "clusterroles" : "roles",
                            RBAC_GROUP, role_name);
    return check_rules(q, name, json_object_get(role->json, "rules"), q->ns);
}

int rbac_check_write(struct request *q, const json_t *object, const json_t *old)
{
    if (!q->m->rbac || !q->r->builtin || strcmp(q->r->group, RBAC_GROUP) != 0)
        return 0;
    if (str_ends(str_of(q->r->kind), STR("Binding")))
        return check_binding(q, object, old);
    return check_role(q, object, old);
}
