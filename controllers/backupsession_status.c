/*
 * backupsession_status: how a session's status is written: always whole lists, made from the whole document, with its
 * resourceVersion as precondition; so nothing that the worker wrote meanwhile is lost.
 */
#include "controllers/backupsession.h"

#include "controllers/condition.h"
#include "core/base/json.h"

const char *const backupsession_phases[] = {"", "Pending", "Running", "Succeeded", "Failed", "Skipped", NULL};

void backupsession_set_condition(const struct backupsession_view *v, const char *type, const char *status,
                                 const char *reason, const char *message)
{
    condition_set(v->conditions, v->now_s, type, status, reason, "%s", message);
}

/* A condition of the target's entry. */
void backupsession_set_entry(const struct backupsession_view *v, const char *type, const char *status,
                             const char *reason, const char *message)
{
    json_t *list = json_object_get(v->entry, "conditions");

    if (!list) {
        list = json_array();
        json_object_set_new(v->entry, "conditions", list);
    }
    condition_set(list, v->now_s, type, status, reason, "%s", message);
}

json_t *backupsession_time_json(int64_t unix_s)
{
    char text[32];

    return json_string(str_format_time(unix_s, text));
}

/* controllers.md 6.10, first match. */
const char *backupsession_entry_phase(const struct backupsession_view *v)
{
    const json_t *list = json_at(v->entry, "conditions");

    if (condition_is(list, BACKUPSESSION_EXECUTOR, "False") || condition_is(list, "BackupDisrupted", "True") ||
        condition_is(list, "PreBackupHookExecutionSucceeded", "False") ||
        condition_is(list, "PostBackupHookExecutionSucceeded", "False"))
        return "Failed";
    if (!json_at(v->entry, "totalHosts"))
        return "Pending";
    if (v->has_result)
        return v->has_bad_host ? "Failed" : "Succeeded";
    return "Running";
}

void backupsession_write_status(const struct backupsession_view *v, struct plan *p, enum backupsession_phase phase)
{
    json_t *status = json_object();

    json_object_set_new(v->entry, "phase", json_string(backupsession_entry_phase(v)));
    json_object_set_new(status, "phase", json_string(backupsession_phases[phase]));
    json_object_set_new(status, "targets", json_clone(v->targets));
    json_object_set_new(status, "conditions", json_clone(v->conditions));
    if (v->deadline_s)
        json_object_set_new(status, "sessionDeadline", backupsession_time_json(v->deadline_s));
    plan_status(p, status);
}

/* As it was noted, else its age. */
int64_t backupsession_duration_s(const struct backupsession_view *v)
{
    const char *noted = json_text(v->doc, "status.sessionDuration");
    int64_t ns = 0;

    if (*noted)
        return str_parse_duration_ns(str_of(noted), &ns, NULL) < 0 ? 0 : ns / 1000000000;
    return v->now_s > v->self->created_s ? v->now_s - v->self->created_s : 0;
}

/* A final phase, with the session's age when it got it. */
void backupsession_finish(const struct backupsession_view *v, struct plan *p, enum backupsession_phase phase)
{
    json_t *status = json_object();
    char text[32];

    json_object_del(v->entry, "progress"); /* of a running backup */
    backupsession_write_status(v, p, phase);
    str_format_duration(backupsession_duration_s(v) * 1000000000, text);
    if (!*json_text(v->doc, "status.sessionDuration"))
        json_object_set_new(status, "sessionDuration", json_string(text));
    plan_status(p, status);
}

void backupsession_set_deadline_exceeded(const struct backupsession_view *v, const char *how)
{
    char text[32];

    condition_set(v->conditions, v->now_s, "DeadlineExceeded", "True", "FailedToCompleteWithinDeadline",
                  "did not complete until %s%s", str_format_time(v->deadline_s, text), how);
}

void backupsession_tell_deadline(const struct backupsession_view *v, struct plan *p, const char *how)
{
    char text[32];

    plan_event(p, "Warning", "Deadline Exceeded", "the session did not complete until %s%s",
               str_format_time(v->deadline_s, text), how);
}
