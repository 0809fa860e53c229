/*
 * checker_target: two things never write one database at once. A Job and its pod hold the target that they name in an
 * annotation: the Job until it has a pod or has ended, the pod until it has ended or is gone. No other Job of that
 * target may be made meanwhile.
 */
#include "checker_parts.h"

#include <stdio.h>

#include "core/base/mem.h"

static void holder_free(struct checked_holder *h)
{
    mem_free(h->target);
    mem_free(h->job);
    mem_free(h->name);
    mem_free(h);
}

static void release(struct checker *c, const char *uid)
{
    struct checked_holder *h = map_del(&c->holders, str_of(uid));

    if (h)
        holder_free(h);
}

void checker_target_done(struct checker *c)
{
    struct str uid;
    void *h;

    for (size_t it = 0; map_next(&c->holders, &it, &uid, &h);)
        holder_free(h);
    map_done(&c->holders);
}

static void hold(struct checker *c, const char *target, const char *job, const json_t *o)
{
    struct checked_holder *h = mem_zalloc(sizeof(*h));

    h->target = mem_strdup(target);
    h->job = mem_strdup(job);
    h->name = mem_printf("%s %s/%s", json_text(o, "kind"), json_text(o, "metadata.namespace"),
                         json_text(o, "metadata.name"));
    map_put(&c->holders, str_of(json_text(o, "metadata.uid")), h);
}

static void judge(struct checker *c, const char *target, const char *job, const json_t *o)
{
    struct str uid;
    void *value;

    for (size_t it = 0; map_next(&c->holders, &it, &uid, &value);) {
        const struct checked_holder *h = value;

        if (strcmp(h->target, target) == 0 && strcmp(h->job, job) != 0)
            checker_violation(c, "Job %s was made although %s has %s", json_text(o, "metadata.name"), h->name, target);
    }
}

bool checker_target_is_held(const struct checker *c, const json_t *config)
{
    const json_t *ref = json_at(config, "spec.target.ref");
    const char *ns = json_text(ref, "namespace");
    AUTO_FREE char *end = mem_printf("/%s/%s/%s", json_text(ref, "kind"),
                                     *ns ? ns : json_text(config, "metadata.namespace"), json_text(ref, "name"));
    struct str uid;
    void *value;

    for (size_t it = 0; map_next(&c->holders, &it, &uid, &value);)
        if (str_ends(str_of(((const struct checked_holder *)value)->target), str_of(end)))
            return true;
    return false;
}

static bool job_has_ended(const json_t *o)
{
    const json_t *it;
    size_t i;

    json_array_foreach (json_at(o, "status.conditions"), i, it) {
        const char *type = json_text(it, "type");

        if ((strcmp(type, "Complete") == 0 || strcmp(type, "Failed") == 0) &&
            strcmp(json_text(it, "status"), "True") == 0)
            return true;
    }
    return false;
}

void checker_target_changed(struct checker *c, const char *type, const json_t *o)
{
    bool is_pod = strcmp(json_text(o, "kind"), "Pod") == 0, is_new = strcmp(type, "ADDED") == 0;
    const char *target = json_meta(o, "annotations", "stash.appscode.com/job-target");
    const char *uid = json_text(o, "metadata.uid"), *phase = json_text(o, "status.phase");
    const char *job = is_pod ? json_text(o, "metadata.ownerReferences.0.uid") : uid;

    if (!*target)
        return;
    if (is_new && is_pod)
        release(c, job); /* its pod holds it now */
    if (is_new && !is_pod)
        judge(c, target, job, o);
    if (is_new)
        hold(c, target, job, o);
    if (strcmp(type, "DELETED") == 0 ||
        (is_pod ? strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0 : job_has_ended(o)))
        release(c, uid);
}
