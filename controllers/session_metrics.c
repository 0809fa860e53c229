/*
 * session_metrics: see session_metrics.h. A backup lists its targets in its status, a restore has the one of its
 * specification. What only a success has (durations, the time) is not pushed after a failure: the last one stays.
 */
#include "controllers/session_metrics.h"

#include <ctype.h>

#include "core/base/json.h"
#include "metrics/lines.h"

enum { BODY_MAX = 256 * 1024 };

#define BACKUP(tail, help) {"stash_appscode_com_backupsession_" tail, "stash_backup_" tail, help}
#define RESTORE(tail, help) {"stash_appscode_com_restoresession_" tail, "stash_restore_" tail, help}
#define SESSION(word, tail, help) {"stash_appscode_com_" word "session_" tail, "stash_" word "_session_" tail, help}

struct names {
    struct lines_metric success, duration, targets, last_success;
    struct lines_metric target_success, target_hosts, target_last_success;
};

/* A restore has no time of its last success. */
static const struct names of_backup = {
    .success = SESSION("backup", "success", "1 when all targets of the last backup succeeded."),
    .duration = SESSION("backup", "duration_seconds", "How long the last good backup took."),
    .targets = BACKUP("target_count_total", "Targets of the last good backup."),
    .last_success = BACKUP("last_success_time_seconds", "When the last good backup ended."),
    .target_success = BACKUP("target_success", "1 when the target's last backup succeeded."),
    .target_hosts = BACKUP("target_host_count_total", "Hosts of the target."),
    .target_last_success = BACKUP("target_last_success_time_seconds", "When the target's last good backup ended."),
};
static const struct names of_restore = {
    .success = SESSION("restore", "success", "1 when the restore succeeded."),
    .duration = SESSION("restore", "duration_seconds", "How long the restore took."),
    .targets = RESTORE("target_count_total", "Targets of the restore."),
    .target_success = RESTORE("target_success", "1 when the target was restored."),
    .target_hosts = RESTORE("target_host_count_total", "Hosts of the target."),
};

struct telling {
    struct arena *arena;
    session_metrics_push *push;
    void *ctx;
    const struct names *names;
    const char *kind, *ns, *name, *driver, *repository; /* the invoker's */
};

static void start_lines(const struct telling *t, struct lines *l, struct buf *out)
{
    buf_init(out, BODY_MAX);
    lines_init(l, out);
    lines_label(l, "invoker_kind", t->kind);
    lines_label(l, "invoker_name", t->name);
    lines_label(l, "namespace", t->ns);
    lines_label(l, "driver", *t->driver ? t->driver : "Restic");
    lines_label(l, "repository", t->repository);
}

static const char *lower_first(const struct telling *t, const char *kind, const char *rest)
{
    char *text = arena_printf(t->arena, "%s-%s", kind, rest);

    for (char *c = text; *c != '-'; c++)
        *c = (char)tolower((unsigned char)*c);
    return text;
}

static void push(const struct telling *t, const char *target, struct lines *l, struct buf *out)
{
    const char *job = lower_first(t, t->kind, arena_printf(t->arena, "%s-%s", t->ns, t->name));

    if (buf_error(out) == 0)
        t->push(t->ctx, t->ns, job, target, out->data);
    lines_done(l);
    buf_done(out);
}

static void tell_session(const struct telling *t, bool succeeded, int64_t now_s, int64_t duration_s, size_t n_targets)
{
    struct lines l;
    struct buf out;

    start_lines(t, &l, &out);
    lines_gauge(&l, &t->names->success, succeeded);
    if (succeeded) {
        lines_gauge(&l, &t->names->duration, (double)duration_s);
        lines_gauge(&l, &t->names->targets, (double)n_targets);
        if (t->names->last_success.name)
            lines_gauge(&l, &t->names->last_success, (double)now_s);
    }
    push(t, NULL, &l, &out);
}

static void tell_target(const struct telling *t, struct world *w, const json_t *ref, bool succeeded, int64_t n_hosts)
{
    const char *kind = json_text(ref, "kind"), *ns = json_text(ref, "namespace");
    const json_t *app = NULL;
    struct lines l;
    struct buf out;

    if (strcmp(kind, "AppBinding") == 0)
        app = world_doc(w, kind_get(KIND_APPBINDING), *ns ? ns : t->ns, json_text(ref, "name"));
    start_lines(t, &l, &out);
    lines_target(&l, kind, json_text(ref, "name"), app ? json_text(app, "spec.type") : NULL,
                 json_text(app, "apiVersion"));
    lines_gauge(&l, &t->names->target_success, succeeded);
    if (succeeded) {
        lines_gauge(&l, &t->names->target_hosts, (double)n_hosts);
        if (t->names->target_last_success.name)
            lines_gauge(&l, &t->names->target_last_success, (double)world_now_s(w));
    }
    push(t, lower_first(t, kind, json_text(ref, "name")), &l, &out);
}

static void push_planned(void *ctx, const char *ns, const char *job, const char *target, const char *text)
{
    plan_push(ctx, ns, job, target, text);
}

void session_metrics_plan(struct world *w, struct plan *p, const json_t *session, const json_t *invoker, bool succeeded,
                          int64_t duration_s)
{
    bool is_restore = session == invoker;
    struct telling t = {.arena = world_arena(w),
                        .push = push_planned,
                        .ctx = p,
                        .names = is_restore ? &of_restore : &of_backup,
                        .kind = json_text(invoker, "kind"),
                        .ns = json_text(invoker, "metadata.namespace"),
                        .name = json_text(invoker, "metadata.name"),
                        .driver = json_text(invoker, "spec.driver"),
                        .repository = json_text(invoker, "spec.repository.name")};
    const json_t *targets = json_at(session, "status.targets"), *it, *ref = json_at(session, "spec.target.ref");
    size_t i;

    tell_session(&t, succeeded, world_now_s(w), duration_s, is_restore ? 1 : json_array_size(targets));
    if (is_restore && *json_text(ref, "name"))
        tell_target(&t, w, ref, succeeded, json_int(session, "status.totalHosts", 1));
    json_array_foreach ((json_t *)targets, i, it)
        if (*json_text(it, "ref.name"))
            tell_target(&t, w, json_at(it, "ref"), strcmp(json_text(it, "phase"), "Succeeded") == 0,
                        json_int(it, "totalHosts", 1));
}

/* ---- from records ---- */

struct recall {
    const struct cache *cache;
    session_metrics_push *push;
    void *ctx;
};

static struct telling recalled(const struct recall *r, struct arena *a, const struct names *names, const struct kobj *o)
{
    return (struct telling){.arena = a,
                            .push = r->push,
                            .ctx = r->ctx,
                            .names = names,
                            .kind = o->kind->name,
                            .ns = o->ns,
                            .name = o->name,
                            .driver = kobj_text(o, "spec.driver"),
                            .repository = kobj_text(o, "spec.repository.name")};
}

struct newest {
    const struct kobj *invoker, *ended, *good;
};

static void keep_newer(const struct kobj **at, const struct kobj *o)
{
    if (!*at || o->created_s > (*at)->created_s ||
        (o->created_s == (*at)->created_s && strcmp(o->name, (*at)->name) > 0))
        *at = o;
}

static bool look_at_session(void *ctx, const struct kobj *o)
{
    struct newest *n = ctx;
    const char *phase = kobj_text(o, "status.phase");
    bool is_good = strcmp(phase, "Succeeded") == 0;

    if (strcmp(kobj_text(o, "spec.invoker.kind"), n->invoker->kind->name) != 0 ||
        (!is_good && strcmp(phase, "Failed") != 0))
        return true;
    keep_newer(&n->ended, o);
    if (is_good)
        keep_newer(&n->good, o);
    return true;
}

static bool recall_backup(void *ctx, const struct kobj *o)
{
    const struct recall *r = ctx;
    struct newest n = {.invoker = o};
    struct arena a;
    struct telling t;
    struct lines l;
    struct buf out;

    arena_init(&a);
    cache_each_by(r->cache, kind_get(KIND_BACKUPSESSION), "spec.invoker.name",
                  arena_printf(&a, "%s/%s", o->ns, o->name), look_at_session, &n);
    if (n.ended) {
        t = recalled(r, &a, &of_backup, o);
        start_lines(&t, &l, &out);
        lines_gauge(&l, &t.names->success, n.ended == n.good);
        if (n.good)
            lines_gauge(&l, &t.names->last_success, (double)n.good->created_s);
        push(&t, NULL, &l, &out);
    }
    arena_done(&a);
    return true;
}

static void recall_target(const struct recall *r, const struct telling *t, const struct kobj *o, bool succeeded)
{
    const char *kind = kobj_text(o, "spec.target.ref.kind"), *name = kobj_text(o, "spec.target.ref.name");
    const char *ns = kobj_text(o, "spec.target.ref.namespace");
    const struct kobj *app = NULL;
    char version[128];
    struct lines l;
    struct buf out;

    if (strcmp(kind, "AppBinding") == 0)
        app = cache_find(r->cache, kind_get(KIND_APPBINDING), *ns ? ns : t->ns, name);
    start_lines(t, &l, &out);
    lines_target(&l, kind, name, app ? kobj_text(app, "spec.type") : NULL,
                 kind_api_version(kind_get(KIND_APPBINDING), version));
    lines_gauge(&l, &t->names->target_success, succeeded);
    push(t, lower_first(t, kind, name), &l, &out);
}

static bool recall_restore(void *ctx, const struct kobj *o)
{
    const struct recall *r = ctx;
    const char *phase = kobj_text(o, "status.phase");
    bool succeeded = strcmp(phase, "Succeeded") == 0;
    struct arena a;
    struct telling t;
    struct lines l;
    struct buf out;

    if (!succeeded && strcmp(phase, "Failed") != 0)
        return true;
    arena_init(&a);
    t = recalled(r, &a, &of_restore, o);
    start_lines(&t, &l, &out);
    lines_gauge(&l, &t.names->success, succeeded);
    push(&t, NULL, &l, &out);
    if (*kobj_text(o, "spec.target.ref.name"))
        recall_target(r, &t, o, succeeded);
    arena_done(&a);
    return true;
}

void session_metrics_recall(const struct cache *c, session_metrics_push *fn, void *ctx)
{
    struct recall r = {c, fn, ctx};

    cache_each(c, kind_get(KIND_BACKUPCONFIGURATION), recall_backup, &r);
    cache_each(c, kind_get(KIND_RESTORESESSION), recall_restore, &r);
}
