/*
 * write: create, update and patch. All end in one pipeline: metadata's rules, the kind's defaults and checks, rights
 * that the content needs, then the store. A write that changes nothing stores nothing, as in Kubernetes: watches stay
 * silent.
 */
#include "k8s/model/write.h"

#include <stdio.h>

#include "core/base/json.h"
#include "k8s/model/apply.h"
#include "k8s/model/cause.h"
#include "k8s/model/check.h"
#include "k8s/model/managed.h"
#include "k8s/model/meta.h"
#include "k8s/model/patch.h"
#include "k8s/model/quota.h"
#include "k8s/model/rbac.h"
#include "k8s/model/verbs.h"

/* ---- shape of what was sent ---- */

/* Checks apiVersion, kind, name and namespace of a body against the path, and fills in what may be left out. */
static int check_envelope(struct request *q, json_t *object)
{
    char version[256];
    json_t *meta = json_object_get(object, "metadata");
    const char *kind = json_text(object, "kind"), *api = json_text(object, "apiVersion");
    const char *ns = json_text(meta, "namespace"), *name = json_text(meta, "name");

    resource_api_version(q->r, version);
    if ((*kind && strcmp(kind, q->r->kind) != 0) || (*api && strcmp(api, version) != 0))
        return request_fail(q, 400, "BadRequest",
                            "%s in version \"%s\" cannot be handled as a %s: the object provided is unrecognized",
                            *kind ? kind : "object", *api ? api : version, q->r->kind);
    json_object_set_new(object, "kind", json_string(q->r->kind));
    json_object_set_new(object, "apiVersion", json_string(version));
    if (meta && !json_is_object(meta) && !json_is_null(meta))
        return request_fail(q, 400, "BadRequest", "metadata: expected an object");
    if (!json_is_object(meta)) {
        meta = json_object();
        json_object_set_new(object, "metadata", meta);
    }
    check_drop_nulls(meta);
    if (*q->name && *name && strcmp(name, q->name) != 0)
        return request_fail(q, 400, "BadRequest",
                            "the name of the object (%s) does not match the name on the URL (%s)", name, q->name);
    if (q->r->namespaced && *ns && strcmp(ns, q->ns) != 0)
        return request_fail(q, 400, "BadRequest",
                            "the namespace of the provided object does not match the namespace sent on the request");
    return 0;
}

/* ---- the pipeline ---- */

/* A namespaced object's home must be there and staying. */
static int check_namespace(struct request *q, const json_t *object)
{
    struct stored *ns;

    if (!q->r->namespaced)
        return 0;
    ns = store_get(store_table(q->m->store, "namespaces"), "", q->ns);
    if (!ns) {
        request_fail(q, 404, "NotFound", "namespaces \"%s\" not found", q->ns);
        json_object_set_new(json_object_get(q->answer, "details"), "name", json_string(q->ns));
        json_object_set_new(json_object_get(q->answer, "details"), "kind", json_string("namespaces"));
        json_object_del(json_object_get(q->answer, "details"), "group");
        return 404;
    }
    if (json_at(ns->json, "metadata.deletionTimestamp")) {
        char what[256], text[512];

        request_fail(
            q, 403, "Forbidden",
            "%s \"%s\" is forbidden: unable to create new content in namespace %s because it is being terminated",
            request_what(q, what), json_text(object, "metadata.name"), q->ns);
        (void)snprintf(text, sizeof(text), "namespace %s is being terminated", q->ns);
        json_object_set_new(json_object_get(q->answer, "details"), "name",
                            json_string(json_text(object, "metadata.name")));
        request_cause(q, "NamespaceTerminating", text, "metadata.namespace");
        return 403;
    }
    return 0;
}

/* Who owns what, last, when all is filled in. sent: managedFields as they came with the object. */
static void set_owners(struct request *q, json_t *object, const json_t *old, json_t *sent_take)
{
    if (q->m->no_managed_fields)
        json_object_del(json_object_get(object, "metadata"), "managedFields");
    else if (!q->applied)
        managed_update(q, object, old, sent_take);
    else if (sent_take)
        json_object_set(json_object_get(object, "metadata"), "managedFields", sent_take);
    if (old)
        managed_settle(object, old);
    json_decref(sent_take);
}

int write_new(struct request *q, json_t *object_take, int code)
{
    json_t *object = object_take, *sent = json_incref(json_at(object, "metadata.managedFields"));
    char what[256];
    const char *name;
    int status = check_namespace(q, object);

    if (!status && *json_text(object, "metadata.resourceVersion"))
        status = request_fail(q, 400, "BadRequest", "resourceVersion should not be set on objects to be created");
    if (!status && q->r->builtin)
        status = check_typed(q, object, NULL);
    if (!status) {
        meta_create(q, object);
        if (q->r->has_status && strcmp(q->r->kind, "Node") != 0) /* a kubelet registers with its status */
            json_object_del(object, "status");
    }
    if (!status)
        status = check_kind(q, object, NULL);
    if (!status)
        status = rbac_check_write(q, object, NULL);
    if (!status)
        status = quota_admit(q, object);
    if (!status)
        set_owners(q, object, NULL, json_incref(sent));
    json_decref(sent);
    name = json_text(object, "metadata.name");
    if (!status && store_get(q->r->table, json_text(object, "metadata.namespace"), name)) {
        status = request_fail(q, 409, "AlreadyExists", "%s \"%s\" already exists", request_what(q, what), name);
        json_object_set_new(json_object_get(q->answer, "details"), "name", json_string(name));
    }
    if (status) {
        json_decref(object);
        return status;
    }
    if (q->dry_run) {
        status = request_answer(q, code, object);
        json_decref(object);
        return status;
    }
    return request_answer_stored(q, code, store_put(q->m->store, q->r->table, object));
}

/* With their status built-in kinds take labels and the like; Pods not their owners, which old kubelets spoilt. */
static json_t *metadata_with_status(const struct request *q, const json_t *object, const json_t *old)
{
    json_t *meta = json_clone(json_object_get(object, "metadata"));
    json_t *owners = json_at(old, "metadata.ownerReferences");

    if (strcmp(q->r->kind, "Pod") == 0 && owners)
        json_object_set(meta, "ownerReferences", owners);
    return meta;
}

/* A write of the object leaves status alone; a write of /status changes nothing but status (and metadata a little). */
static json_t *keep_other_half(struct request *q, json_t *object_take, const json_t *old)
{
    json_t *status, *whole;

    if (strcmp(q->sub, "finalize") == 0) {
        whole = json_clone(old);
        json_object_set(json_object_get(whole, "spec"), "finalizers", json_at(object_take, "spec.finalizers"));
        json_decref(object_take);
        return whole;
    }
    if (strcmp(q->r->plural, "namespaces") == 0 && json_at(old, "spec.finalizers"))
        json_object_set(json_object_get(object_take, "spec"), "finalizers", json_at(old, "spec.finalizers"));
    if (!q->r->has_status)
        return object_take;
    if (strcmp(q->sub, "status") != 0) {
        status = json_object_get(old, "status");
        if (status)
            json_object_set(object_take, "status", status);
        else
            json_object_del(object_take, "status");
        return object_take;
    }
    status = json_incref(json_object_get(object_take, "status"));
    whole = json_copy((json_t *)(uintptr_t)old);
    if (q->r->builtin)
        json_object_set_new(whole, "metadata", metadata_with_status(q, object_take, old));
    if (status)
        json_object_set_new(whole, "status", status);
    else
        json_object_del(whole, "status");
    json_decref(object_take);
    return whole;
}

static int conflict(struct request *q, const char *why)
{
    char what[256];

    return request_fail(q, 409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s", request_what(q, what),
                        q->name, why);
}

static int check_preconditions(struct request *q, const json_t *object, const struct stored *old)
{
    const char *uid = json_text(object, "metadata.uid"), *rv = json_text(object, "metadata.resourceVersion");
    char text[256];

    if (*uid && strcmp(uid, old->uid) != 0) {
        (void)snprintf(text, sizeof(text),
                       "StorageError: invalid object, Code: 4, UID in precondition: %s, UID in object "
                       "meta: %s",
                       uid, old->uid);
        return conflict(q, text);
    }
    if (*rv && strcmp(rv, json_text(old->json, "metadata.resourceVersion")) != 0)
        return conflict(q,
                        "the object has been modified; please apply your changes to the latest version and try again");
    return 0;
}

/* What is as it was is kept once, and is compared at a glance from here on. Not earlier: who fills something in writes
 * to what he finds. */
static void share_unchanged(json_t *object, const json_t *old)
{
    const char *key;
    json_t *value;

    json_object_foreach (object, key, value) {
        json_t *was = json_object_get(old, key);

        if (was && was != value && strcmp(key, "metadata") != 0 && json_equal(was, value))
            json_object_set(object, key, was); /* of a key that is there: the loop goes on */
    }
}

int write_over(struct request *q, struct stored *old, json_t *object_take)
{
    json_t *object = object_take, *sent = json_incref(json_at(object, "metadata.managedFields"));
    int status = check_preconditions(q, object, old);

    if (!status && q->r->builtin)
        status = check_typed(q, object, old->json);
    if (!status) {
        object = keep_other_half(q, object, old->json);
        if (json_object_get(object, "metadata") == json_object_get(old->json, "metadata"))
            json_object_set_new(object, "metadata", json_clone(json_object_get(old->json, "metadata")));
        meta_update(object, old->json);
        /* The storing version's name, whichever version was written. */
        json_object_set(object, "apiVersion", json_object_get(old->json, "apiVersion"));
        status = check_kind(q, object, old->json);
    }
    if (!status)
        status = rbac_check_write(q, object, old->json);
    if (status) {
        json_decref(sent);
        json_decref(object);
        return status;
    }
    share_unchanged(object, old->json);
    meta_generation(q->r, object, old->json);
    set_owners(q, object, old->json, sent);
    if (json_equal(object, old->json) || q->dry_run) {
        status = request_answer(q, 200, object);
        json_decref(object);
        return status;
    }
    if (delete_is_due(q->r, object)) {
        /* Its last finalizer went: the answer shows the object as it was written, the watches its end. */
        status = request_answer(q, 200, object);
        json_decref(object);
        store_del(q->m->store, q->r->table, old->ns, q->name);
        return status;
    }
    return request_answer_stored(q, 200, store_put(q->m->store, q->r->table, object));
}

/* ---- verbs ---- */

int write_create(struct request *q)
{
    json_t *body, *object;
    int status;

    body = request_body(q, &status);
    if (!body)
        return status;
    object = q->body_text.n ? json_incref(body) : json_clone(body); /* what was read here is nobody else's */
    status = check_envelope(q, object);
    if (status) {
        json_decref(object);
        return status;
    }
    return write_new(q, object, 201);
}

int write_update(struct request *q)
{
    struct stored *old = store_get(q->r->table, q->r->namespaced ? q->ns : "", q->name);
    json_t *body, *object;
    int status;

    body = request_body(q, &status);
    if (!body)
        return status;
    if (!old && strcmp(q->r->kind, "Lease") != 0 && strcmp(q->r->group, "rbac.authorization.k8s.io") != 0)
        return request_not_found(q, q->name);
    object = resource_copy(q->r, body, old && json_object_get(body, "spec") == json_object_get(old->json, "spec"));
    status = check_envelope(q, object);
    if (!status && !old && *json_text(object, "metadata.uid"))
        status = request_not_found(q, q->name);
    if (!status && old && !q->r->builtin && !*json_text(object, "metadata.resourceVersion")) {
        status = request_invalid(q, q->name,
                                 json_pack("[{s:s, s:s, s:s}]", "reason", "FieldValueInvalid", "message",
                                           "Invalid value: 0x0: must be specified for an update", "field",
                                           "metadata.resourceVersion"));
    }
    if (status) {
        json_decref(object);
        return status;
    }
    if (!old) { /* kinds that PUT may create */
        json_object_set_new(json_object_get(object, "metadata"), "name", json_string(q->name));
        return write_new(q, object, 201);
    }
    return write_over(q, old, object);
}

static bool is_apply(const struct request *q)
{
    return str_is(q->content_type, "application/apply-patch+yaml");
}

/* Server-side apply, over old (NULL: it makes the object). */
static int apply(struct request *q, struct stored *old, const json_t *patch)
{
    json_t *config = json_clone(patch), *object = NULL, *live = old ? request_as(q->r, old->json) : NULL;
    const char *api_version = json_text(config, "apiVersion"), *kind = json_text(config, "kind");
    char version[256];
    int status = 0;

    if (strcmp(kind, q->r->kind) != 0 || strcmp(api_version, resource_api_version(q->r, version)) != 0)
        status = request_fail(q, 400, "BadRequest", "invalid object type: %s%s, Kind=%s",
                              strchr(api_version, '/') ? "" : "/", api_version, kind);
    if (!status)
        status = check_envelope(q, config);
    if (!status) {
        json_object_set_new(json_object_get(config, "metadata"), "name", json_string(q->name));
        status = apply_run(q, live, config, &object);
    }
    json_decref(live);
    json_decref(config);
    if (status)
        return status;
    q->applied = true;
    return old ? write_over(q, old, object) : write_new(q, object, 201);
}

static int refuse_force(struct request *q)
{
    json_t *causes = json_array();

    cause_add(causes, "FieldValueForbidden", "force", "Forbidden: may not be specified for non-apply patch");
    return request_invalid_options(q, "PatchOptions", causes);
}

int write_patch(struct request *q)
{
    char force[16];

    struct stored *old = store_get(q->r->table, q->r->namespaced ? q->ns : "", q->name);
    json_t *patch, *object = NULL, *from;
    struct error e;
    int status, rc;

    patch = request_body(q, &status);
    if (!patch)
        return status;
    if (is_apply(q) && (old || !*q->sub))
        return apply(q, old, patch);
    if (*request_query(q, "force", force, sizeof(force)))
        return refuse_force(q);
    if (!old)
        return request_not_found(q, q->name);
    from = request_as(q->r, old->json);
    rc = patch_apply(q->r, q->content_type, from, patch, &object, &e);
    json_decref(from);
    if (rc == PATCH_UNSUPPORTED)
        return request_fail(q, 415, "UnsupportedMediaType", "%s", e.msg);
    if (rc == PATCH_MALFORMED)
        return request_fail(q, 400, "BadRequest", "%s", e.msg);
    if (rc < 0)
        return request_fail(q, 422, "Invalid", "%s", e.msg);
    status = check_envelope(q, object);
    if (status) {
        json_decref(object);
        return status;
    }
    return write_over(q, old, object);
}
