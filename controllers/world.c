/* world: see world.h and controller.h. */
#include "controllers/world.h"

#include "core/base/json.h"

void world_init(struct world *w, const struct operator_settings *s, const struct cache *c, struct arena *a,
                int64_t now_ms, int64_t asked_ms)
{
    *w = (struct world){.settings = s, .cache = c, .arena = a, .now_ms = now_ms, .asked_ms = asked_ms};
    list_init(&w->docs);
}

const struct operator_settings *world_settings(const struct world *w)
{
    return w->settings;
}

static int64_t floor_s(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((999 - ms) / 1000);
}

int64_t world_now_s(const struct world *w)
{
    return floor_s(w->now_ms);
}

int64_t world_now_ms(const struct world *w)
{
    return w->now_ms;
}

int64_t world_asked_s(const struct world *w)
{
    return floor_s(w->asked_ms);
}

const struct cache *world_cache(const struct world *w)
{
    return w->cache;
}

const char *world_cluster(const struct world *w)
{
    const char *own = w->settings->cluster_id;
    const struct kobj *o = cache_find(w->cache, kind_get(KIND_NAMESPACE), NULL, "kube-system");

    return own && *own ? own : o ? o->uid : "";
}

struct arena *world_arena(struct world *w)
{
    return w->arena;
}

bool world_waiting(const struct world *w)
{
    return w->waiting;
}

static struct world_doc *find(const struct world *w, const struct kind *k, const char *ns, const char *name)
{
    LIST_EACH (it, &w->docs) {
        struct world_doc *d = LIST_ENTRY(it, struct world_doc, link);

        if (d->kind == k && str_same(d->ns, ns) && str_same(d->name, name))
            return d;
    }
    return NULL;
}

const json_t *world_peek(const struct world *w, const struct kind *k, const char *ns, const char *name)
{
    const struct world_doc *d = find(w, k, k->namespaced ? ns : NULL, name);

    return d ? d->object : NULL;
}

/* The entry of a document or review, new or known; w is told when its answer is not there yet. */
static struct world_doc *ask(struct world *w, const struct kind *k, const char *ns, const char *name)
{
    struct world_doc *d = find(w, k, ns, name);

    if (!d) {
        d = arena_alloc(w->arena, sizeof(*d));
        d->kind = k;
        d->ns = ns ? arena_strdup(w->arena, ns) : NULL;
        d->name = arena_strdup(w->arena, name ? name : "");
        list_add_tail(&w->docs, &d->link);
        d->known = d->name[0] == '\0'; /* nobody has no name: absent without asking */
        if (!d->known && k->id < N_KINDS && w->at_hand)
            (void)w->at_hand(w->ctx, d);
    }
    if (!d->known)
        w->waiting = true;
    return d;
}

const json_t *world_doc(struct world *w, const struct kind *k, const char *ns, const char *name)
{
    return ask(w, k, k->namespaced ? ns : NULL, name)->object;
}

/* Made only here, never kept or watched: not in the table of kinds. */
static const struct kind access_review = {.id = N_KINDS,
                                          .group = "authorization.k8s.io",
                                          .version = "v1",
                                          .name = "SubjectAccessReview",
                                          .plural = "subjectaccessreviews"};

bool world_may(struct world *w, const char *account_ns, const char *account, const char *verb, const struct kind *k,
               const char *ns, const char *name)
{
    const char *user = arena_printf(w->arena, "system:serviceaccount:%s:%s", account_ns, account);
    struct world_doc *d =
        ask(w, &access_review, NULL, arena_printf(w->arena, "%s %s %s %s/%s", user, verb, k->plural, ns, name));

    if (!d->body)
        d->body = arena_json(w->arena, json_pack("{s:{s:s, s:[s, s, s], s:{s:s, s:s, s:s, s:s, s:s}}}", "spec", "user",
                                                 user, "groups", "system:serviceaccounts",
                                                 arena_printf(w->arena, "system:serviceaccounts:%s", account_ns),
                                                 "system:authenticated", "resourceAttributes", "verb", verb, "group",
                                                 k->group, "resource", k->plural, "namespace", ns, "name", name));
    return json_flag(d->object, "status.allowed", false);
}

/* Never looked up in the cache or kept, so not one of the table of kinds. */
static const struct kind pod_list = {.id = N_KINDS, .group = "", .version = "v1", .name = "Pod", .plural = "pods",
                                     .namespaced = true};

const json_t *world_pods(struct world *w, const char *ns, const char *job)
{
    struct world_doc *d = ask(w, &pod_list, ns, job);

    if (!d->query) /* the older name of the label: all servers that we know set it */
        d->query = arena_printf(w->arena, "labelSelector=job-name%%3D%s&limit=50", job);
    return json_at(d->object, "items");
}

const struct unseen_jobs *world_unseen(const struct world *w)
{
    return w->unseen;
}

bool world_is_document(const struct world_doc *d)
{
    return !d->query && !d->body;
}

struct world_doc *world_wanted(struct world *w)
{
    LIST_EACH (it, &w->docs) {
        struct world_doc *d = LIST_ENTRY(it, struct world_doc, link);

        if (!d->known)
            return d;
    }
    return NULL;
}

void world_give(struct world *w, struct world_doc *d, json_t *object_take)
{
    d->object = arena_json(w->arena, object_take);
    d->known = true;
}

void world_rerun(struct world *w)
{
    w->waiting = false;
}

int64_t world_catalog_until_s(const struct world *w)
{
    return w->catalog_until_s > world_now_s(w) ? w->catalog_until_s : 0;
}

uint32_t world_failures(const struct world *w)
{
    return w->failures;
}

const struct refusal *world_refusal(const struct world *w, const struct kind *k, const char *ns, const char *name)
{
    if (!w->refusals)
        return NULL;
    LIST_EACH (it, w->refusals) {
        const struct world_refusal *r = LIST_ENTRY(it, struct world_refusal, link);

        if (r->kind == k && str_same(r->ns, k->namespaced ? ns : NULL) && str_same(r->name, name))
            return &r->refusal;
    }
    return NULL;
}

/* ---- one pass ---- */

int controller_phase(const struct controller *c, const char *name)
{
    if (!name)
        return 0;
    for (int i = 0; c->phases[i]; i++) {
        if (strcmp(c->phases[i], name) == 0)
            return i;
    }
    return -1;
}

static const struct rule *first_rule(const struct controller *c, int phase, const void *view)
{
    for (size_t i = 0; i < c->n_rules; i++) {
        const struct rule *r = &c->rules[i];

        if ((r->in == phase || r->in == PHASE_ANY) && (!r->when || r->when(view)))
            return r;
    }
    return NULL;
}

const struct rule *controller_decide(const struct controller *c, struct world *w, const struct kobj *self,
                                     struct plan *p)
{
    void *view = arena_alloc(w->arena, c->view_size ? c->view_size : 1);
    int phase = c->observe(w, self, view);
    const struct rule *rule;

    if (w->waiting || phase == PHASE_REST)
        return NULL;
    rule = first_rule(c, phase, view);
    if (rule && rule->act)
        rule->act(view, w, p);
    return rule;
}
