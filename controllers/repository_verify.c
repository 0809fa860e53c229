/*
 * repository_verify: whether a Repository's data is whole, looked at in a Job of its own at its own times (setting
 * jobs.checkInterval), and not at the end of each backup: restic reads the whole index for it.
 *
 * The times are spread over the interval by the Repository's UID, so that not all of them are looked at together. What
 * was found is condition IntegrityVerified with status.integrity and status.totalSize; its time is that of the last
 * look, and only a Repository that has a backup is looked at.
 */
#include "controllers/condition.h"
#include "controllers/repository_view.h"
#include "core/base/json.h"

#define RUNS "CheckRunning"

static const char metric[] = "stash_operator_repository_checks_total";

/* The first time after that one which is the Repository's turn. */
static int64_t turn_after(const struct repository_view *v, int64_t every_s, int64_t after_s)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a: the same in each process */
    int64_t offset;

    for (const char *p = v->self->uid; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    offset = (int64_t)(hash % (uint64_t)every_s);
    return ((after_s - offset) / every_s + 1) * every_s + offset;
}

static bool is_running(const struct repository_view *v)
{
    return strcmp(condition_reason(v->conditions, REPOSITORY_INTEGRITY), RUNS) == 0;
}

void repository_verify_look(struct world *w, struct repository_view *v)
{
    int64_t every_s = world_settings(w)->check_every_s, last_s = condition_since(v->conditions, REPOSITORY_INTEGRITY);
    const char *name = repository_job_name(world_arena(w), "check", v->self->name);

    if (every_s > 0 && v->verified && (last_s || str_parse_time(str_of(json_text(v->doc, "status.firstBackupTime")),
                                                                &last_s) == 0))
        v->check_at_s = is_running(v) ? v->now_s : turn_after(v, every_s, last_s);
    if (!is_running(v) && (!v->check_at_s || v->now_s < v->check_at_s))
        return;
    repository_job_look(w, v->self, name, &v->check);
    if (v->check.succeeded)
        v->check.message = repository_job_words(w, v->check.record);
    v->check_refusal = world_refusal(w, kind_get(KIND_JOB), v->self->ns, name);
}

static bool is_refused(const struct repository_view *v)
{
    return v->check_refusal && v->now_s < v->check_refusal->retry_s;
}

void repository_verify_wake(const struct repository_view *v, struct plan *p)
{
    if (v->check_at_s > v->now_s)
        plan_wake_at(p, v->check_at_s);
    else if (is_refused(v))
        plan_wake_at(p, v->check_refusal->retry_s);
}

bool repository_verify_ended(const void *view)
{
    const struct repository_view *v = view;

    return is_running(v) && v->check.finished;
}

static void drop(const struct repository_view *v, struct plan *p)
{
    const struct kobj *job = v->check.record;

    if (!job->deleting)
        plan_delete(p, job->kind, job->ns, job->name, job->uid, "Background");
}

static void report_whole(const struct repository_view *v, struct world *w, struct plan *p)
{
    struct str bytes = str_of(v->check.message);
    char size[32];
    int64_t n;

    repository_write_status(v, w, p, REPOSITORY_INTEGRITY, "True", "CheckSucceeded", "a check found no fault");
    if (str_ends(bytes, STR(" bytes")) && str_to_i64((struct str){bytes.p, bytes.n - 6}, &n) == 0 && n >= 0)
        plan_status(p, json_pack("{s:b, s:s}", "integrity", 1, "totalSize", str_format_size((uint64_t)n, size)));
    else
        plan_status(p, json_pack("{s:b}", "integrity", 1));
    plan_count(p, metric, "whole", 1);
}

/* With what may be the cause of an end without a word. */
static const char *cause_of(const struct repository_view *v, struct world *w)
{
    uint64_t mib = repository_forecast_mib(v->doc);
    const char *said = *v->check.message ? v->check.message : "the check Job failed";

    if (mib <= REPOSITORY_FORECAST_MAX_MIB)
        return said;
    return arena_printf(world_arena(w), "%.600s; by its size it may need %llu MiB of memory, and gets %d", said,
                        (unsigned long long)mib, REPOSITORY_FORECAST_MAX_MIB);
}

void repository_verify_report(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;
    const char *cause = cause_of(v, w);

    if (v->check.succeeded) {
        report_whole(v, w, p);
    } else if (v->check.exit_code == REPOSITORY_CHECK_DAMAGED) {
        repository_write_status(v, w, p, REPOSITORY_INTEGRITY, "False", "DamageFound", cause);
        plan_status(p, json_pack("{s:b}", "integrity", 0));
        plan_event(p, "Warning", "Repository Damaged", "%.600s", cause);
        plan_count(p, metric, "damaged", 1);
    } else {
        repository_write_status(v, w, p, REPOSITORY_INTEGRITY, "Unknown", "CheckFailed", cause);
        plan_event(p, "Warning", "Check Failed", "%.600s", cause);
        plan_count(p, metric, "failed", 1);
    }
    drop(v, p);
}

bool repository_verify_due(const void *view)
{
    const struct repository_view *v = view;

    return v->check_at_s && v->now_s >= v->check_at_s && (!v->check.record || v->check.of_another) &&
           !is_refused(v);
}

void repository_verify_start(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    if (v->check.record) { /* of a Repository of that name before this one */
        drop(v, p);
        return;
    }
    plan_create(p, kind_get(KIND_JOB), v->self->ns, repository_check_job(w, v->self, v->doc));
    repository_write_status(v, w, p, REPOSITORY_INTEGRITY, "Unknown", RUNS, "it is being looked at");
}
