/* builtin_work_check: what an API server refuses in those who make pods: CronJobs, Deployments and their like. */
#include "core/base/cron.h"
#include "core/base/json.h"
#include "k8s/model/builtin_parts.h"

/* ---- batch ---- */

/* Our own cron takes 7 for Sunday, as crontabs do; a CronJob's does not. The range that ends with it, or none. */
static struct str ends_with_seven(const char *schedule)
{
    const char *last = strrchr(schedule, ' ');
    struct str rest = str_of(last ? last + 1 : ""), item;

    while (str_cut(&rest, ',', &item)) {
        struct str range = item, part, end = STR_NONE;

        (void)str_cut(&range, '/', &part); /* without the step */
        while (str_cut(&part, '-', &end))
            ;
        if (str_is(end, "7"))
            return item;
    }
    return STR_NONE;
}

static void check_schedule(const json_t *spec, const struct place *up, json_t *causes)
{
    struct place at = {.up = up, .name = "schedule"};
    const char *text = json_text(spec, "schedule");
    struct str seven = ends_with_seven(text);
    struct error e = {0};
    struct cron ignored;

    if (!builtin_check_required(spec, "schedule", up, causes))
        return;
    if (strstr(text, "TZ"))
        cause_invalid(causes, &at, json_object_get(spec, "schedule"),
                      "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    else if (cron_parse(&ignored, str_of(text), &e) < 0)
        cause_invalid(causes, &at, json_object_get(spec, "schedule"), "%s", e.msg);
    else if (seven.n && text[0] != '@')
        cause_invalid(causes, &at, json_object_get(spec, "schedule"), "end of range (7) above maximum (6): %.*s",
                      (int)seven.n, seven.p);
}

/* We have no zones but UTC, as a server without a zone database. */
static void check_time_zone(const json_t *spec, const struct place *up, json_t *causes)
{
    static const char *const utc[] = {"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu",
                                      "GMT", "Etc/GMT", "Etc/Universal", "Universal"};
    const json_t *zone = json_object_get(spec, "timeZone");
    struct place at = {.up = up, .name = "timeZone"};
    const char *text = json_string_value(zone);

    for (size_t i = 0; i < sizeof(utc) / sizeof(utc[0]); i++)
        if (!text || strcmp(text, utc[i]) == 0)
            return;
    if (!*text)
        cause_invalid(causes, &at, zone, "timeZone must be nil or non-empty string");
    else
        cause_invalid(causes, &at, zone, "unknown time zone %s", text);
}

static void check_job_template(const json_t *spec, const struct place *up, json_t *causes)
{
    struct place template = {.up = up, .name = "jobTemplate"}, job = {.up = &template, .name = "spec"};
    struct place selector = {.up = &job, .name = "selector"}, manual = {.up = &job, .name = "manualSelector"};
    const json_t *job_spec = json_at(spec, "jobTemplate.spec");

    builtin_job_spec_check(job_spec, &job, causes);
    if (json_object_get(job_spec, "selector"))
        cause_invalid(causes, &selector, json_object_get(job_spec, "selector"), "`selector` will be auto-generated");
    if (json_flag(job_spec, "manualSelector", false)) {
        json_t *supported = json_pack("[s, s]", "nil", "false");

        cause_unsupported(causes, &manual, json_object_get(job_spec, "manualSelector"), supported);
        json_decref(supported);
    }
}

void builtin_check_cronjob(const struct check *c, const struct place *root)
{
    static const char *const policies[] = {"Allow", "Forbid", "Replace", NULL};
    enum { NAME_MAX_BYTES = 52 }; /* a Job's 63 without "-<minutes since 1970>" */
    const json_t *spec = json_object_get(c->object, "spec");
    struct place at = {.up = root, .name = "spec"}, meta = {.up = root, .name = "metadata"};
    struct place name = {.up = &meta, .name = "name"};

    check_schedule(spec, &at, c->causes);
    builtin_check_at_least(spec, "startingDeadlineSeconds", 0, &at, c->causes);
    check_time_zone(spec, &at, c->causes);
    builtin_check_enum(spec, "concurrencyPolicy", policies, &at, c->causes);
    check_job_template(spec, &at, c->causes);
    builtin_check_at_least(spec, "successfulJobsHistoryLimit", 0, &at, c->causes);
    builtin_check_at_least(spec, "failedJobsHistoryLimit", 0, &at, c->causes);
    if (!c->old && strlen(json_text(c->object, "metadata.name")) > NAME_MAX_BYTES)
        cause_invalid(c->causes, &name, json_at(c->object, "metadata.name"), "must be no more than 52 characters");
}

/* ---- apps ---- */

static bool selects(const json_t *selector, const json_t *labels)
{
    json_t *match = json_object_get(selector, "matchLabels"), *value;
    const char *key;

    json_object_foreach (match, key, value)
        if (!json_equal(value, json_object_get(labels, key)))
            return false;
    return true;
}

void builtin_check_workload(const struct check *c, const struct place *root)
{
    const json_t *spec = json_object_get(c->object, "spec"), *labels = json_at(spec, "template.metadata.labels");
    struct place at = {.up = root, .name = "spec"}, selector = {.up = &at, .name = "selector"};
    struct place template = {.up = &at, .name = "template"}, meta = {.up = &template, .name = "metadata"};
    struct place labels_at = {.up = &meta, .name = "labels"};

    builtin_check_at_least(spec, "replicas", 0, &at, c->causes);
    if (!json_is_object(json_object_get(spec, "selector")))
        cause_required(c->causes, &selector, NULL);
    else if (!selects(json_object_get(spec, "selector"), labels))
        cause_invalid(c->causes, &labels_at, labels ? labels : json_null(),
                      "`selector` does not match template `labels`");
    builtin_check_template(json_object_get(spec, "template"), &template, c->causes);
    if (c->old)
        builtin_check_unchanged(c, spec, json_object_get(c->old, "spec"), "selector", &at);
}

void builtin_check_statefulset(const struct check *c, const struct place *root)
{
    static const char *const may_change[] = {"replicas",       "ordinals", "template", "updateStrategy",
                                             "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
                                             "minReadySeconds"};
    const json_t *old = json_object_get(c->old, "spec");
    struct place at = {.up = root, .name = "spec"};
    json_t *now;

    builtin_check_workload(c, root);
    if (!old)
        return;
    now = json_copy((json_t *)(uintptr_t)json_object_get(c->object, "spec"));
    for (size_t i = 0; i < sizeof(may_change) / sizeof(may_change[0]); i++) {
        json_object_del(now, may_change[i]);
        if (json_object_get(old, may_change[i]))
            json_object_set(now, may_change[i], json_object_get(old, may_change[i]));
    }
    if (!json_equal(now, old))
        cause_forbidden(c->causes, &at,
                        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                        "'minReadySeconds' are forbidden");
    json_decref(now);
}
