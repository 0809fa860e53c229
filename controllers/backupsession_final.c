/* backupsession_final: what is left to do once a session's phase is final: history, and the retry of a failed one. */
#include "controllers/backupsession.h"

#include "controllers/session_metrics.h"
#include "controllers/sessionspec.h"
#include "core/base/json.h"

/*
 * A success goes only if the newest one is there: its user may have taken that one away, and the watch not said so yet.
 * That others stay too, by the cache, says nothing: a watch may be behind by more than one. Whatever is stale, and
 * whoever else deletes, the newest is never deleted by an operator, for it was asked for a newer one each time.
 */
static const struct kobj *newest_good(const struct backupsession_view *v)
{
    for (size_t i = 0; i < v->n_history; i++)
        if (v->history[i].result == RETAIN_SUCCEEDED)
            return v->history[i].data; /* retain_mark has sorted, and never drops this one */
    return NULL;
}

static void drop(const struct backupsession_view *v, struct plan *p, const struct retain_item *it)
{
    plan_delete_beside(p, it->data, it->result == RETAIN_SUCCEEDED ? newest_good(v) : NULL);
}

/* The other sessions that are beyond the limit. Answers this one, if it is too. */
static const struct retain_item *drop_others(const struct backupsession_view *v, struct plan *p, size_t *ret_n)
{
    const struct retain_item *self = NULL;

    *ret_n = 0;
    for (size_t i = 0; i < v->n_history; i++) {
        const struct kobj *o = v->history[i].data;

        if (!v->history[i].drop)
            continue;
        ++*ret_n;
        if (strcmp(o->name, v->self->name) == 0)
            self = &v->history[i];
        else
            drop(v, p, &v->history[i]);
    }
    return self;
}

/* MetricsPushed comes last of all: scripts wait for it. It never changes the outcome. */
static void set_conditions(const struct backupsession_view *v, struct world *w, size_t n, bool is_skipped)
{
    backupsession_set_condition(v, "BackupHistoryCleaned", "True", "SuccessfullyCleanedBackupHistory",
                  arena_printf(world_arena(w), "%zu of %zu sessions removed", n, v->n_history));
    if (!is_skipped)
        backupsession_set_condition(v, "MetricsPushed", "True", "SuccessfullyPushedMetrics",
                                    v->invoker ? "the session's metrics are on the operator's page"
                                               : "its invoker is gone");
}

void backupsession_clean_history(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    bool is_skipped = strcmp(json_text(v->doc, "status.phase"), "Skipped") == 0;
    size_t n;
    const struct retain_item *self = drop_others(v, p, &n);

    set_conditions(v, w, n, is_skipped);
    plan_status(p, json_pack("{s:O}", "conditions", v->conditions));
    if (v->invoker && !is_skipped)
        session_metrics_plan(w, p, v->doc, v->invoker, strcmp(json_text(v->doc, "status.phase"), "Succeeded") == 0,
                             backupsession_duration_s(v));
    if (self)
        drop(v, p, self);
}

/* The API server would not let one go, or may not have: then what else is due comes first, the session's end or its
 * retry, and history has its own pass, which is tried again until all are gone. */
bool backupsession_is_drop_hard(const struct backupsession_view *v, const struct world *w)
{
    if (world_failures(w))
        return true;
    for (size_t i = 0; i < v->n_history; i++) {
        const struct kobj *o = v->history[i].data;

        if (v->history[i].drop && world_refusal(w, o->kind, o->ns, o->name))
            return true;
    }
    return false;
}

/* The session as it will be once the plan has run, for its metrics. */
static const json_t *as_finished(const struct backupsession_view *v, struct world *w)
{
    json_t *session = arena_json(world_arena(w), json_copy((json_t *)(uintptr_t)v->doc));
    json_t *status = json_copy(json_at(v->doc, "status"));

    if (!status)
        status = json_object();
    json_object_set(status, "targets", v->targets);
    json_object_set_new(session, "status", status);
    return session;
}

void backupsession_succeed(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    const struct retain_item *self;
    size_t n;

    if (backupsession_is_drop_hard(v, w)) {
        backupsession_finish(v, p, BACKUPSESSION_SUCCEEDED);
        return;
    }
    self = drop_others(v, p, &n);
    set_conditions(v, w, n, false);
    backupsession_finish(v, p, BACKUPSESSION_SUCCEEDED);
    if (v->invoker)
        session_metrics_plan(w, p, as_finished(v, w), v->invoker, true, backupsession_duration_s(v));
    if (self)
        drop(v, p, self);
}

void backupsession_note_retried(const void *view, struct world *w, struct plan *p)
{
    (void)view;
    (void)w;
    plan_status(p, json_pack("{s:b}", "retried", 1));
}

void backupsession_schedule_retry(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    int64_t delay_ns = 0, at;
    char text[32];

    (void)w;
    if (str_parse_duration_ns(str_of(json_text(v->invoker, "spec.retryConfig.delay")), &delay_ns, NULL) < 0 ||
        delay_ns < 0)
        delay_ns = 0;
    at = v->now_s + (delay_ns + 999999999) / 1000000000;
    if (at <= v->self->created_s)
        at = v->self->created_s + 1; /* the name is made of it, and the newest session is told by its creation */
    plan_status(p, json_pack("{s:o}", "nextRetry", backupsession_time_json(at)));
    plan_event(p, "Normal", "Retry Scheduled", "the backup is tried again at %s", str_format_time(at, text));
}

void backupsession_retry(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    const char *name =
        sessionspec_retry_name(world_arena(w), json_text(v->invoker, "metadata.name"), v->retry_at_s);
    json_t *next = sessionspec_make(world_arena(w), v->invoker, name, json_int(v->doc, "spec.retryLeft", 1) - 1);

    json_object_set_new(json_at(next, "metadata.annotations"), SESSIONSPEC_RETRY_OF, json_string(v->self->name));
    plan_create(p, v->self->kind, v->self->ns, next);
    plan_status(p, json_pack("{s:b}", "retried", 1));
}

void backupsession_wake_for_retry(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    (void)w;
    plan_wake_at(p, v->retry_at_s);
}
