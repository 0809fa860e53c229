/*
 * repository_look: what an invoker may know about its Repository (repository.h). The order matters: first whether it is
 * there, then whether the namespace may use it, and only then anything about its Secret: a namespace that may not use a
 * Repository learns that the name exists, nothing else (multitenancy.md 3.1).
 */
#include "controllers/repository.h"

#include "controllers/condition.h"
#include "core/base/json.h"
#include "core/base/mem.h"

/* ---- label selectors ---- */

static bool value_in(const json_t *values, const char *value)
{
    const json_t *v;
    size_t i;

    json_array_foreach ((json_t *)values, i, v) {
        if (json_is_string(v) && strcmp(json_string_value(v), value) == 0)
            return true;
    }
    return false;
}

static bool expression_matches(const json_t *e, const json_t *labels)
{
    const char *op = json_text(e, "operator");
    const char *value = json_string_value(json_object_get(labels, json_text(e, "key")));

    if (strcmp(op, "Exists") == 0)
        return value != NULL;
    if (strcmp(op, "DoesNotExist") == 0)
        return value == NULL;
    if (strcmp(op, "In") == 0)
        return value && value_in(json_at(e, "values"), value);
    if (strcmp(op, "NotIn") == 0)
        return !value || !value_in(json_at(e, "values"), value);
    return false;
}

/* A missing selector matches nothing, an empty one everything. */
static bool selector_matches(const json_t *selector, const json_t *labels)
{
    const json_t *wanted, *e;
    const char *key;
    size_t i;

    if (!json_is_object(selector))
        return false;
    json_object_foreach (json_at(selector, "matchLabels"), key, wanted) {
        if (!str_same(json_string_value(json_object_get(labels, key)), json_string_value(wanted)) ||
            !json_object_get(labels, key))
            return false;
    }
    json_array_foreach (json_at(selector, "matchExpressions"), i, e) {
        if (!expression_matches(e, labels))
            return false;
    }
    return true;
}

/* ---- the policy ---- */

static bool policy_allows(struct world *w, const json_t *repository, const char *own_ns)
{
    const char *from = json_text(repository, "spec.usagePolicy.allowedNamespaces.from");
    bool same = strcmp(json_text(repository, "metadata.namespace"), own_ns) == 0;

    if (strcmp(from, "All") == 0)
        return true;
    if (strcmp(from, "Selector") == 0) {
        const json_t *ns = world_doc(w, kind_get(KIND_NAMESPACE), NULL, own_ns);

        return selector_matches(json_at(repository, "spec.usagePolicy.allowedNamespaces.selector"),
                                json_at(ns, "metadata.labels"));
    }
    return same; /* Same, or no policy */
}

/* The operator gives a foreign namespace's worker the Secret only where the platform said so. */
static bool may_lend(const struct operator_settings *s, const char *own_ns)
{
    if (s->lend_everywhere)
        return true;
    for (size_t i = 0; i < s->lend_to.n; i++) {
        if (strcmp(s->lend_to.items[i], own_ns) == 0)
            return true;
    }
    return false;
}

const char *repository_refusal(struct world *w, const json_t *repository, const char *own_ns)
{
    const char *ns = json_text(repository, "metadata.namespace"), *name = json_text(repository, "metadata.name");

    if (!policy_allows(w, repository, own_ns))
        return arena_printf(world_arena(w),
                            "namespace \"%s\" is not allowed to refer Repository \"%s\" of \"%s\" namespace, check "
                            "`usagePolicy`",
                            own_ns, name, ns);
    if (strcmp(ns, own_ns) != 0 && !may_lend(world_settings(w), own_ns))
        return arena_printf(world_arena(w), "Repository %s/%s: add namespace %s to secrets.lendingNamespaces", ns, name,
                            own_ns);
    return NULL;
}

bool repository_backend_is_plain(const struct kobj *record)
{
    static const char *const places[] = {"spec.backend.local.mountPath", "spec.backend.s3.bucket",
                                         "spec.backend.gcs.bucket",      "spec.backend.azure.container",
                                         "spec.backend.swift.container", "spec.backend.b2.bucket",
                                         "spec.backend.rest.url"};
    int n = 0;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        n += *kobj_text(record, places[i]) != '\0';
    return n == 1 && !*kobj_text(record, "spec.backend.local.hostPath.path") &&
           !strstr(kobj_text(record, "spec.backend.local.mountPath"), "/stash");
}

/* ---- the whole look ---- */

static void look_at_secret(struct world *w, struct repository_state *s)
{
    const json_t *conditions = json_at(s->doc, "status.conditions");
    const char *status = condition_status(conditions, "StorageSecretVerified");

    s->secret_status = status[0] ? status : "Unknown";
    s->secret_message = condition_message(conditions, "StorageSecretVerified");
    if (!s->secret_message[0])
        s->secret_message = arena_printf(world_arena(w), "the Secret of Repository %s/%s is being looked for", s->ns,
                                         s->name);
}

void repository_look(struct world *w, const char *own_ns, const json_t *reference, struct repository_state *ret)
{
    const struct kind *k = kind_get(KIND_REPOSITORY);
    const char *ns = json_text(reference, "namespace");
    struct problems problems;

    *ret = (struct repository_state){.secret_status = "", .secret_message = ""};
    ret->ns = ns[0] ? ns : own_ns;
    ret->name = json_text(reference, "name");
    ret->record = cache_find(world_cache(w), k, ret->ns, ret->name);
    if (!ret->record || ret->record->deleting) {
        ret->record = NULL;
        return;
    }
    ret->doc = world_doc(w, k, ret->ns, ret->name);
    if (!ret->doc)
        return;
    ret->refusal = repository_refusal(w, ret->doc, own_ns);
    ret->allowed = !ret->refusal;
    if (!ret->allowed)
        return;
    look_at_secret(w, ret);
    problems_init(&problems, world_arena(w));
    repository_check_backend(json_at(ret->doc, "spec.backend"), world_settings(w), &problems);
    if (problems.n)
        ret->problem = arena_printf(world_arena(w), "Repository %s/%s: %s", ret->ns, ret->name,
                                    problems_join(&problems));
}

static const char *secret_reason(const char *status)
{
    if (strcmp(status, "True") == 0)
        return "BackendSecretAvailable";
    return strcmp(status, "False") == 0 ? "BackendSecretNotAvailable" : "UnableToCheckBackendSecretAvailability";
}

void repository_set_conditions(const struct repository_state *s, json_t *conditions, int64_t now_s)
{
    if (!s->name[0]) { /* no reference: that is for validation to say */
        condition_drop(conditions, "RepositoryFound");
        condition_drop(conditions, "BackendSecretFound");
        return;
    }
    if (!s->doc) {
        condition_set(conditions, now_s, "RepositoryFound", "False", "RepositoryNotAvailable",
                      "Repository %s/%s does not exist. Reason: not found", s->ns, s->name);
        condition_drop(conditions, "BackendSecretFound");
        return;
    }
    condition_set(conditions, now_s, "RepositoryFound", "True", "RepositoryAvailable", "Repository %s/%s exists", s->ns,
                  s->name);
    if (!s->secret_status[0])
        condition_drop(conditions, "BackendSecretFound");
    else
        condition_set(conditions, now_s, "BackendSecretFound", s->secret_status, secret_reason(s->secret_status), "%s",
                      s->secret_message);
}

void repository_warn(struct plan *p, const json_t *old_conditions, const json_t *conditions)
{
    if (condition_fails_anew(old_conditions, conditions, "RepositoryFound"))
        plan_event(p, "Warning", "Repository Not Found", "%s", condition_message(conditions, "RepositoryFound"));
    if (condition_fails_anew(old_conditions, conditions, "BackendSecretFound"))
        plan_event(p, "Warning", "Storage Secret Not Found", "%s", condition_message(conditions, "BackendSecretFound"));
}
