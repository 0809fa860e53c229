/* backupsession_final: what is left to do once a session's phase is final: history, and the retry of a failed one. */
#include "controllers/backupsession.h"

#include "controllers/session_metrics.h"
#include "controllers/sessionspec.h"
#include "core/base/json.h"

#define RETRY_OF STASH_GROUP "/retry-of"

static int64_t duration_s(const json_t *session)
{
    int64_t ns = 0;

    if (str_parse_duration_ns(str_of(json_text(session, "status.sessionDuration")), &ns, NULL) < 0)
        return 0;
    return ns / 1000000000;
}

/* MetricsPushed comes last of all: scripts wait for it. It never changes the outcome. */
void backupsession_clean_history(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    bool drops_self = false;
    size_t n = 0;

    for (size_t i = 0; i < v->n_history; i++) {
        const struct kobj *o = v->history[i].data;

        if (!v->history[i].drop)
            continue;
        n++;
        if (strcmp(o->name, v->self->name) == 0)
            drops_self = true;
        else
            plan_delete(p, o->kind, o->ns, o->name, o->uid, "Background");
    }
    backupsession_set_condition(v, "BackupHistoryCleaned", "True", "SuccessfullyCleanedBackupHistory",
                  arena_printf(world_arena(w), "%zu of %zu sessions removed", n, v->n_history));
    if (strcmp(json_text(v->doc, "status.phase"), "Skipped") != 0)
        backupsession_set_condition(v, "MetricsPushed", "True", "SuccessfullyPushedMetrics",
                                    v->invoker ? "the session's metrics are on the operator's page"
                                               : "its invoker is gone");
    plan_status(p, json_pack("{s:O}", "conditions", v->conditions));
    if (v->invoker && strcmp(json_text(v->doc, "status.phase"), "Skipped") != 0)
        session_metrics_plan(w, p, v->doc, v->invoker, strcmp(json_text(v->doc, "status.phase"), "Succeeded") == 0,
                             duration_s(v->doc));
    if (drops_self)
        plan_delete(p, v->self->kind, v->self->ns, v->self->name, v->self->uid, "Background");
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
        at = v->self->created_s + 1; /* the name is made of it */
    plan_status(p, json_pack("{s:o}", "nextRetry", backupsession_time_json(at)));
    plan_event(p, "Normal", "Retry Scheduled", "the backup is tried again at %s", str_format_time(at, text));
}

void backupsession_retry(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    const char *name = sessionspec_name(world_arena(w), json_text(v->invoker, "metadata.name"), v->retry_at_s);
    json_t *next = sessionspec_make(world_arena(w), v->invoker, name, json_int(v->doc, "spec.retryLeft", 1) - 1);

    json_object_set_new(json_at(next, "metadata.annotations"), RETRY_OF, json_string(v->self->name));
    plan_create(p, v->self->kind, v->self->ns, next);
    plan_status(p, json_pack("{s:b}", "retried", 1));
}

void backupsession_wake_for_retry(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    (void)w;
    plan_wake_at(p, v->retry_at_s);
}
