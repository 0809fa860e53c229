/*
 * repository_unlock: a worker that was killed leaves restic's lock behind, and the next one would wait half an hour for
 * restic to call it stale. We know that the pod has ended, so a Job with the pod's name as host name removes exactly
 * its locks (controllers/job/maintain.h).
 *
 * At most one such Job of a Repository is there, however many pods fail: it looks for the locks of all that have failed
 * until it was made (its annotation names them), can remove those of one, and says whose else are left. When it has
 * ended, the Repository notes in an annotation whom it has looked after, and the Job goes; who still has a lock gets
 * the next Job. A lock is an obstacle for half an hour, no fault: one attempt for each pod, and of more than a thousand
 * failed pods only the newest thousand's.
 */
#include "controllers/repository_view.h"

#include <stdlib.h>

#include "core/base/json.h"

#define LOOKED_AFTER STASH_GROUP "/unlocked-pods" /* of the Repository: of failed pods that are still there */
#define LOOKS_AFTER STASH_GROUP "/pods"           /* of the Job */

enum { PODS_MAX = 1000, ID_LEN = 8 };

/* ---- failed pods ---- */

struct pods {
    struct world *w;
    const struct kobj **list;
    size_t n, cap;
};

static const char *repository_key(struct world *w, const struct repository_view *v)
{
    return arena_printf(world_arena(w), "%s/%s", v->self->ns, v->self->name);
}

static bool take_failed(void *ctx, const struct kobj *pod)
{
    struct pods *p = ctx;

    if (strcmp(kobj_text(pod, "status.phase"), "Failed") != 0)
        return true;
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        const struct kobj **list = arena_alloc(world_arena(p->w), cap * sizeof(*list));

        if (p->n)
            memcpy(list, p->list, p->n * sizeof(*list));
        p->list = list;
        p->cap = cap;
    }
    p->list[p->n++] = pod;
    return true;
}

static int newest_first(const void *a, const void *b)
{
    const struct kobj *x = *(const struct kobj *const *)a, *y = *(const struct kobj *const *)b;

    if (x->created_s != y->created_s)
        return x->created_s > y->created_s ? -1 : 1;
    return strcmp(x->uid, y->uid);
}

static struct pods failed_pods(struct world *w, const struct repository_view *v)
{
    struct pods p = {.w = w};

    cache_each_by(world_cache(w), kind_get(KIND_POD), "annotation:" REPOSITORY_JOB_ANNOTATION, repository_key(w, v),
                  take_failed, &p);
    if (p.n)
        qsort(p.list, p.n, sizeof(*p.list), newest_first);
    if (p.n > PODS_MAX)
        p.n = PODS_MAX;
    return p;
}

/* ---- lists of pods: the first digits of their UIDs, joined by ',' ---- */

static const char *id_of(struct arena *a, const struct kobj *pod)
{
    return arena_printf(a, "%.*s", ID_LEN, pod->uid);
}

static bool has_word(const char *list, char sep, const char *word)
{
    struct str rest = str_of(list), part;

    while (str_cut(&rest, sep, &part))
        if (str_is(part, word))
            return true;
    return false;
}

static void add_id(struct buf *list, struct arena *a, const struct kobj *pod)
{
    buf_printf(list, "%s%s", list->len ? "," : "", id_of(a, pod));
}

/* ---- whose locks may be removed ---- */

static bool has_running(const json_t *statuses)
{
    const json_t *s;
    size_t i;

    json_array_foreach (statuses, i, s)
        if (json_at(s, "state.running"))
            return true;
    return false;
}

/* Its phase alone is no proof: for a pod whose node is out of reach others write Failed. */
static bool has_ended(struct world *w, const struct kobj *pod)
{
    const json_t *doc = world_doc(w, pod->kind, pod->ns, pod->name);

    return doc && !has_running(json_at(doc, "status.containerStatuses")) &&
           !has_running(json_at(doc, "status.initContainerStatuses"));
}

struct namesake {
    const struct kobj *pod;
    bool lives;
};

static bool take_namesake(void *ctx, const struct kobj *o)
{
    struct namesake *n = ctx;
    const char *phase = kobj_text(o, "status.phase");

    n->lives = strcmp(o->name, n->pod->name) == 0 && strcmp(phase, "Failed") != 0 && strcmp(phase, "Succeeded") != 0;
    return !n->lives;
}

/* One of another namespace has the same host name, and its lock would go too. */
static bool has_living_namesake(struct world *w, const struct repository_view *v, const struct kobj *pod)
{
    struct namesake n = {.pod = pod};

    cache_each_by(world_cache(w), kind_get(KIND_POD), "annotation:" REPOSITORY_JOB_ANNOTATION, repository_key(w, v),
                  take_namesake, &n);
    return n.lives;
}

/* Those with a name that is no host name have to wait for restic's own rule. */
static bool is_wanted(struct world *w, const struct repository_view *v, const struct kobj *pod)
{
    const char *known = json_meta(v->doc, "annotations", LOOKED_AFTER);

    return !has_word(known, ',', id_of(world_arena(w), pod)) && strlen(pod->name) <= 63 && !strchr(pod->name, '.') &&
           !repository_refusal(w, v->doc, pod->ns) && has_ended(w, pod) && !has_living_namesake(w, v, pod);
}

void repository_unlock_look(struct world *w, struct repository_view *v)
{
    const char *name = repository_job_name(world_arena(w), "unlock", v->self->name);
    struct pods p;
    struct buf ids;

    repository_job_look(w, v->self, name, &v->unlock);
    v->unlock_refusal = world_refusal(w, kind_get(KIND_JOB), v->self->ns, name);
    if (v->unlock.record)
        return;
    p = failed_pods(w, v);
    buf_init(&ids, PODS_MAX * (ID_LEN + 1) + 1);
    for (size_t i = 0; i < p.n; i++) {
        if (!is_wanted(w, v, p.list[i]))
            continue;
        v->ended = p.list[i]; /* the oldest: each has its turn, whoever else fails meanwhile */
        add_id(&ids, world_arena(w), p.list[i]);
    }
    v->ended_ids = arena_strdup(world_arena(w), ids.data);
    buf_done(&ids);
}

/* ---- rows ---- */

static bool is_refused(const struct repository_view *v)
{
    return v->unlock_refusal && v->now_s < v->unlock_refusal->retry_s;
}

static bool is_to_go(const struct repository_view *v)
{
    return v->unlock.record && !v->unlock.record->deleting && (v->unlock.finished || v->unlock.of_another);
}

bool repository_unlock_has_ended(const void *view)
{
    return is_to_go(view) && !is_refused(view);
}

/* A Job that failed has said nothing of the others: nobody's locks are looked for twice. */
static const char *looked_after(struct world *w, const struct repository_view *v)
{
    const json_t *job = world_doc(w, v->unlock.record->kind, v->unlock.record->ns, v->unlock.record->name);
    const char *known = json_meta(v->doc, "annotations", LOOKED_AFTER), *host, *left = "", *out;
    struct arena *a = world_arena(w);
    struct pods p = failed_pods(w, v);
    struct buf ids;

    host = json_text(job, "spec.template.spec.hostname");
    if (v->unlock.succeeded)
        left = repository_job_words(w, v->unlock.record);
    buf_init(&ids, PODS_MAX * (ID_LEN + 1) + 1);
    for (size_t i = 0; i < p.n; i++) {
        const char *id = id_of(a, p.list[i]), *name = p.list[i]->name;
        bool is_left = has_word(left, ' ', name) && strcmp(name, host) != 0;

        if (has_word(known, ',', id) || (has_word(json_meta(job, "annotations", LOOKS_AFTER), ',', id) && !is_left))
            add_id(&ids, a, p.list[i]);
    }
    out = arena_strdup(a, ids.data);
    buf_done(&ids);
    return out;
}

void repository_unlock_note(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;
    const struct kobj *job = v->unlock.record;

    if (!v->unlock.of_another)
        plan_patch(p, v->self->kind, v->self->ns, v->self->name, NULL, NULL,
                   json_pack("{s:{s:{s:s}}}", "metadata", "annotations", LOOKED_AFTER, looked_after(w, v)));
    plan_delete(p, job->kind, job->ns, job->name, job->uid, "Background");
    if (v->unlock.failed && !v->unlock.of_another)
        plan_event(p, "Warning", "Unlock Failed", "locks of ended pods stay until restic calls them stale: %.600s",
                   *v->unlock.message ? v->unlock.message : "the unlock Job failed");
}

bool repository_unlock_due(const void *view)
{
    const struct repository_view *v = view;

    return v->verified && v->ended && !is_refused(v);
}

void repository_unlock_start(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;
    json_t *job = repository_unlock_job(w, v->self, v->doc, v->ended);

    json_object_set_new(json_at(job, "metadata.annotations"), LOOKS_AFTER, json_string(v->ended_ids));
    plan_create(p, kind_get(KIND_JOB), v->self->ns, job);
    plan_event(p, "Normal", "Unlock Started", "pod %s/%s ended by force: a lock that it left is removed", v->ended->ns,
               v->ended->name);
}

void repository_unlock_wake(const struct repository_view *v, struct plan *p)
{
    if ((v->ended || is_to_go(v)) && is_refused(v))
        plan_wake_at(p, v->unlock_refusal->retry_s);
}

/* ---- whose end wakes a Repository ---- */

void repository_unlock_wake_by_pod(const struct cache *c, const struct kobj *pod, wake_fn *wake, void *ctx)
{
    struct str name = str_of(kobj_text(pod, "annotation:" REPOSITORY_JOB_ANNOTATION)), ns;
    char text[64];

    (void)c;
    if (strcmp(kobj_text(pod, "status.phase"), "Failed") != 0 || !str_cut(&name, '/', &ns) || ns.n >= sizeof(text) ||
        !name.n)
        return;
    memcpy(text, ns.p, ns.n);
    text[ns.n] = 0;
    wake(ctx, text, name.p); /* the rest of the value: it ends where that ends */
}
