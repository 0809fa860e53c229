/* outcome: see outcome.h. */
#include "controllers/outcome.h"

#include "controllers/condition.h"
#include "core/base/json.h"

enum {
    MESSAGE_TAIL = 768, /* the end of a container's words says why it ended; a condition holds 1 KiB */
    LOST_S = 30,        /* a kubelet that lives tells within seconds that a pod's grace is over */
};

/* ---- the Job ---- */

static void from_record(const struct kobj *o, struct outcome *r)
{
    const char *conditions = kobj_text(o, "status.conditions");

    r->uid = o->uid;
    r->created_s = o->created_s;
    r->deleting = o->deleting;
    if (str_to_i64(str_of(kobj_text(o, "status.active")), &r->n_active) < 0)
        r->n_active = 0;
    if (condition_record_is(conditions, "Failed", "True"))
        r->state = OUTCOME_FAILED;
    else if (condition_record_is(conditions, "Complete", "True"))
        r->state = OUTCOME_SUCCEEDED;
    else
        r->state = OUTCOME_ACTIVE;
}

static void from_doc(const json_t *doc, struct outcome *r)
{
    const json_t *conditions = json_at(doc, "status.conditions");

    r->uid = json_text(doc, "metadata.uid");
    if (str_parse_time(str_of(json_text(doc, "metadata.creationTimestamp")), &r->created_s) < 0)
        r->created_s = 0;
    r->deleting = *json_text(doc, "metadata.deletionTimestamp");
    r->n_active = json_int(doc, "status.active", 0);
    if (condition_is(conditions, "Failed", "True"))
        r->state = OUTCOME_FAILED;
    else if (condition_is(conditions, "Complete", "True"))
        r->state = OUTCOME_SUCCEEDED;
    else
        r->state = OUTCOME_ACTIVE;
}

/* ---- its pod ---- */

struct newest {
    const struct kobj *pod;
};

static bool keep_newest(void *ctx, const struct kobj *o)
{
    struct newest *n = ctx;

    if (!n->pod || o->created_s >= n->pod->created_s)
        n->pod = o;
    return true;
}

static const char *tail(struct arena *a, const char *text)
{
    struct str s = str_trim(str_of(text));

    if (s.n > MESSAGE_TAIL) {
        s = (struct str){s.p + s.n - MESSAGE_TAIL, MESSAGE_TAIL};
        while (s.n && ((unsigned char)s.p[0] & 0xc0) == 0x80) /* not in the middle of a character */
            s = (struct str){s.p + 1, s.n - 1};
    }
    return arena_str(a, s);
}

/* The last words of our own programs are lines of a log (FallbackToLogsOnError): of those, what the last one says. */
static const char *said_by(struct arena *a, const char *text)
{
    struct str all = str_trim(str_of(text)), line = all;
    const json_t *words;

    for (size_t i = all.n; i > 0; i--) {
        if (all.p[i - 1] == '\n') {
            line = (struct str){all.p + i, all.n - i};
            break;
        }
    }
    words = line.n && line.p[0] == '{' ? arena_json(a, json_loadb(line.p, line.n, 0, NULL)) : NULL;
    if (!json_is_object(words) || !*json_text(words, "msg"))
        return tail(a, text);
    text = json_text(words, "msg");
    if (*json_text(words, "error"))
        text = arena_printf(a, "%s: %s", text, json_text(words, "error"));
    return tail(a, text);
}

static const char *failed_container(struct arena *a, const json_t *statuses)
{
    const json_t *it;
    size_t i;

    json_array_foreach (statuses, i, it) {
        const json_t *end = json_at(it, "state.terminated");
        const char *reason = json_text(end, "reason"), *said = said_by(a, json_text(end, "message"));

        if (!end || json_int(end, "exitCode", 0) == 0)
            continue;
        return arena_printf(a, "container \"%s\" ended with exit code %lld%s%s%s%s%s", json_text(it, "name"),
                            (long long)json_int(end, "exitCode", 0), *reason ? " (" : "", reason, *reason ? ")" : "",
                            *said ? ": " : "", said);
    }
    return NULL;
}

static const char *why_failed(struct world *w, const json_t *pod)
{
    struct arena *a = world_arena(w);
    const char *why = failed_container(a, json_at(pod, "status.initContainerStatuses"));
    const char *reason = json_text(pod, "status.reason");

    if (!why)
        why = failed_container(a, json_at(pod, "status.containerStatuses"));
    if (!why && *reason)
        why = arena_printf(a, "pod %s: %s", reason, tail(a, json_text(pod, "status.message")));
    return why;
}

/* Waiting reasons that don't pass by themselves. */
static const char *why_stuck(struct arena *a, const json_t *statuses, bool *has_started)
{
    static const char *const reasons[] = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
                                          "CreateContainerConfigError", "CreateContainerError", "RunContainerError"};
    const json_t *it;
    size_t i;

    json_array_foreach (statuses, i, it) {
        const char *reason = json_text(it, "state.waiting.reason");

        if (json_at(it, "state.running") || json_at(it, "state.terminated"))
            *has_started = true;
        for (size_t k = 0; k < sizeof(reasons) / sizeof(reasons[0]); k++)
            if (strcmp(reasons[k], reason) == 0)
                return arena_printf(a, "container \"%s\": %s: %s", json_text(it, "name"), reason,
                                    tail(a, json_text(it, "state.waiting.message")));
    }
    return NULL;
}

/*
 * An init container that ended with 0 although one of its processes was killed for want of memory: the kubelet takes it
 * for failed and starts no other, but the pod's phase stays Pending, and the Job waits for ever.
 */
static const char *why_hangs(struct arena *a, const json_t *pod)
{
    const json_t *statuses = json_at(pod, "status.initContainerStatuses"), *it;
    size_t i;

    json_array_foreach (statuses, i, it) {
        const json_t *end = json_at(it, "state.terminated");
        const char *limit = json_text(it, "resources.limits.memory");

        if (end && json_int(end, "exitCode", 0) == 0 && strcmp(json_text(end, "reason"), "OOMKilled") == 0)
            return arena_printf(a, "container \"%s\" ran out of memory (OOMKilled%s%s): its "
                                "resources.limits.memory is too small", json_text(it, "name"),
                                *limit ? ", limit " : "", limit);
    }
    return NULL;
}

static void look_at_start(struct world *w, const struct kobj *pod, struct outcome *r)
{
    struct arena *a = world_arena(w);
    const json_t *doc;

    if (strcmp(kobj_text(pod, "status.phase"), "Pending") != 0 && *kobj_text(pod, "status.phase")) {
        r->has_started = true;
        return;
    }
    /* "Pending" lasts until all init containers have ended: the backup itself runs in one. */
    doc = world_doc(w, kind_get(KIND_POD), pod->ns, pod->name);
    r->message = why_hangs(a, doc);
    if (r->message) {
        r->state = OUTCOME_FAILED;
        r->hangs = true;
        return;
    }
    r->message = "";
    r->stuck = why_stuck(a, json_at(doc, "status.initContainerStatuses"), &r->has_started);
    if (!r->stuck)
        r->stuck = why_stuck(a, json_at(doc, "status.containerStatuses"), &r->has_started);
    if (!r->stuck && strcmp(condition_reason(json_at(doc, "status.conditions"), "PodScheduled"), "Unschedulable") == 0)
        r->stuck = arena_printf(a, "pod %s is unschedulable: %s", pod->name,
                                tail(a, condition_message(json_at(doc, "status.conditions"), "PodScheduled")));
}

/*
 * A pod that was told to end: by an eviction, a deleted Job, or because its node is not reachable. Its
 * deletionTimestamp has its grace in it. If it has not ended by then, nobody on its node listens, and the Job counts it
 * as running until somebody takes the node away: nobody may wait for that.
 */
int64_t outcome_lost_at_s(const json_t *pod)
{
    const char *phase = json_text(pod, "status.phase");
    int64_t end_s;

    if (str_parse_time(str_of(json_text(pod, "metadata.deletionTimestamp")), &end_s) < 0 ||
        strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
        return 0;
    return end_s + LOST_S;
}

static void look_at_end(struct world *w, const struct kobj *pod, struct outcome *r)
{
    const json_t *doc = world_doc(w, kind_get(KIND_POD), pod->ns, pod->name);
    const char *why;

    r->lost_at_s = outcome_lost_at_s(doc);
    if (!r->lost_at_s || world_now_s(w) < r->lost_at_s)
        return;
    why = condition_message(json_at(doc, "status.conditions"), "DisruptionTarget");
    r->hangs = r->hangs || r->state == OUTCOME_ACTIVE;
    r->state = OUTCOME_FAILED;
    r->is_lost = true;
    r->message = arena_printf(world_arena(w), "pod %s was to end and has not: its node %s does not answer%s%s",
                              pod->name, json_text(doc, "spec.nodeName"), *why ? ": " : "",
                              tail(world_arena(w), why));
}

/* ---- both ---- */

static void look(struct world *w, const char *ns, const char *job, const char *owner_uid, bool asks,
                 struct outcome *ret)
{
    const struct kind *k = kind_get(KIND_JOB);
    const struct kobj *record = cache_find(world_cache(w), k, ns, job);
    struct newest newest = {0};

    *ret = (struct outcome){.uid = "", .message = ""};
    if (record && strcmp(record->owner_uid, owner_uid) == 0) {
        from_record(record, ret);
    } else if (!record) { /* the cache may not have it yet: "gone" is only what the API server says */
        const json_t *doc = asks ? world_doc(w, k, ns, job) : NULL;

        if (!doc || strcmp(kobj_owner_uid_in(doc), owner_uid) != 0)
            return;
        from_doc(doc, ret);
    } else {
        return;
    }
    cache_each_owned(world_cache(w), kind_get(KIND_POD), ret->uid, keep_newest, &newest);
    if (ret->state == OUTCOME_ACTIVE && newest.pod)
        look_at_start(w, newest.pod, ret);
    else if (ret->state == OUTCOME_ACTIVE) /* a pod that only the Job knows of: the watch of pods is behind */
        ret->has_started = ret->n_active > 0;
    /* Before Kubernetes 1.31 a Job has failed while its pod has yet to end; told to go, it stays as long as that. */
    if (ret->state != OUTCOME_SUCCEEDED && newest.pod && newest.pod->deleting)
        look_at_end(w, newest.pod, ret);
    if (ret->state != OUTCOME_FAILED || *ret->message)
        return;
    if (newest.pod)
        ret->message = why_failed(w, world_doc(w, kind_get(KIND_POD), newest.pod->ns, newest.pod->name));
    if (!newest.pod || !ret->message) {
        struct str reason = condition_record_reason(record ? kobj_text(record, "status.conditions") : "", "Failed");

        ret->message = arena_printf(world_arena(w), "Job %s failed%s%.*s, and its pod is gone", job,
                                    reason.n ? ": " : "", (int)reason.n, reason.n ? reason.p : "");
    }
}

void outcome_look(struct world *w, const char *ns, const char *job, const char *owner_uid, struct outcome *ret)
{
    look(w, ns, job, owner_uid, true, ret);
}

void outcome_glance(struct world *w, const char *ns, const char *job, const char *owner_uid, struct outcome *ret)
{
    look(w, ns, job, owner_uid, false, ret);
}

static bool is_of_namesake(const json_t *job, const struct kobj *self)
{
    const json_t *owner;
    size_t i;

    json_array_foreach (json_at(job, "metadata.ownerReferences"), i, owner)
        if (json_flag(owner, "controller", false) && strcmp(json_text(owner, "kind"), self->kind->name) == 0 &&
            strcmp(json_text(owner, "name"), self->name) == 0)
            return true;
    return false;
}

const struct refusal *outcome_refusal(struct world *w, const struct kobj *self, const struct kind *k, const char *name,
                                      bool *ret_is_passing)
{
    const struct refusal *r = world_refusal(w, k, self->ns, name);
    const json_t *holder;

    *ret_is_passing = false;
    if (!r || r->why != REFUSAL_NAME || k->id != KIND_JOB)
        return r;
    holder = world_doc(w, k, self->ns, name);
    *ret_is_passing = is_of_namesake(holder, self);
    return holder ? r : NULL;
}

void outcome_wake_owner(const struct cache *c, const struct kobj *changed, const char *owner_kind, wake_fn *wake,
                        void *ctx)
{
    const struct kobj *job = changed;

    if (changed->kind->id == KIND_POD) {
        if (strcmp(changed->owner_kind, "Job") != 0)
            return;
        job = cache_find(c, kind_get(KIND_JOB), changed->ns, changed->owner_name);
    }
    if (job && strcmp(job->owner_kind, owner_kind) == 0)
        wake(ctx, job->ns, job->owner_name);
}
