/* quota_measure: what an object counts for in a ResourceQuota. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/quota.h"

#define COUNT "count/"
#define OF_CLASS ".storageclass.storage.k8s.io/"

/* ---- amounts ---- */

bool amount_parse(const char *text, struct amount *ret)
{
    size_t n = strlen(text);

    ret->binary = n > 1 && text[n - 1] == 'i';
    return str_parse_quantity_milli(str_of(text), &ret->milli) == 0;
}

static struct amount amount_of(const json_t *value)
{
    struct amount a = {0};

    if (json_is_integer(value))
        a.milli = json_integer_value(value) * 1000;
    else if (!amount_parse(json_string_value(value) ? json_string_value(value) : "0", &a))
        a.milli = 0; /* one that can't be read was refused before */
    return a;
}

struct amount amount_add(struct amount a, struct amount b)
{
    return (struct amount){.milli = a.milli + b.milli, .binary = a.milli ? a.binary : b.binary};
}

const char *amount_format(struct amount a, char out[48])
{
    static const char *const decimal[] = {"", "k", "M", "G", "T", "P"}, *const binary[] = {"",   "Ki", "Mi",
                                                                                           "Gi", "Ti", "Pi"};
    int64_t whole = a.milli / 1000, unit = a.binary ? 1024 : 1000;
    size_t i = 0;

    if (a.milli % 1000) {
        (void)snprintf(out, 48, "%" PRId64 "m", a.milli);
        return out;
    }
    for (; whole && whole % unit == 0 && i < 5; i++)
        whole /= unit;
    (void)snprintf(out, 48, "%" PRId64 "%s", whole, a.binary ? binary[i] : decimal[i]);
    return out;
}

/* ---- which objects ---- */

static const char *storage_of_class(const char *name)
{
    const char *at = strstr(name, OF_CLASS);

    return at ? at + strlen(OF_CLASS) : name;
}

static bool is_of_pods(const char *name)
{
    static const char *const names[] = {"pods",           "cpu",         "memory",       "ephemeral-storage",
                                        "requests.cpu",   "requests.memory", "requests.ephemeral-storage",
                                        "limits.cpu",     "limits.memory",   "limits.ephemeral-storage"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

const struct resource *quota_kind(const struct model *m, const char *name)
{
    static const char *const counted[] = {"services",   "secrets",        "configmaps", "persistentvolumeclaims",
                                          "resourcequotas"};
    const char *plural = NULL;

    if (strncmp(name, COUNT, strlen(COUNT)) == 0) {
        char table[256];

        for (const struct resource *r = NULL; (r = resource_next(m->resources, r));) {
            (void)snprintf(table, sizeof(table), "%s%s%s", r->plural, *r->group ? "." : "", r->group);
            if (r->table && r->namespaced && strcmp(table, name + strlen(COUNT)) == 0)
                return r;
        }
        return NULL;
    }
    if (is_of_pods(name))
        plural = "pods";
    else if (strcmp(storage_of_class(name), "requests.storage") == 0 ||
             strcmp(storage_of_class(name), "persistentvolumeclaims") == 0)
        plural = "persistentvolumeclaims";
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
        if (!plural && strcmp(name, counted[i]) == 0)
            plural = counted[i];
    return plural ? resource_find(m->resources, STR(""), STR("v1"), str_of(plural)) : NULL;
}

/* ---- pods ---- */

static bool has_ended(const json_t *pod)
{
    const char *phase = json_text(pod, "status.phase");

    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

static struct amount of_container(const json_t *container, const char *kind, const char *resource)
{
    return amount_of(json_object_get(json_object_get(json_object_get(container, "resources"), kind), resource));
}

static struct amount of_containers(const json_t *pod, const char *kind, const char *resource)
{
    struct amount sum = {0}, a;
    const json_t *one;
    size_t i;

    json_array_foreach (json_at(pod, "spec.containers"), i, one)
        sum = amount_add(sum, of_container(one, kind, resource));
    json_array_foreach (json_at(pod, "spec.initContainers"), i, one) { /* one after the other, before the others */
        a = of_container(one, kind, resource);
        sum = a.milli > sum.milli ? a : sum;
    }
    return sum;
}

static struct amount of_pod(const char *name, const json_t *pod)
{
    const char *dot = strchr(name, '.');

    if (has_ended(pod))
        return (struct amount){0};
    if (strcmp(name, "pods") == 0)
        return (struct amount){.milli = 1000};
    if (!dot)
        return of_containers(pod, "requests", name);
    return of_containers(pod, name[0] == 'l' ? "limits" : "requests", dot + 1);
}

static bool is_of_other_class(const char *name, const json_t *claim)
{
    const char *at = strstr(name, OF_CLASS), *class = json_text(claim, "spec.storageClassName");

    return at && (strlen(class) != (size_t)(at - name) || strncmp(name, class, strlen(class)) != 0);
}

struct amount quota_measure(const char *name, const json_t *object)
{
    if (strncmp(name, COUNT, strlen(COUNT)) == 0)
        return (struct amount){.milli = 1000};
    if (is_of_pods(name))
        return of_pod(name, object);
    if (is_of_other_class(name, object))
        return (struct amount){0};
    if (strcmp(storage_of_class(name), "requests.storage") == 0)
        return amount_of(json_at(object, "spec.resources.requests.storage"));
    return (struct amount){.milli = 1000};
}

/* ---- scopes ---- */

static bool scope_takes(const char *scope, const json_t *pod)
{
    bool ends = json_at(pod, "spec.activeDeadlineSeconds") != NULL;
    bool best_effort = strcmp(json_text(pod, "status.qosClass"), "BestEffort") == 0;

    if (strcmp(scope, "Terminating") == 0)
        return ends;
    if (strcmp(scope, "NotTerminating") == 0)
        return !ends;
    return strcmp(scope, "BestEffort") == 0 ? best_effort : !best_effort;
}

bool quota_takes(const json_t *quota, const struct resource *r, const json_t *object)
{
    const json_t *scopes = json_at(quota, "spec.scopes"), *one;
    const json_t *selectors = json_at(quota, "spec.scopeSelector.matchExpressions");
    size_t i;

    if ((json_array_size(scopes) || json_array_size(selectors)) && strcmp(r->plural, "pods") != 0)
        return false;
    json_array_foreach (scopes, i, one)
        if (!scope_takes(json_string_value(one), object))
            return false;
    json_array_foreach (selectors, i, one)
        if (!scope_takes(json_text(one, "scopeName"), object))
            return false;
    return true;
}

/* ---- what a pod must state ---- */

static bool states(const json_t *container, const char *name)
{
    const char *dot = strchr(name, '.');
    const json_t *of = json_object_get(json_object_get(container, "resources"),
                                       name[0] == 'l' && dot ? "limits" : "requests");

    return json_object_get(of, dot ? dot + 1 : name) != NULL;
}

void quota_missing(const json_t *quota, const json_t *pod, struct buf *out)
{
    static const char *const stated[] = {"cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu",
                                         "requests.memory"};
    const json_t *hard = json_at(quota, "spec.hard"), *one;
    size_t i;

    for (size_t k = 0; k < sizeof(stated) / sizeof(stated[0]); k++) {
        bool more = false;

        if (!json_object_get(hard, stated[k]))
            continue;
        json_array_foreach (json_at(pod, "spec.containers"), i, one) {
            if (states(one, stated[k]))
                continue;
            if (!more)
                buf_printf(out, "%s%s for: %s", out->len ? "; " : "", stated[k], json_text(one, "name"));
            else
                buf_printf(out, ",%s", json_text(one, "name"));
            more = true;
        }
    }
}
