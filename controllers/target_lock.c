/* target_lock: see target_lock.h. By indexes of the cache, over what carries the target's annotation. */
#include "controllers/target_lock.h"

#include "controllers/condition.h"
#include "controllers/outcome.h"
#include "controllers/unseen_jobs.h"
#include "core/base/json.h"

/* ---- which target ---- */

static struct str group_of(const char *api_version)
{
    struct str rest = str_of(api_version), group = STR_NONE;

    (void)str_cut(&rest, '/', &group);
    return group;
}

const char *target_lock_value(struct arena *a, const struct target_ref *ref)
{
    struct str group = group_of(ref->api_version);

    if (!*ref->name || strcmp(ref->kind, TARGET_EMPTY) == 0)
        return NULL;
    return arena_printf(a, "%.*s/%s/%s/%s", (int)group.n, group.n ? group.p : "", ref->kind, ref->ns, ref->name);
}

bool target_lock_same(const struct target_ref *a, const struct target_ref *b)
{
    return str_eq(group_of(a->api_version), group_of(b->api_version)) && strcmp(a->kind, b->kind) == 0 &&
           strcmp(a->ns, b->ns) == 0 && strcmp(a->name, b->name) == 0;
}

void target_lock_ref(const struct kobj *invoker, struct target_ref *ret)
{
    *ret = (struct target_ref){kobj_text(invoker, "spec.target.ref.apiVersion"),
                               kobj_text(invoker, "spec.target.ref.kind"), kobj_text(invoker, "spec.target.ref.name"),
                               kobj_text(invoker, "spec.target.ref.namespace")};
    if (!*ret->ns)
        ret->ns = invoker->ns;
}

bool target_lock_is_claimed_by(const struct kobj *invoker, const struct target_ref *ref, const char *found)
{
    struct target_ref theirs;

    target_lock_ref(invoker, &theirs);
    return target_lock_same(&theirs, ref) &&
           (strcmp(invoker->ns, ref->ns) == 0 ||
            condition_record_is(kobj_get(invoker, "status.conditions"), found, "True"));
}

const char *target_lock_name(struct arena *a, const struct kobj *o)
{
    return arena_printf(a, "%s %s/%s", o->kind->name, o->ns, o->name);
}

/* ---- who comes first ---- */

bool target_lock_is_before(const struct cache *c, const struct kobj *a, const struct kobj *b)
{
    uint64_t a_came = cache_arrival(c, a), b_came = cache_arrival(c, b);
    int order = strcmp(a->name, b->name);

    if (a_came != b_came)
        return a_came < b_came;
    if (a->created_s != b->created_s)
        return a->created_s < b->created_s;
    return order ? order < 0 : strcmp(a->ns, b->ns) < 0;
}

/* ---- who holds it ---- */

struct search {
    struct world *w;
    const struct kobj *self, *found;
    const struct target_ref *ref;
    const char *value;  /* of the annotation */
    const char *unseen; /* found without a record */
};

bool target_lock_has_ended(const struct kobj *o)
{
    const char *text = o->kind->id == KIND_JOB ? kobj_get(o, "status.conditions") : kobj_text(o, "status.phase");

    if (o->kind->id == KIND_POD)
        return strcmp(text, "Succeeded") == 0 || strcmp(text, "Failed") == 0;
    return condition_record_is(text, "Complete", "True") || condition_record_is(text, "Failed", "True");
}

static bool is_own(const struct search *s, const struct kobj *o)
{
    const struct kobj *job = o;

    if (o->kind->id == KIND_POD)
        job = cache_find(world_cache(s->w), kind_get(KIND_JOB), o->ns, o->owner_name);
    return job && *job->owner_uid && strcmp(job->owner_uid, s->self->uid) == 0 &&
           (job == o || strcmp(job->uid, o->owner_uid) == 0);
}

/* Its account is what reads the AppBinding and so reaches the database. */
static bool may_hold(const struct search *s, const struct kobj *o)
{
    const json_t *doc;
    const char *account;

    if (strcmp(o->ns, s->ref->ns) == 0)
        return true;
    if (!target_is_app(s->ref))
        return false;
    doc = world_doc(s->w, o->kind, o->ns, o->name);
    account = json_text(doc, o->kind->id == KIND_JOB ? "spec.template.spec.serviceAccountName"
                                                     : "spec.serviceAccountName");
    return *account &&
           world_may(s->w, o->ns, account, "get", kind_get(KIND_APPBINDING), s->ref->ns, s->ref->name);
}

static bool is_given_up(struct world *w, const struct kobj *pod)
{
    int64_t lost_at_s;

    if (!pod->deleting)
        return false;
    lost_at_s = outcome_lost_at_s(world_doc(w, pod->kind, pod->ns, pod->name));
    return lost_at_s && world_now_s(w) >= lost_at_s;
}

static bool is_terminated(const json_t *pod, const char *container)
{
    const json_t *it;
    size_t i;

    json_array_foreach (json_at(pod, "status.containerStatuses"), i, it)
        if (strcmp(json_text(it, "name"), container) == 0)
            return json_at(it, "state.terminated") != NULL;
    return false;
}

/* All containers of the Job have ended, and with them the init containers before them. What others have put into the
 * pod (a mesh's proxy) may run on for ever: nothing of ours starts there again. */
static bool is_idle(struct world *w, const struct kobj *pod)
{
    const json_t *doc = world_doc(w, pod->kind, pod->ns, pod->name), *it;
    const json_t *job = world_doc(w, kind_get(KIND_JOB), pod->ns, pod->owner_name);
    const json_t *containers = json_at(job, "spec.template.spec.containers");
    size_t i;

    if (!json_array_size(containers) || strcmp(json_text(job, "metadata.uid"), pod->owner_uid) != 0)
        return false;
    json_array_foreach (containers, i, it)
        if (!is_terminated(doc, json_text(it, "name")))
            return false;
    return true;
}

static bool take_pod(void *ctx, const struct kobj *pod)
{
    struct search *s = ctx;

    if (target_lock_has_ended(pod) || is_own(s, pod) || !may_hold(s, pod) || is_given_up(s->w, pod) ||
        is_idle(s->w, pod))
        return true;
    s->found = pod;
    return false;
}

/* ---- what the cache does not show ---- */

static bool holds(const struct search *s, const json_t *o, const char *account)
{
    if (strcmp(json_meta(o, "annotations", TARGET_LOCK_ANNOTATION), s->value) != 0)
        return false;
    if (strcmp(json_text(o, "metadata.namespace"), s->ref->ns) == 0)
        return true;
    return target_is_app(s->ref) && *account &&
           world_may(s->w, json_text(o, "metadata.namespace"), account, "get", kind_get(KIND_APPBINDING), s->ref->ns,
                     s->ref->name);
}

static bool is_unseen_pod(const struct search *s, const json_t *pod)
{
    const char *phase = json_text(pod, "status.phase");
    const struct kobj *record = cache_find(world_cache(s->w), kind_get(KIND_POD), json_text(pod, "metadata.namespace"),
                                           json_text(pod, "metadata.name"));
    int64_t lost_at_s = outcome_lost_at_s(pod);

    return strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0 &&
           !(lost_at_s && world_now_s(s->w) >= lost_at_s) &&
           !(record && strcmp(record->uid, json_text(pod, "metadata.uid")) == 0) &&
           holds(s, pod, json_text(pod, "spec.serviceAccountName"));
}

static const char *unseen_pod(const struct search *s, const char *ns, const char *job)
{
    const json_t *pod;
    size_t i;

    json_array_foreach (world_pods(s->w, ns, job), i, pod)
        if (is_unseen_pod(s, pod))
            return arena_printf(world_arena(s->w), "Pod %s/%s", ns, json_text(pod, "metadata.name"));
    return NULL;
}

static bool has_pod(const struct search *s, const char *job_uid)
{
    return cache_has_owned(world_cache(s->w), kind_get(KIND_POD), job_uid);
}

static bool is_over(const json_t *job)
{
    const json_t *conditions = json_at(job, "status.conditions");

    return condition_is(conditions, "Complete", "True") || condition_is(conditions, "Failed", "True");
}

static const char *unseen_holder(const struct search *s, uint64_t now_ns, const struct unseen_job *j)
{
    const json_t *job = world_doc(s->w, kind_get(KIND_JOB), j->ns, j->name);
    bool holds_it;

    if (!job) /* of others' namespaces only what we have sent: they may delete Jobs all the time */
        holds_it = now_ns < j->held_until_ns && (j->was_sent || strcmp(j->ns, s->ref->ns) == 0);
    else if (strcmp(kobj_owner_uid_in(job), s->self->uid) == 0)
        return NULL;
    else
        holds_it = !is_over(job) && !has_pod(s, json_text(job, "metadata.uid")) &&
                   holds(s, job, json_text(job, "spec.template.spec.serviceAccountName"));
    return holds_it ? arena_printf(world_arena(s->w), "Job %s/%s", j->ns, j->name) : unseen_pod(s, j->ns, j->name);
}

/* One that has a pod makes no other: then the pod tells. Before Kubernetes 1.31 one has failed while its pod has yet to
 * end, and the watch of pods may not have told of that one. */
static bool take_job(void *ctx, const struct kobj *job)
{
    struct search *s = ctx;
    bool has_failed = condition_record_is(kobj_get(job, "status.conditions"), "Failed", "True");

    if ((target_lock_has_ended(job) && !has_failed) || has_pod(s, job->uid) || is_own(s, job) || !may_hold(s, job))
        return true;
    if (has_failed)
        s->unseen = unseen_pod(s, job->ns, job->name);
    else
        s->found = job;
    return !s->unseen && !s->found;
}

/* Ours of a session's own are no holders for it; none of another namespace has a target that is no AppBinding. */
static bool is_looked_at(const struct search *s, const struct unseen_job *j)
{
    return strcmp(j->target, s->value) == 0 && !(j->was_sent && strcmp(j->owner_uid, s->self->uid) == 0) &&
           (strcmp(j->ns, s->ref->ns) == 0 || target_is_app(s->ref));
}

/* First all Jobs, then their pods: of a Job that is gone a later list has all that it has made. */
static const char *find_unseen(const struct search *s)
{
    const struct unseen_jobs *unseen = world_unseen(s->w);
    const char *found = NULL;

    if (!unseen)
        return NULL;
    LIST_EACH (it, &unseen->jobs) {
        const struct unseen_job *j = LIST_ENTRY(it, struct unseen_job, link);

        if (is_looked_at(s, j))
            (void)world_doc(s->w, kind_get(KIND_JOB), j->ns, j->name);
    }
    if (world_waiting(s->w))
        return NULL;
    LIST_EACH (it, &unseen->jobs) {
        const struct unseen_job *j = LIST_ENTRY(it, struct unseen_job, link);

        if (!found && is_looked_at(s, j))
            found = unseen_holder(s, unseen->now_ns, j);
    }
    return found;
}

const char *target_lock_holder(struct world *w, const struct kobj *self, const struct target_ref *ref)
{
    struct search s = {.w = w, .self = self, .ref = ref, .value = target_lock_value(world_arena(w), ref)};

    if (!s.value)
        return NULL;
    cache_each_by(world_cache(w), kind_get(KIND_POD), "annotation:" TARGET_LOCK_ANNOTATION, s.value, take_pod, &s);
    if (!s.found)
        cache_each_by(world_cache(w), kind_get(KIND_JOB), "annotation:" TARGET_LOCK_ANNOTATION, s.value, take_job, &s);
    if (s.found)
        return target_lock_name(world_arena(w), s.found);
    return s.unseen ? s.unseen : find_unseen(&s);
}

/* ---- who gave it back ---- */

bool target_lock_ends(const struct kobj *old, const struct kobj *now)
{
    return target_lock_has_ended(now) && !target_lock_has_ended(old);
}

bool target_lock_given_back(const struct cache *c, const struct kobj *changed, struct arena *a, struct target_ref *ret)
{
    struct str rest = str_of(kobj_text(changed, "annotation:" TARGET_LOCK_ANNOTATION));
    const struct kobj *now;
    const char **parts[] = {&ret->api_version, &ret->kind, &ret->ns};
    struct str part;

    if (!rest.n)
        return false;
    now = cache_find(c, changed->kind, changed->ns, changed->name);
    if (now && strcmp(now->uid, changed->uid) == 0 && !target_lock_has_ended(now))
        return false;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!str_cut(&rest, '/', &part))
            return false;
        *parts[i] = arena_str(a, part);
    }
    ret->name = arena_str(a, rest);
    return true;
}
