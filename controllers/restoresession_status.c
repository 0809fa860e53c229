/*
 * restoresession_status: how a session's status is written: always whole lists, made from the whole document, with its
 * resourceVersion as precondition; so nothing that a worker wrote meanwhile is lost.
 */
#include "controllers/restoresession.h"

#include "controllers/condition.h"
#include "controllers/session_metrics.h"
#include "core/base/json.h"

const char *const restoresession_phases[] = {"",       "Pending", "Running", "Succeeded",
                                             "Failed", "Unknown", "Invalid", NULL};

void restoresession_set_condition(const struct restoresession_view *v, const char *type, const char *status,
                                  const char *reason, const char *message)
{
    condition_set(v->conditions, v->now_s, type, status, reason, "%s", message);
}

static json_t *time_json(int64_t unix_s)
{
    char text[32];

    return json_string(str_format_time(unix_s, text));
}

void restoresession_write_status(const struct restoresession_view *v, struct plan *p, enum restoresession_phase phase)
{
    json_t *status = json_pack("{s:s, s:O}", "phase", restoresession_phases[phase], "conditions", v->conditions);

    if (json_array_size(v->stats))
        json_object_set_new(status, "stats", json_clone(v->stats));
    if (v->deadline_s)
        json_object_set_new(status, "sessionDeadline", time_json(v->deadline_s));
    plan_status(p, status);
}

/* MetricsPushed comes with the final phase. */
void restoresession_finish(const struct restoresession_view *v, struct world *w, struct plan *p,
                           enum restoresession_phase phase)
{
    int64_t age = v->now_s > v->self->created_s ? v->now_s - v->self->created_s : 0;
    json_t *status;
    char text[32];

    restoresession_set_condition(v, "MetricsPushed", "True", "SuccessfullyPushedMetrics",
                                 "the session's metrics are on the operator's page");
    restoresession_write_status(v, p, phase);
    status = json_pack("{s:s}", "sessionDuration", str_format_duration(age * 1000000000, text));
    plan_status(p, status);
    session_metrics_plan(w, p, v->doc, v->doc, phase == RESTORESESSION_SUCCEEDED, age);
}

void restoresession_set_found_conditions(const struct restoresession_view *v)
{
    repository_set_conditions(&v->repository, v->conditions, v->now_s);
    if (*v->problems)
        restoresession_set_condition(v, "ValidationPassed", "False", "ResourceValidationFailed", v->problems);
    else
        restoresession_set_condition(v, "ValidationPassed", "True", "ResourceValidationPassed",
                                     "the specification is valid");
    if (v->is_target_denied)
        restoresession_set_condition(v, RESTORESESSION_TARGET, "Unknown", "UnableToCheckTargetAvailability",
                                     v->target_text);
    else if (*v->ref.name)
        restoresession_set_condition(v, RESTORESESSION_TARGET, v->is_target_absent ? "False" : "True",
                                     v->is_target_absent ? "TargetNotAvailable" : "TargetAvailable", v->target_text);
    else
        restoresession_set_condition(v, RESTORESESSION_TARGET, "True", "TargetAvailable", "no target is needed");
}

void restoresession_set_deadline_exceeded(const struct restoresession_view *v, const char *how)
{
    char text[32];

    condition_set(v->conditions, v->now_s, "DeadlineExceeded", "True", "FailedToCompleteWithinDeadline",
                  "did not complete until %s%s", str_format_time(v->deadline_s, text), how);
}

void restoresession_tell_deadline(const struct restoresession_view *v, struct plan *p, const char *how)
{
    char text[32];

    plan_event(p, "Warning", "Deadline Exceeded", "the restore did not complete until %s%s",
               str_format_time(v->deadline_s, text), how);
}

void restoresession_put_stat(const struct restoresession_view *v, const char *host, const char *phase, const char *why)
{
    json_t *stat = json_pack("{s:s, s:s, s:s*}", "hostname", host, "phase", phase, "error", why);
    const json_t *it;
    size_t i;

    json_array_foreach (v->stats, i, it) {
        if (strcmp(json_text(it, "hostname"), host) == 0) {
            json_array_set_new(v->stats, i, stat);
            return;
        }
    }
    json_array_append_new(v->stats, stat);
}
