/* operator_metrics: see operator_metrics.h. */
#include "controllers/operator_metrics.h"

#include <stdio.h>

#include "controllers/condition.h"

#define VALUES(...) ((const char *const[]){__VA_ARGS__})

/* Names of labels: the registry keeps the pointers. */
static const char *const of_build[] = {"version", NULL};
static const char *const of_option[] = {"option", NULL};
static const char *const of_pass[] = {"kind", "result", NULL};
static const char *const of_kind[] = {"kind", NULL};
static const char *const of_request[] = {"verb", "resource", "code", NULL};
static const char *const of_result[] = {"result", NULL};
static const char *const of_reason[] = {"reason", NULL};
static const char *const of_phase[] = {"phase", NULL};

static const double seconds_buckets[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
static const double delay_buckets[] = {0.005, 0.05, 0.5, 1, 5, 15, 60, 300, 600};

static void add_build_info(struct registry *r, const struct operator_settings *s)
{
    struct metric *info = registry_add(r, METRIC_GAUGE, "stash_build_info", "The version that runs.",
                                       of_build, NULL, 0);
    struct metric *insecure = registry_add(r, METRIC_GAUGE, "stash_operator_insecure_option",
                                           "Settings that widen what tenants can reach.", of_option, NULL, 0);

    metric_set(info, VALUES(STASHD_VERSION), 1);
    metric_set(insecure, VALUES("secrets.access"), s->lend_everywhere);
    metric_set(insecure, VALUES("security.allowHostPathBackend"), s->allow_hostpath_backend);
}

void operator_metrics_init(struct operator_metrics *m, struct registry *r, const struct operator_settings *s)
{
    *m = (struct operator_metrics){.registry = r};
    m->passes = registry_add(r, METRIC_COUNTER, "stash_operator_reconcile_total", "Passes over objects, by result.",
                             of_pass, NULL, 0);
    m->pass_seconds = registry_add(r, METRIC_HISTOGRAM, "stash_operator_reconcile_duration_seconds",
                                   "From the start of a pass to its last effect.", of_kind, seconds_buckets,
                                   sizeof(seconds_buckets) / sizeof(seconds_buckets[0]));
    m->queue_depth = registry_add(r, METRIC_GAUGE, "stash_operator_queue_depth", "Objects that wait for a pass.",
                                  of_kind, NULL, 0);
    m->leader = registry_add(r, METRIC_GAUGE, "stash_operator_leader", "1 while this process has the lead.", NULL, NULL,
                             0);
    m->requests = registry_add(r, METRIC_COUNTER, "stash_operator_api_requests_total",
                               "Requests to the API server, by HTTP status (0: no answer).",
                               of_request, NULL, 0);
    m->restarts = registry_add(r, METRIC_COUNTER, "stash_operator_watch_restarts_total", "Watches taken up again.",
                               of_kind, NULL, 0);
    m->relists = registry_add(r, METRIC_COUNTER, "stash_operator_relist_total", "Lists of a whole kind.", of_kind,
                              NULL, 0);
    m->delay = registry_add(r, METRIC_HISTOGRAM, "stash_operator_schedule_delay_seconds",
                            "How long after its due time a schedule was noticed.", NULL, delay_buckets,
                            sizeof(delay_buckets) / sizeof(delay_buckets[0]));
    m->missed = registry_add(r, METRIC_COUNTER, "stash_operator_schedule_missed_total",
                             "Due times that made no session.", of_reason, NULL, 0);
    /* From the start, so that the first miss is an increase. */
    metric_add(m->missed, VALUES("too_late"), 0);
    metric_add(m->missed, VALUES("coalesced"), 0);
    m->checks = registry_add(r, METRIC_COUNTER, "stash_operator_repository_checks_total",
                             "Checks of repositories in a Job of their own, by what they found.", of_result, NULL, 0);
    metric_add(m->checks, VALUES("damaged"), 0);
    m->overdue = registry_add(r, METRIC_GAUGE, "stash_operator_schedules_overdue",
                              "Schedules with a due time more than a minute ago that is not dealt with yet.", NULL,
                              NULL, 0);
    m->kept = registry_add(r, METRIC_GAUGE, "stash_operator_kept_documents_bytes",
                           "Objects kept as the API server sent them, up to 8 MiB while this process has the lead.",
                           NULL, NULL, 0);
    m->dropped = registry_add(r, METRIC_COUNTER, "stash_operator_events_dropped_total",
                              "Events that were not recorded.", NULL, NULL, 0);
    m->running = registry_add(r, METRIC_GAUGE, "stash_operator_sessions_running",
                              "Backup and restore sessions that run.", NULL, NULL, 0);
    m->waiting = registry_add(r, METRIC_GAUGE, "stash_operator_sessions_waiting", "Sessions that have not started.",
                              of_reason, NULL, 0);
    m->configurations = registry_add(r, METRIC_GAUGE, "stash_operator_configurations",
                                     "BackupConfigurations by phase.", of_phase, NULL, 0);
    m->damaged = registry_add(r, METRIC_GAUGE, "stash_operator_repositories_damaged",
                              "Repositories whose last check found damage.", NULL, NULL, 0);
    add_build_info(r, s);
}

void operator_metrics_pass(struct operator_metrics *m, const struct controller *c, const char *result, double seconds)
{
    metric_add(m->passes, VALUES(c->name, result), 1);
    metric_observe(m->pass_seconds, VALUES(c->name), seconds);
}

void operator_metrics_request(struct operator_metrics *m, const char *verb, const struct kind *k, int status)
{
    char code[16];

    (void)snprintf(code, sizeof(code), "%d", status);
    metric_add(m->requests, VALUES(verb, k->plural, code), 1);
}

/* Families of plan_count; one that is not named here has no series. */
void operator_metrics_count(struct operator_metrics *m, const char *family, const char *label, double by)
{
    if (strcmp(family, "stash_operator_schedule_missed_total") == 0)
        metric_add(m->missed, VALUES(label), by);
    if (strcmp(family, "stash_operator_repository_checks_total") == 0)
        metric_add(m->checks, VALUES(label), by);
}

void operator_metrics_delay(struct operator_metrics *m, double seconds)
{
    metric_observe(m->delay, NULL, seconds > 0 ? seconds : 0);
}

void operator_metrics_overdue(struct operator_metrics *m, size_t schedules)
{
    metric_set(m->overdue, NULL, (double)schedules);
}

void operator_metrics_kept(struct operator_metrics *m, size_t bytes)
{
    metric_set(m->kept, NULL, (double)bytes);
}

void operator_metrics_queue(struct operator_metrics *m, const struct controller *c, size_t depth)
{
    metric_set(m->queue_depth, VALUES(c->name), (double)depth);
}

struct tally {
    struct operator_metrics *m;
    double running, pending;
};

static bool tally_session(void *ctx, const struct kobj *o)
{
    struct tally *t = ctx;
    const char *phase = kobj_text(o, "status.phase");
    struct str reason;

    if (strcmp(phase, "Running") == 0)
        t->running++;
    if (phase[0] && strcmp(phase, "Pending") != 0)
        return true;
    reason = condition_record_is(kobj_get(o, "status.conditions"), "Admitted", "False")
                 ? condition_record_reason(kobj_get(o, "status.conditions"), "Admitted")
                 : STR_NONE;
    if (reason.n) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%.*s", (int)reason.n, reason.p);
        metric_add(t->m->waiting, VALUES(text), 1);
    } else {
        t->pending++;
    }
    return true;
}

/* As the phases are in BackupConfiguration's table; one that has none yet is left out. */
static const char *const phases[] = {"Ready", "NotReady", "Invalid"};
enum { N_PHASES = sizeof(phases) / sizeof(phases[0]) };

static bool tally_configuration(void *ctx, const struct kobj *o)
{
    const char *phase = kobj_text(o, "status.phase");
    double *n = ctx;

    for (size_t i = 0; i < N_PHASES; i++)
        n[i] += strcmp(phase, phases[i]) == 0;
    return true;
}

static bool tally_repository(void *ctx, const struct kobj *o)
{
    double *n = ctx;

    *n += strcmp(kobj_text(o, "status.integrity"), "false") == 0;
    return true;
}

static void tally_objects(struct operator_metrics *m, const struct cache *c)
{
    double n[N_PHASES] = {0}, damaged = 0;

    cache_each(c, kind_get(KIND_BACKUPCONFIGURATION), tally_configuration, n);
    cache_each(c, kind_get(KIND_REPOSITORY), tally_repository, &damaged);
    for (size_t i = 0; i < N_PHASES; i++)
        metric_set(m->configurations, VALUES(phases[i]), n[i]);
    metric_set(m->damaged, NULL, damaged);
}

void operator_metrics_collect(struct operator_metrics *m, const struct cache *c, bool is_leader,
                              const struct kube_watch *watches, size_t n_watches, uint64_t events_dropped)
{
    static const char *const reasons[] = {"NamespaceQuotaExceeded", "QuotaNeedsResources", "LimitRangeViolation",
                                          "AdmissionDenied",        "OperatorForbidden",   "NamespaceTerminating"};
    struct tally t = {m, 0, 0};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        metric_set(m->waiting, VALUES(reasons[i]), 0);
    cache_each(c, kind_get(KIND_BACKUPSESSION), tally_session, &t);
    cache_each(c, kind_get(KIND_RESTORESESSION), tally_session, &t);
    metric_set(m->waiting, VALUES("Pending"), t.pending);
    metric_set(m->running, NULL, t.running);
    tally_objects(m, c);
    metric_set(m->leader, NULL, is_leader);
    metric_set(m->dropped, NULL, (double)events_dropped);
    for (size_t i = 0; i < n_watches; i++) {
        metric_set(m->restarts, VALUES(watches[i].kind->plural), watches[i].restarts);
        metric_set(m->relists, VALUES(watches[i].kind->plural), watches[i].lists);
    }
}
