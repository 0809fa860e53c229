/*
 * crd: CustomResourceDefinitions. Their kinds are served from the moment the definition is stored; the conditions that
 * say so follow in a later turn, as a controller would write them. Deletion removes the instances first: the finalizer
 * customresourcecleanup.apiextensions.k8s.io, which each definition gets on creation, holds it meanwhile.
 */
#include "k8s/model/crd.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/cause.h"
#include "k8s/model/schema.h"
#include "k8s/model/verbs.h"

#define CLEANUP "customresourcecleanup.apiextensions.k8s.io"
#define CRD_PATH "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

bool crd_is(const struct resource *r)
{
    return strcmp(r->plural, "customresourcedefinitions") == 0 && strcmp(r->group, "apiextensions.k8s.io") == 0;
}

static struct table *definitions(struct model *m)
{
    return store_table(m->store, "customresourcedefinitions.apiextensions.k8s.io");
}

/* ---- defaults and checks ---- */

static void set_lower(json_t *names, const char *key, const char *text)
{
    char *copy;

    if (*json_text(names, key))
        return;
    copy = mem_strdup(text);
    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 'a' - 'A');
    json_object_set_new(names, key, json_string(copy));
    mem_free(copy);
}

void crd_default(json_t *crd)
{
    json_t *spec = json_object_get(crd, "spec"), *names = json_object_get(spec, "names"), *list;
    const char *kind = json_text(names, "kind");

    if (!json_is_object(names))
        return;
    set_lower(names, "singular", kind);
    if (!*json_text(names, "listKind")) {
        char *text = mem_printf("%sList", kind);

        json_object_set_new(names, "listKind", json_string(text));
        mem_free(text);
    }
    if (!json_object_get(spec, "conversion"))
        json_object_set_new(spec, "conversion", json_pack("{s:s}", "strategy", "None"));
    if (json_at(crd, "metadata.deletionTimestamp"))
        return;
    list = json_at(crd, "metadata.finalizers");
    if (!list) {
        list = json_array();
        json_object_set_new(json_object_get(crd, "metadata"), "finalizers", list);
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_same(json_string_value(json_array_get(list, i)), CLEANUP))
            return;
    json_array_append_new(list, json_string(CLEANUP));
}

static void validate_versions(const json_t *crd, json_t *causes)
{
    const json_t *versions = json_at(crd, "spec.versions"), *version;
    size_t i, storage = 0;
    char field[96], text[700];

    if (!json_array_size(versions))
        cause_add(causes, "FieldValueRequired", "spec.versions", "Required value: must have at least one version");
    json_array_foreach(versions, i, version) {
        const json_t *schema = json_at(version, "schema.openAPIV3Schema");
        struct error e = {.msg = ""};
        struct schema *s;

        storage += json_flag(version, "storage", false);
        (void)snprintf(field, sizeof(field), "spec.versions[%zu].schema.openAPIV3Schema", i);
        if (!schema) {
            cause_add(causes, "FieldValueRequired", field, "Required value: schemas are required");
            continue;
        }
        s = schema_compile(schema, &e);
        if (!s) {
            (void)snprintf(text, sizeof(text), "Invalid value: %s", e.msg);
            cause_add(causes, "FieldValueInvalid", field, text);
        }
        schema_free(s);
    }
    if (json_array_size(versions) && storage != 1)
        cause_add(causes, "FieldValueInvalid", "spec.versions",
                  "Invalid value: must have exactly one version marked as storage version");
}

void crd_validate(const json_t *crd, const json_t *old, json_t *ret_causes)
{
    static const char *const needed[] = {"spec.group", "spec.names.plural", "spec.names.kind", "spec.scope"};
    const char *scope = json_text(crd, "spec.scope"), *name = json_text(crd, "metadata.name");
    char wanted[600], text[900];

    for (size_t i = 0; i < 4; i++)
        if (!*json_text(crd, needed[i]))
            cause_add(ret_causes, "FieldValueRequired", needed[i], "Required value");
    (void)snprintf(wanted, sizeof(wanted), "%s.%s", json_text(crd, "spec.names.plural"), json_text(crd, "spec.group"));
    if (*json_text(crd, "spec.group") && strcmp(wanted, name) != 0) {
        (void)snprintf(text, sizeof(text), "Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group", name);
        cause_add(ret_causes, "FieldValueInvalid", "metadata.name", text);
    }
    if (*scope && strcmp(scope, "Namespaced") != 0 && strcmp(scope, "Cluster") != 0)
        cause_add(ret_causes, "FieldValueNotSupported", "spec.scope",
                  "Unsupported value: supported values: \"Cluster\", \"Namespaced\"");
    if (old && strcmp(scope, json_text(old, "spec.scope")) != 0)
        cause_add(ret_causes, "FieldValueInvalid", "spec.scope", "Invalid value: field is immutable");
    validate_versions(crd, ret_causes);
}

/* ---- coming into force ---- */

static struct table *instances(struct model *m, const json_t *crd)
{
    char name[600];

    (void)snprintf(name, sizeof(name), "%s.%s", json_text(crd, "spec.names.plural"), json_text(crd, "spec.group"));
    return store_table(m->store, name);
}

static void install(struct model *m, const json_t *crd, bool gone)
{
    watch_end_table(instances(m, crd));
    resources_set_crd(m->resources, m->store, json_text(crd, "spec.names.plural"), json_text(crd, "spec.group"),
                      gone ? NULL : crd);
}

static bool is_established(const json_t *crd)
{
    const json_t *condition;
    size_t i;

    json_array_foreach(json_at(crd, "status.conditions"), i, condition)
        if (strcmp(json_text(condition, "type"), "Established") == 0)
            return true;
    return false;
}

void crd_changed(struct model *m, const json_t *old, const json_t *now)
{
    if (!now || !old || !json_equal(json_object_get(old, "spec"), json_object_get(now, "spec")))
        install(m, now ? now : old, !now);
    if (now && (!is_established(now) || json_at(now, "metadata.deletionTimestamp")))
        timer_set_in(m->env, &m->crd_timer, 0);
}

void crd_register_all(struct model *m)
{
    struct stored *o;

    for (size_t i = 0; (o = store_at(definitions(m), NULL, i)); i++)
        install(m, o->json, false);
    timer_set_in(m->env, &m->crd_timer, 0);
}

/* ---- what a controller would do ---- */

static json_t *condition(const char *type, const char *reason, const char *message, const char *now)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", "True", "lastTransitionTime", now, "reason",
                     reason, "message", message);
}

static void write_established(struct model *m, const struct stored *o)
{
    json_t *accepted = json_clone(json_at(o->json, "spec.names")), *stored = json_array(), *version, *patch;
    char *path = mem_printf(CRD_PATH "/%s/status", o->name), now[32];
    size_t i;

    json_array_foreach(json_at(o->json, "spec.versions"), i, version)
        if (json_flag(version, "storage", false))
            json_array_append(stored, json_object_get(version, "name"));
    model_now(m, now);
    patch = json_pack("{s:{s:[o, o], s:o, s:o}}", "status", "conditions",
                      condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
                      condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
                      "acceptedNames", accepted, "storedVersions", stored);
    (void)model_do(m, "system:apiserver", "PATCH", path, patch, NULL);
    json_decref(patch);
    mem_free(path);
}

/* Deletes the instances; takes the finalizer away when none is left. Instances with finalizers of their own are looked
 * at again a second later. */
static void clean_up(struct model *m, const struct stored *crd)
{
    struct table *t = instances(m, crd->json);
    const struct resource *r = resource_of_table(m->resources, t);
    struct store_list list;
    char version[256];

    if (table_size(t) && r && store_list(m->store, t, NULL, 0, &list)) {
        for (size_t i = 0; i < list.n; i++) {
            struct stored *o = list.items[i];
            char *path = mem_printf("/apis/%s/%s%s%s%s/%s", resource_api_version(r, version),
                                    r->namespaced ? "namespaces/" : "", o->ns, r->namespaced ? "/" : "", r->plural,
                                    o->name);

            if (!json_at(o->json, "metadata.deletionTimestamp"))
                (void)model_do(m, "system:apiserver", "DELETE", path, NULL, NULL);
            mem_free(path);
        }
        store_list_free(&list);
    }
    if (table_size(t)) {
        timer_set_in(m->env, &m->crd_timer, 1000);
    } else {
        json_t *left = json_clone(json_at(crd->json, "metadata.finalizers")), *patch;
        char *path = mem_printf(CRD_PATH "/%s", crd->name);

        for (size_t i = json_array_size(left); i-- > 0;)
            if (str_same(json_string_value(json_array_get(left, i)), CLEANUP))
                json_array_remove(left, i);
        patch = json_pack("{s:{s:o}}", "metadata", "finalizers", left);
        (void)model_do(m, "system:apiserver", "PATCH", path, patch, NULL);
        json_decref(patch);
        mem_free(path);
    }
}

static bool needs_cleanup(const json_t *crd)
{
    const json_t *list = json_at(crd, "metadata.finalizers"), *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (str_same(json_string_value(item), CLEANUP))
            return json_at(crd, "metadata.deletionTimestamp") != NULL;
    return false;
}

static void crd_due(struct timer *t)
{
    struct model *m = t->data;
    struct store_list list;

    if (!store_list(m->store, definitions(m), NULL, 0, &list))
        return;
    for (size_t i = 0; i < list.n; i++) {
        if (needs_cleanup(list.items[i]->json))
            clean_up(m, list.items[i]);
        else if (!is_established(list.items[i]->json))
            write_established(m, list.items[i]);
    }
    store_list_free(&list);
}

void crd_init(struct model *m)
{
    timer_init(&m->crd_timer, crd_due, m);
}

void crd_done(struct model *m)
{
    timer_clear(m->env, &m->crd_timer);
}
