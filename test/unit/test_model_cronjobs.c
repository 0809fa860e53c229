/* test_model_cronjobs: the CronJob controller, and what the API server says of CronJobs. */
#include "test.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_cluster.h"

#define CRONJOBS "/apis/batch/v1/namespaces/default/cronjobs"
#define CRONJOB CRONJOBS "/c"
#define JOBS "/apis/batch/v1/namespaces/default/jobs"
#define EVENTS "/api/v1/namespaces/default/events"
#define POD "'template':{'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}"

/* The clock stands at 2026-03-01T02:00:00Z: minute 29538840 since 1970. */
#define JOB_AT(minutes) "c-" #minutes

static char *body(const char *name, const char *spec)
{
    return mem_printf("{'metadata':{'name':'%s'},'spec':{%s%s'jobTemplate':{'metadata':{'labels':{'app':'x'},"
                      "'annotations':{'a':'b'}},'spec':{" POD "}}}}",
                      name, spec, spec[0] ? "," : "");
}

static void create(struct cluster *c, const char *spec)
{
    AUTO_FREE char *text = body("c", spec);

    cluster_must(c, 201, "POST", CRONJOBS, text);
    cluster_settle(c);
}

static void end_job(struct cluster *c, const char *name, const char *type)
{
    AUTO_FREE char *path = mem_printf(JOBS "/%s/status", name), *status = NULL;
    char now[32];

    str_format_time(c->env.wall_ms / 1000, now);
    status = mem_printf("{'status':{'startTime':'%s','completionTime':'%s','conditions':[{'type':'%s','status':'True',"
                        "'reason':'r','message':'m','lastTransitionTime':'%s'}]}}",
                        now, now, type, now);
    cluster_must(c, 200, "PATCH", path, status);
    cluster_settle(c);
}

static bool has_event(struct cluster *c, const char *reason)
{
    json_t *one;
    size_t i;

    cluster_must(c, 200, "GET", EVENTS, NULL);
    json_array_foreach (json_object_get(c->answer, "items"), i, one)
        if (strcmp(json_text(one, "reason"), reason) == 0 &&
            strcmp(json_text(one, "source.component"), "cronjob-controller") == 0)
            return true;
    return false;
}

/* ---- the controller ---- */

static void a_due_time_makes_one_job_named_after_it(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'*/5 * * * *'");
    assert_string_equal(cluster_names(c, JOBS), "");
    cluster_advance(c, 301);
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538845));
    assert_string_equal(cluster_text(c, CRONJOB, "status.lastScheduleTime"), "2026-03-01T02:05:00Z");
    assert_string_equal(cluster_text(c, CRONJOB, "status.active.0.name"), JOB_AT(29538845));
    assert_string_equal(cluster_text(c, CRONJOB, "status.active.0.kind"), "Job");
    cluster_must(c, 200, "GET", JOBS "/" JOB_AT(29538845), NULL);
    assert_string_equal(json_meta(c->answer, "labels", "app"), "x");
    assert_string_equal(json_meta(c->answer, "annotations", "a"), "b");
    assert_string_equal(json_meta(c->answer, "annotations", "batch.kubernetes.io/cronjob-scheduled-timestamp"),
                        "2026-03-01T02:05:00Z");
    assert_string_equal(json_text(c->answer, "metadata.ownerReferences.0.kind"), "CronJob");
    assert_true(json_flag(c->answer, "metadata.ownerReferences.0.controller", false));
    cluster_advance(c, 200);
    assert_string_equal(cluster_text(c, JOBS, "items.1"), "");
    assert_true(has_event(c, "SuccessfulCreate"));
}

static void allowed_runs_overlap_and_forbidden_ones_wait(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'* * * * *'");
    cluster_advance(c, 121);
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538841) " " JOB_AT(29538842));
    cluster_must(c, 200, "PATCH", CRONJOB, "{'spec':{'concurrencyPolicy':'Forbid'}}");
    cluster_advance(c, 120);
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538841) " " JOB_AT(29538842));
    assert_true(has_event(c, "JobAlreadyActive"));
    end_job(c, JOB_AT(29538841), "Complete");
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538841) " " JOB_AT(29538842));
    end_job(c, JOB_AT(29538842), "Complete");
    /* Minute 43 passed as well; only the latest missed one is made up for. */
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538841) " " JOB_AT(29538842) " " JOB_AT(29538844));
}

static void replaced_runs_are_deleted(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'* * * * *','concurrencyPolicy':'Replace'");
    cluster_advance(c, 61);
    cluster_advance(c, 60);
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538842));
    assert_string_equal(cluster_text(c, CRONJOB, "status.active.1"), "");
    assert_true(has_event(c, "SuccessfulDelete"));
}

static void a_finished_run_is_no_longer_active_and_its_success_noted(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'*/5 * * * *'");
    cluster_advance(c, 301);
    end_job(c, JOB_AT(29538845), "Complete");
    assert_string_equal(cluster_text(c, CRONJOB, "status.active"), "");
    assert_string_equal(cluster_text(c, CRONJOB, "status.lastSuccessfulTime"), "2026-03-01T02:05:01Z");
    assert_true(has_event(c, "SawCompletedJob"));
    cluster_advance(c, 300);
    end_job(c, JOB_AT(29538850), "Failed");
    assert_string_equal(cluster_text(c, CRONJOB, "status.lastSuccessfulTime"), "2026-03-01T02:05:01Z");
}

static void a_job_that_went_missing_is_forgotten(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'*/5 * * * *'");
    cluster_advance(c, 301);
    cluster_must(c, 200, "DELETE", JOBS "/" JOB_AT(29538845), "{'propagationPolicy':'Background'}");
    cluster_settle(c);
    assert_string_equal(cluster_text(c, CRONJOB, "status.active"), "");
    assert_true(has_event(c, "MissingJob"));
    cluster_advance(c, 100);
    assert_string_equal(cluster_names(c, JOBS), ""); /* it had its turn */
}

static void history_keeps_the_youngest_of_each_end(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'* * * * *','successfulJobsHistoryLimit':2,'failedJobsHistoryLimit':0");
    cluster_advance(c, 61);
    end_job(c, JOB_AT(29538841), "Complete");
    cluster_advance(c, 60);
    end_job(c, JOB_AT(29538842), "Complete");
    cluster_advance(c, 60);
    end_job(c, JOB_AT(29538843), "Failed");
    cluster_advance(c, 60);
    end_job(c, JOB_AT(29538844), "Complete");
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538842) " " JOB_AT(29538844));
}

static void a_suspended_one_starts_nothing_until_it_is_resumed(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'* * * * *','suspend':true,'startingDeadlineSeconds':30");
    cluster_advance(c, 200);
    assert_string_equal(cluster_names(c, JOBS), "");
    cluster_must(c, 200, "PATCH", CRONJOB, "{'spec':{'suspend':false}}");
    cluster_settle(c);
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538843)); /* 20 s ago, within the deadline */
}

static void what_is_past_its_starting_deadline_is_not_started(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'0 * * * *','suspend':true,'startingDeadlineSeconds':30");
    cluster_advance(c, 3600 + 31);
    cluster_must(c, 200, "PATCH", CRONJOB, "{'spec':{'suspend':false}}");
    cluster_settle(c);
    assert_string_equal(cluster_names(c, JOBS), "");
    cluster_advance(c, 3600);
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538960));
}

static void of_many_missed_times_only_the_latest_is_made_up_for(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'*/7 * * * *','suspend':true");
    cluster_advance(c, 5 * 86400);
    cluster_must(c, 200, "PATCH", CRONJOB, "{'spec':{'suspend':false}}");
    cluster_settle(c);
    assert_string_equal(cluster_text(c, JOBS, "items.1"), "");
    assert_string_equal(cluster_text(c, CRONJOB, "status.lastScheduleTime"), "2026-03-06T02:00:00Z");
    assert_true(has_event(c, "TooManyMissedTimes"));
}

static void a_new_schedule_does_not_look_back(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'0 4 * * *'");
    cluster_advance(c, 330);
    cluster_must(c, 200, "PATCH", CRONJOB, "{'spec':{'schedule':'*/5 * * * *'}}");
    cluster_settle(c);
    assert_string_equal(cluster_names(c, JOBS), "");
    cluster_advance(c, 271);
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538850));
}

static void a_schedule_that_never_comes_is_told(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'0 0 31 2 *'");
    assert_true(has_event(c, "InvalidSchedule"));
    assert_string_equal(cluster_names(c, JOBS), "");
}

static void a_restart_neither_loses_nor_doubles_a_run(void **state)
{
    struct cluster *c = *state, *later;
    size_t before;

    create(c, "'schedule':'*/5 * * * *'");
    before = c->n_commits;
    cluster_advance(c, 301);
    later = cluster_restart(c, before); /* nothing of the run is known yet */
    assert_string_equal(cluster_names(later, JOBS), JOB_AT(29538845));
    cluster_free(later);
    for (size_t n = before; n <= c->n_commits; n++) { /* killed after each write */
        later = cluster_restart(c, n);
        assert_string_equal(cluster_names(later, JOBS), JOB_AT(29538845));
        assert_string_equal(cluster_text(later, CRONJOB, "status.lastScheduleTime"), "2026-03-01T02:05:00Z");
        assert_string_equal(cluster_text(later, CRONJOB, "status.active.0.name"), JOB_AT(29538845));
        cluster_free(later);
    }
}

static void a_name_that_somebody_else_took_is_left_alone(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'*/5 * * * *'");
    cluster_must(c, 201, "POST", JOBS, "{'metadata':{'name':'" JOB_AT(29538845) "'},'spec':{" POD "}}");
    cluster_advance(c, 301);
    assert_string_equal(cluster_text(c, CRONJOB, "status.active"), "");
    cluster_advance(c, 300);
    assert_string_equal(cluster_names(c, JOBS), JOB_AT(29538845) " " JOB_AT(29538850));
}

static void jobs_go_with_their_cronjob(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'*/5 * * * *'");
    cluster_advance(c, 301);
    cluster_must(c, 200, "DELETE", CRONJOB, NULL);
    cluster_settle(c);
    assert_string_equal(cluster_names(c, JOBS), "");
    cluster_advance(c, 600);
    assert_string_equal(cluster_names(c, JOBS), "");
}

/* ---- the API ---- */

static void a_cronjob_is_filled_in(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'@hourly'");
    cluster_must(c, 200, "GET", CRONJOB, NULL);
    assert_string_equal(json_text(c->answer, "spec.concurrencyPolicy"), "Allow");
    assert_int_equal(json_int(c->answer, "spec.successfulJobsHistoryLimit", -1), 3);
    assert_int_equal(json_int(c->answer, "spec.failedJobsHistoryLimit", -1), 1);
    assert_false(json_flag(c->answer, "spec.suspend", true));
    assert_string_equal(json_text(c->answer, "spec.jobTemplate.spec.template.spec.dnsPolicy"), "ClusterFirst");
    assert_null(json_at(c->answer, "spec.jobTemplate.spec.backoffLimit")); /* a Job's defaults come with the Job */
    assert_true(json_is_object(json_at(c->answer, "status")));
}

static void assert_refused(struct cluster *c, const char *name, const char *spec, const char *cause)
{
    AUTO_FREE char *text = body(name, spec), *told = NULL;

    cluster_must(c, 422, "POST", CRONJOBS, text);
    told = mem_printf("%s: %s", json_text(c->answer, "details.causes.0.field"),
                      json_text(c->answer, "details.causes.0.message"));
    assert_string_equal(told, cause);
}

static void bad_cronjobs_are_refused_in_the_servers_words(void **state)
{
    struct cluster *c = *state;

    assert_refused(c, "c", "'suspend':true", "spec.schedule: Required value");
    assert_refused(c, "c", "'schedule':'TZ=UTC * * * * *'",
                   "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in schedule, use "
                   "timeZone field instead");
    assert_refused(c, "c", "'schedule':'0 0 * * 1,5-7'",
                   "spec.schedule: Invalid value: \"0 0 * * 1,5-7\": end of range (7) above maximum (6): 5-7");
    assert_refused(c, "c", "'schedule':'@daily','timeZone':'Nowhere'",
                   "spec.timeZone: Invalid value: \"Nowhere\": unknown time zone Nowhere");
    assert_refused(c, "c", "'schedule':'@daily','concurrencyPolicy':'No'",
                   "spec.concurrencyPolicy: Unsupported value: \"No\": supported values: \"Allow\", \"Forbid\", "
                   "\"Replace\"");
    assert_refused(c, "c", "'schedule':'@daily','startingDeadlineSeconds':-1",
                   "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0");
    assert_refused(c, "a23456789a123456789a123456789a123456789a123456789abcd", "'schedule':'@daily'",
                   "metadata.name: Invalid value: \"a23456789a123456789a123456789a123456789a123456789abcd\": must be "
                   "no more than 52 characters");
}

static void status_is_written_on_its_own(void **state)
{
    struct cluster *c = *state;

    create(c, "'schedule':'7 0 * * */7'");
    cluster_must(c, 200, "PATCH", CRONJOB, "{'status':{'lastScheduleTime':'2026-01-01T00:00:00Z'}}");
    assert_string_equal(cluster_text(c, CRONJOB, "status.lastScheduleTime"), "");
    cluster_must(c, 200, "PATCH", CRONJOB "/status",
                 "{'status':{'lastScheduleTime':'2026-03-01T00:00:00Z'},'spec':{'suspend':true}}");
    assert_string_equal(cluster_text(c, CRONJOB, "status.lastScheduleTime"), "2026-03-01T00:00:00Z");
    assert_string_equal(cluster_text(c, CRONJOB, "spec.suspend"), "false");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_setup, cluster_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_due_time_makes_one_job_named_after_it),
        TEST(allowed_runs_overlap_and_forbidden_ones_wait),
        TEST(replaced_runs_are_deleted),
        TEST(a_finished_run_is_no_longer_active_and_its_success_noted),
        TEST(a_job_that_went_missing_is_forgotten),
        TEST(history_keeps_the_youngest_of_each_end),
        TEST(a_suspended_one_starts_nothing_until_it_is_resumed),
        TEST(what_is_past_its_starting_deadline_is_not_started),
        TEST(of_many_missed_times_only_the_latest_is_made_up_for),
        TEST(a_new_schedule_does_not_look_back),
        TEST(a_schedule_that_never_comes_is_told),
        TEST(a_restart_neither_loses_nor_doubles_a_run),
        TEST(a_name_that_somebody_else_took_is_left_alone),
        TEST(jobs_go_with_their_cronjob),
        TEST(a_cronjob_is_filled_in),
        TEST(bad_cronjobs_are_refused_in_the_servers_words),
        TEST(status_is_written_on_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
