/*
 * delete: an object goes at once, or gets a deletionTimestamp while something holds it: finalizers (also those that the
 * propagation policy sets), a Namespace's contents, a Pod's kubelet.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/options.h"
#include "k8s/model/verbs.h"
#include "k8s/model/write.h"

static bool is_kind(const struct resource *r, const char *kind)
{
    return !*r->group && strcmp(r->kind, kind) == 0;
}

bool delete_is_due(const struct resource *r, const json_t *object)
{
    if (!json_at(object, "metadata.deletionTimestamp") || json_array_size(json_at(object, "metadata.finalizers")))
        return false;
    if (is_kind(r, "Namespace"))
        return json_array_size(json_at(object, "spec.finalizers")) == 0;
    return json_int(object, "metadata.deletionGracePeriodSeconds", 0) == 0;
}

static int conflict(struct request *q, const struct stored *o, const char *what, const char *wanted, const char *is,
                    const char *why)
{
    (void)request_fail(q, 409, "Conflict",
                        "Operation cannot be fulfilled on %s%s%s \"%s\": the %s in the precondition (%s) does not "
                        "match the %s in record (%s). The object might have been %s",
                        q->r->kind, *q->group ? "." : "", q->group, o->name, what, wanted, what, is, why);
    json_object_set_new(json_object_get(q->answer, "details"), "kind", json_string(q->r->kind));
    return 409;
}

static int check_preconditions(struct request *q, const struct stored *o, const json_t *options)
{
    const char *uid = json_text(options, "preconditions.uid"),
               *rv = json_text(options, "preconditions.resourceVersion");
    char is[24];

    if (*uid && strcmp(uid, o->uid) != 0)
        return conflict(q, o, "UID", uid, o->uid, "deleted and then recreated");
    (void)snprintf(is, sizeof(is), "%" PRIu64, o->rv);
    if (*rv && strcmp(rv, is) != 0)
        return conflict(q, o, "ResourceVersion", rv, is, "modified");
    return 0;
}

/* "" when nothing was said. */
static const char *propagation(struct request *q, const json_t *options, char *out, size_t size)
{
    const char *policy = json_text(options, "propagationPolicy");
    const json_t *orphan = json_object_get(options, "orphanDependents");

    if (!*policy)
        policy = request_query(q, "propagationPolicy", out, size);
    if (!*policy && json_is_boolean(orphan))
        policy = json_is_true(orphan) ? "Orphan" : "Background";
    return policy;
}

static bool has_finalizer(const json_t *object, const char *name)
{
    const json_t *list = json_at(object, "metadata.finalizers"), *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (str_same(json_string_value(item), name))
            return true;
    return false;
}

/* Without a word from the client, what is set already stays in force; else Jobs alone leave their pods behind: so the
 * first version of the kind did, and so it stayed. kubectl always says Background. */
static const char *default_policy(struct request *q, const json_t *object)
{
    if (strcmp(q->r->group, "batch") != 0 || strcmp(q->r->kind, "Job") != 0)
        return "";
    return has_finalizer(object, "orphan") || has_finalizer(object, "foregroundDeletion") ? "" : "Orphan";
}

static void set_finalizer(json_t *meta, const char *name, bool wanted)
{
    json_t *list = json_object_get(meta, "finalizers"), *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (str_same(json_string_value(item), name)) {
            if (!wanted)
                json_array_remove(list, i);
            return;
        }
    if (!wanted)
        return;
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(meta, "finalizers", list);
    }
    json_array_append_new(list, json_string(name));
}

/* Seconds the object may take to go: only Pods that a kubelet runs have any. */
static int64_t grace_of(struct request *q, const json_t *object, const json_t *options)
{
    int64_t grace = json_int(options, "gracePeriodSeconds", -1);
    char text[24];

    if (!is_kind(q->r, "Pod"))
        return 0;
    if (grace < 0 && str_to_i64(str_of(request_query(q, "gracePeriodSeconds", text, sizeof(text))), &grace) < 0)
        grace = -1;
    if (grace < 0)
        grace = json_int(object, "spec.terminationGracePeriodSeconds", 30);
    if (!*json_text(object, "spec.nodeName"))
        return 0; /* no kubelet has it */
    if (strcmp(json_text(object, "status.phase"), "Succeeded") == 0 ||
        strcmp(json_text(object, "status.phase"), "Failed") == 0)
        return 0;
    return grace;
}

static void mark(struct request *q, json_t *object, int64_t grace)
{
    json_t *meta = json_object_get(object, "metadata");
    int64_t now_s = env_wall_ms(q->m->env) / 1000;
    char text[32];

    if (!json_object_get(meta, "deletionTimestamp")) {
        json_object_set_new(meta, "deletionTimestamp", json_string(str_format_time(now_s + grace, text)));
        json_object_set_new(meta, "deletionGracePeriodSeconds", json_integer(grace));
        if (q->r->bumps_generation)
            json_object_set_new(meta, "generation", json_integer(json_int(meta, "generation", 1) + 1));
    } else if (json_int(meta, "deletionGracePeriodSeconds", 0) > grace) {
        json_object_set_new(meta, "deletionGracePeriodSeconds", json_integer(grace));
    }
    if (is_kind(q->r, "Namespace")) {
        json_t *status = json_object_get(object, "status");

        if (!json_is_object(status)) {
            status = json_object();
            json_object_set_new(object, "status", status);
        }
        json_object_set_new(status, "phase", json_string("Terminating"));
    }
}

static int deleted_status(struct request *q, const struct stored *o)
{
    json_t *status = json_pack("{s:s, s:s, s:{}, s:s, s:{s:s, s:s*, s:s, s:s}}", "kind", "Status", "apiVersion", "v1",
                               "metadata", "status", "Success", "details", "name", o->name, "group",
                               *q->group ? q->group : NULL, "kind", q->plural, "uid", o->uid);

    request_drop_answer(q);
    q->answer = status;
    return 200;
}

int delete_object(struct request *q, struct stored *o, const json_t *options)
{
    char text[32];
    const char *policy = propagation(q, options, text, sizeof(text));
    json_t *object = json_clone(o->json), *meta = json_object_get(object, "metadata");
    int status = 200;

    stored_ref(o);
    if (!*policy)
        policy = default_policy(q, object);
    if (*policy) {
        set_finalizer(meta, "foregroundDeletion", strcmp(policy, "Foreground") == 0);
        set_finalizer(meta, "orphan", strcmp(policy, "Orphan") == 0);
    }
    mark(q, object, grace_of(q, object, options));
    if (delete_is_due(q->r, object)) {
        status = is_kind(q->r, "Pod") ? request_answer(q, 200, object) : deleted_status(q, o);
        if (!q->dry_run)
            store_del(q->m->store, q->r->table, o->ns, o->name);
        json_decref(object);
    } else if (q->dry_run || json_equal(object, o->json)) {
        status = request_answer(q, 200, object);
        json_decref(object);
    } else {
        status = request_answer_stored(q, 200, store_put(q->m->store, q->r->table, object));
    }
    stored_unref(o);
    return status;
}

static bool is_system_namespace(const struct request *q, const char *name)
{
    return is_kind(q->r, "Namespace") && (strcmp(name, "default") == 0 || strcmp(name, "kube-system") == 0 ||
                                          strcmp(name, "kube-public") == 0);
}

static int read_options(struct request *q, const json_t **ret)
{
    int status = 0;

    *ret = NULL;
    if (!q->body_text.n && !q->body)
        return 0;
    *ret = request_body(q, &status);
    if (!*ret)
        return status;
    return options_check_delete(q, *ret);
}

int delete_one(struct request *q)
{
    struct stored *o = store_get(q->r->table, q->r->namespaced ? q->ns : "", q->name);
    const json_t *options;
    char what[256];
    int status = read_options(q, &options);

    if (status)
        return status;
    if (!o)
        return request_not_found(q, q->name);
    if (is_system_namespace(q, q->name))
        return request_fail(q, 403, "Forbidden", "%s \"%s\" is forbidden: this namespace may not be deleted",
                            request_what(q, what), q->name);
    status = check_preconditions(q, o, options);
    return status ? status : delete_object(q, o, options);
}

/* Answers with the list of what was deleted, as it was. */
int delete_collection(struct request *q)
{
    const json_t *options;
    struct store_list list;
    int status = read_options(q, &options);

    if (!status)
        status = read_list(q);
    if (status != 200)
        return status;
    list = q->list;
    q->list = (struct store_list){0};
    for (size_t i = 0; i < list.n; i++) {
        json_t *answer = q->answer;

        q->answer = NULL;
        delete_object(q, list.items[i], options);
        request_drop_answer(q);
        q->answer = answer;
    }
    q->list = list;
    q->is_list = true;
    return 200;
}
