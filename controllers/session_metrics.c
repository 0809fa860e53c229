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
    struct world *w;
    struct plan *plan;
    const json_t *session, *invoker;
    const struct names *names;
    const char *kind, *ns, *name; /* the invoker's */
};

static void start_lines(const struct telling *t, struct lines *l, struct buf *out)
{
    const char *driver = json_text(t->invoker, "spec.driver");

    buf_init(out, BODY_MAX);
    lines_init(l, out);
    lines_label(l, "invoker_kind", t->kind);
    lines_label(l, "invoker_name", t->name);
    lines_label(l, "namespace", t->ns);
    lines_label(l, "driver", *driver ? driver : "Restic");
    lines_label(l, "repository", json_text(t->invoker, "spec.repository.name"));
}

static const char *lower_first(const struct telling *t, const char *kind, const char *rest)
{
    char *text = arena_printf(world_arena(t->w), "%s-%s", kind, rest);

    for (char *c = text; *c != '-'; c++)
        *c = (char)tolower((unsigned char)*c);
    return text;
}

static void push(const struct telling *t, const char *target, struct lines *l, struct buf *out)
{
    const char *job = lower_first(t, t->kind, arena_printf(world_arena(t->w), "%s-%s", t->ns, t->name));

    if (buf_error(out) == 0)
        plan_push(t->plan, t->ns, job, target, out->data);
    lines_done(l);
    buf_done(out);
}

static void tell_session(const struct telling *t, bool succeeded, int64_t duration_s, size_t n_targets)
{
    struct lines l;
    struct buf out;

    start_lines(t, &l, &out);
    lines_gauge(&l, &t->names->success, succeeded);
    if (succeeded) {
        lines_gauge(&l, &t->names->duration, (double)duration_s);
        lines_gauge(&l, &t->names->targets, (double)n_targets);
        if (t->names->last_success.name)
            lines_gauge(&l, &t->names->last_success, (double)world_now_s(t->w));
    }
    push(t, NULL, &l, &out);
}

static void tell_target(const struct telling *t, const json_t *ref, bool succeeded, int64_t n_hosts)
{
    const char *kind = json_text(ref, "kind"), *ns = json_text(ref, "namespace");
    const json_t *app = NULL;
    struct lines l;
    struct buf out;

    if (strcmp(kind, "AppBinding") == 0)
        app = world_doc(t->w, kind_get(KIND_APPBINDING), *ns ? ns : t->ns, json_text(ref, "name"));
    start_lines(t, &l, &out);
    lines_target(&l, kind, json_text(ref, "name"), app ? json_text(app, "spec.type") : NULL,
                 json_text(app, "apiVersion"));
    lines_gauge(&l, &t->names->target_success, succeeded);
    if (succeeded) {
        lines_gauge(&l, &t->names->target_hosts, (double)n_hosts);
        if (t->names->target_last_success.name)
            lines_gauge(&l, &t->names->target_last_success, (double)world_now_s(t->w));
    }
    push(t, lower_first(t, kind, json_text(ref, "name")), &l, &out);
}

void session_metrics_plan(struct world *w, struct plan *p, const json_t *session, const json_t *invoker, bool succeeded,
                          int64_t duration_s)
{
    bool is_restore = session == invoker;
    struct telling t = {.w = w,
                        .plan = p,
                        .session = session,
                        .invoker = invoker,
                        .names = is_restore ? &of_restore : &of_backup,
                        .kind = json_text(invoker, "kind"),
                        .ns = json_text(invoker, "metadata.namespace"),
                        .name = json_text(invoker, "metadata.name")};
    const json_t *targets = json_at(session, "status.targets"), *it, *ref = json_at(session, "spec.target.ref");
    size_t i;

    tell_session(&t, succeeded, duration_s, is_restore ? 1 : json_array_size(targets));
    if (is_restore && *json_text(ref, "name"))
        tell_target(&t, ref, succeeded, json_int(session, "status.totalHosts", 1));
    json_array_foreach ((json_t *)targets, i, it)
        if (*json_text(it, "ref.name"))
            tell_target(&t, json_at(it, "ref"), strcmp(json_text(it, "phase"), "Succeeded") == 0,
                        json_int(it, "totalHosts", 1));
}
