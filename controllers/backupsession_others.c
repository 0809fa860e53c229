/*
 * backupsession_others: the other sessions that a session has to look at: its siblings of one invoker, and its rivals
 * of other invokers with the same target, restores among them (restoresession_others.c). By indexes of the cache, never
 * by labels: users make sessions without them.
 */
#include "controllers/backupsession.h"

#include "controllers/condition.h"
#include "controllers/restoresession.h"
#include "controllers/target_lock.h"
#include "core/base/json.h"

static bool is_final(const struct kobj *s)
{
    const char *phase = kobj_text(s, "status.phase");

    return !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed") || !strcmp(phase, "Skipped") ||
           !strcmp(phase, "Unknown"); /* of the older operator */
}

static bool is_running(const struct kobj *s)
{
    return strcmp(kobj_text(s, "status.phase"), "Running") == 0;
}

/* Its status may not say yet that it runs, or never will: the operator may be killed between the two writes. */
bool backupsession_has_job(const struct cache *c, const struct kobj *session)
{
    return cache_has_owned(c, kind_get(KIND_JOB), session->uid);
}

/* It may never start: a full quota, a missing right. */
static bool is_refused(const struct kobj *s)
{
    return condition_record_is(kobj_get(s, "status.conditions"), BACKUPSESSION_ADMITTED, "False");
}

struct search {
    const struct cache *cache;
    const struct kobj *self, *found;
    const char *kind; /* of the invoker */
    bool is_sibling;  /* it looks at those of its own invoker */
};

/* Who has started holds the place; among those that wait the first goes on. Who has only the target in common with a
 * backup that the API server refuses goes past it; that one looks at its rivals before each new try. One that is
 * deleted starts nothing, and nobody looks at it any more: what of it runs on holds the target itself
 * (target_lock.h). */
static bool take_blocking(void *ctx, const struct kobj *o)
{
    struct search *s = ctx;

    if (o->kind == s->self->kind && strcmp(o->ns, s->self->ns) == 0 && strcmp(o->name, s->self->name) == 0)
        return true;
    if (strcmp(kobj_text(o, "spec.invoker.kind"), s->kind) != 0 || is_final(o) || o->deleting)
        return true;
    if (backupsession_has_job(s->cache, o) || is_running(o) ||
        (target_lock_is_before(s->cache, o, s->self) && (s->is_sibling || !is_refused(o)))) {
        s->found = o;
        return false;
    }
    return true;
}

static void each_of(const struct cache *c, const char *ns, const char *invoker, cache_each_fn *fn, void *ctx)
{
    struct buf key;

    buf_init(&key, 1024);
    buf_printf(&key, "%s/%s", ns, invoker);
    cache_each_by(c, kind_get(KIND_BACKUPSESSION), "spec.invoker.name", key.data, fn, ctx);
    buf_done(&key);
}

const struct kobj *backupsession_sibling(const struct cache *c, const struct kobj *self)
{
    struct search s = {.cache = c, .self = self, .kind = kobj_text(self, "spec.invoker.kind"), .is_sibling = true};

    each_of(c, self->ns, kobj_text(self, "spec.invoker.name"), take_blocking, &s);
    return s.found;
}

/* ---- rivals ---- */

struct rivals {
    const struct cache *cache;
    const struct target_ref *ref;
    const char *own_ns, *own_name; /* of the invoker */
    cache_each_fn *fn;
    void *ctx;
};

static bool each_rival_session(void *ctx, const struct kobj *invoker)
{
    const struct rivals *r = ctx;

    if (target_lock_is_claimed_by(invoker, r->ref, "BackupTargetFound") &&
        (strcmp(invoker->ns, r->own_ns) || strcmp(invoker->name, r->own_name)))
        each_of(r->cache, invoker->ns, invoker->name, r->fn, r->ctx);
    return true;
}

static void each_rival(const struct rivals *r)
{
    if (*r->ref->name)
        cache_each_ref(r->cache, kind_get(KIND_BACKUPCONFIGURATION), "spec.target.ref.name", r->ref->ns, r->ref->name,
                       each_rival_session, (void *)(uintptr_t)r);
}

const char *backupsession_rival(struct world *w, const struct kobj *self, const struct target_ref *ref)
{
    struct search s = {.cache = world_cache(w), .self = self, .kind = "BackupConfiguration"};
    struct rivals r = {world_cache(w), ref, self->ns, kobj_text(self, "spec.invoker.name"), take_blocking, &s};

    each_rival(&r);
    if (!s.found)
        s.found = restoresession_rival(world_cache(w), self, ref);
    return s.found ? target_lock_name(world_arena(w), s.found) : target_lock_holder(w, self, ref);
}

const struct kobj *backupsession_before(const struct cache *c, const struct kobj *restore, const struct target_ref *ref)
{
    struct search s = {.cache = c, .self = restore, .kind = "BackupConfiguration"};
    struct rivals r = {c, ref, "", "", take_blocking, &s};

    each_rival(&r);
    return s.found;
}

struct waking {
    wake_fn *wake;
    void *ctx;
};

static bool wake_waiting(void *ctx, const struct kobj *o)
{
    const struct waking *k = ctx;

    if (!is_final(o) && !is_running(o))
        k->wake(k->ctx, o->ns, o->name);
    return true;
}

static void wake_waiting_for(const struct cache *c, const struct target_ref *ref, wake_fn *wake, void *ctx)
{
    struct waking k = {wake, ctx};
    struct rivals r = {c, ref, "", "", wake_waiting, &k};

    each_rival(&r);
}

void backupsession_wake_rivals(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    const struct kobj *invoker = changed;
    struct target_ref ref;

    if (changed->kind->id == KIND_BACKUPSESSION)
        invoker = cache_find(c, kind_get(KIND_BACKUPCONFIGURATION), changed->ns,
                             kobj_text(changed, "spec.invoker.name"));
    if (!invoker)
        return;
    target_lock_ref(invoker, &ref);
    wake_waiting_for(c, &ref, wake, ctx);
}

void backupsession_wake_by_job(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    struct target_ref ref;
    struct arena a;

    arena_init(&a);
    if (target_lock_given_back(c, changed, &a, &ref))
        wake_waiting_for(c, &ref, wake, ctx);
    arena_done(&a);
}

/* ---- the family ---- */

struct family {
    struct world *w;
    const char *kind;
    struct retain_item *items;
    size_t n, cap;
};

static enum retain_result result_of(const struct kobj *o)
{
    const char *phase = kobj_text(o, "status.phase");

    if (!strcmp(phase, "Succeeded"))
        return RETAIN_SUCCEEDED;
    if (!strcmp(phase, "Failed"))
        return RETAIN_FAILED;
    return !strcmp(phase, "Skipped") ? RETAIN_SKIPPED : RETAIN_OPEN;
}

static bool add_to_family(void *ctx, const struct kobj *o)
{
    struct family *f = ctx;

    if (strcmp(kobj_text(o, "spec.invoker.kind"), f->kind) != 0 || o->deleting)
        return true;
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        struct retain_item *items = arena_alloc(world_arena(f->w), cap * sizeof(*items));

        if (f->n)
            memcpy(items, f->items, f->n * sizeof(*items));
        f->items = items;
        f->cap = cap;
    }
    f->items[f->n++] = (struct retain_item){
        .name = o->name, .created_s = o->created_s, .result = result_of(o), .data = o};
    return true;
}

struct retain_item *backupsession_family(struct world *w, const struct kobj *self, size_t *ret_n)
{
    struct family f = {.w = w, .kind = kobj_text(self, "spec.invoker.kind")};

    each_of(world_cache(w), self->ns, kobj_text(self, "spec.invoker.name"), add_to_family, &f);
    *ret_n = f.n;
    return f.items;
}
