/*
 * torture: see torture.h. A scenario is run once as it is: its writes are counted and what is left in the API server is
 * kept as text, without what must differ (times, UIDs, versions). Then it is run again for the i-th write and each way
 * to fail it, and the same must be left. Leases and Events are no effects here.
 */
#include "torture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"
#include "cluster.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "kubelet.h"
#include "replica.h"

#define STASH "/apis/stash.appscode.com/v1beta1/namespaces/demo/"
#define CONFIG STASH "backupconfigurations/db"

static const enum fault ways[] = {FAULT_REQUEST_LOST, FAULT_ANSWER_LOST, FAULT_CONFLICT,   FAULT_BROKEN,
                                  FAULT_THROTTLED,    FAULT_REFUSED,     FAULT_KILL_BEFORE, FAULT_KILL_AFTER};
enum { N_WAYS = sizeof(ways) / sizeof(ways[0]), ACTIONS_MAX = 3, AGAIN_S = 5, TOLD_MAX = 5, EDIT_S = 615 };
enum { START_S = 1772323200 };

struct action {
    int64_t at_s; /* 0: no more */
    const char *method, *path, *body; /* JSON with ' for " */
};

struct scenario {
    const char *name, *schedule;
    unsigned fail_percent, lost_percent; /* of pods: 0 or 100 */
    int64_t until_s;
    struct action actions[ACTIONS_MAX];
};

static const char restore[] =
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'RestoreSession','metadata':{'name':'back'},"
    "'spec':{'repository':{'name':'repo'},'task':{'name':'pxc-backup'},'target':{'ref':{'kind':'AppBinding',"
    "'apiVersion':'appcatalog.appscode.com/v1alpha1','name':'db'},'rules':[{'snapshots':['latest']}]}}}";

/* Another configuration of the same database, and a session of it. */
#define OTHER(schedule)                                                                                                \
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupConfiguration','metadata':{'name':'other'},"             \
    "'spec':{'schedule':'" schedule "','repository':{'name':'repo'},'task':{'name':'pxc-backup'},'target':{'ref':{"    \
    "'kind':'AppBinding','apiVersion':'appcatalog.appscode.com/v1alpha1','name':'db'}},"                               \
    "'retentionPolicy':{'name':'keep','keepLast':5,'prune':true}}}"
static const char second[] =
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupSession','metadata':{'name':'second'},"
    "'spec':{'invoker':{'apiGroup':'stash.appscode.com','kind':'BackupConfiguration','name':'other'}}}";

/* Every schedule is due at 600 s first. */
static const struct scenario scenarios[] = {
    {"a backup", "10 0 * * *", 0, 0, 1800, {{0}}},
    {"a backup that fails, and its retries", "10 0 * * *", 100, 0, 3000,
     {{60, "PATCH", CONFIG, "{'spec':{'retryConfig':{'maxRetry':2,'delay':'1m'}}}"}}},
    {"a pod that ends without a word", "10 0 * * *", 0, 100, 2400, {{0}}},
    {"four backups, of which history keeps one", "10-25/5 0 * * *", 0, 0, 2700,
     {{60, "PATCH", CONFIG, "{'spec':{'backupHistoryLimit':1}}"}}},
    {"a CronJob triggers, then the operator again", "10-25/5 0 * * *", 0, 0, 2700,
     {{60, "PATCH", CONFIG, "{'metadata':{'annotations':{'stash.appscode.com/trigger':'cronjob'}}}"},
      {1000, "PATCH", CONFIG, "{'metadata':{'annotations':{'stash.appscode.com/trigger':'operator'}}}"}}},
    {"paused and resumed", "10-30/10 0 * * *", 0, 0, 3000,
     {{900, "PATCH", CONFIG, "{'spec':{'paused':true}}"}, {1500, "PATCH", CONFIG, "{'spec':{'paused':false}}"}}},
    {"a restore", "0 5 * * *", 0, 0, 1800, {{600, "POST", STASH "restoresessions", restore}}},
    {"deleted while it runs", "10 0 * * *", 0, 0, 1800, {{604, "DELETE", CONFIG, NULL}}},
    {"two of one database in one second", "10 0 * * *", 0, 0, 1800,
     {{60, "POST", STASH "backupconfigurations", OTHER("10 0 * * *")}}},
    {"its target is another while it runs", "10 0 * * *", 0, 0, 1800,
     {{60, "POST", STASH "backupconfigurations", OTHER("0 5 * * *")},
      {EDIT_S, "PATCH", CONFIG, "{'spec':{'target':{'ref':{'name':'moved'}}}}"},
      {EDIT_S + 1, "POST", STASH "backupsessions", second}}},
    {"a repository that is wiped", "10 0 * * *", 0, 0, 2400,
     {{60, "PATCH", "/apis/stash.appscode.com/v1alpha1/namespaces/demo/repositories/repo", "{'spec':{'wipeOut':true}}"},
      {900, "DELETE", CONFIG, NULL},
      {1000, "DELETE", "/apis/stash.appscode.com/v1alpha1/namespaces/demo/repositories/repo", NULL}}},
};

/* One run. */
struct rack {
    const struct scenario *s;
    struct sim_env env;
    struct model *model;
    struct cluster cluster;
    struct kubelet *kubelet;
    struct checker *checker;
    struct fault_book book;
    struct effects effects;
    struct fault_nth nth;
    struct replica replica;
    struct timer back;
    bool refused; /* an action: the scenario itself is wrong */
};

static void changed(void *ctx, const char *type, const json_t *object)
{
    struct rack *r = ctx;

    kubelet_changed(r->kubelet, type, object);
    checker_changed(r->checker, type, object);
}

static void say_where(void *ctx)
{
    const struct rack *r = ctx;

    (void)fprintf(stderr, "  in \"%s\", effect %" PRIu64 ", %s\n", r->s->name, r->nth.nth, fault_names[r->nth.way]);
}

static void come_back(struct timer *t)
{
    struct rack *r = t->data;

    replica_start(&r->replica, false, 1, 0);
}

static void died(struct replica *replica, void *ctx)
{
    struct rack *r = ctx;

    (void)replica;
    timer_set_in(&r->env.env, &r->back, AGAIN_S * 1000);
}

static void run_until(struct rack *r, int64_t until_s)
{
    while (sim_env_step(&r->env, 1000000000u + (uint64_t)until_s * 1000000000u))
        ;
}

static json_t *parse(const char *text)
{
    AUTO_FREE char *copy = mem_strdup(text);

    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return json_loads(copy, 0, NULL);
}

static void act(struct rack *r, const struct action *a)
{
    json_t *body = a->body ? parse(a->body) : NULL;

    checker_user(r->checker, true);
    r->refused = model_do(r->model, "admin", a->method, a->path, body, NULL) / 100 != 2 || r->refused;
    checker_user(r->checker, false);
    json_decref(body);
}

/* ---- what is left ---- */

static bool differs_always(const char *key)
{
    static const char *const keys[] = {"uid", "resourceVersion", "creationTimestamp", "generation",
                                       "observedGeneration", "batch.kubernetes.io/controller-uid", "controller-uid",
                                       "stash.appscode.com/schedule-ledger", "duration", "sessionDuration",
                                       "activeDeadlineSeconds", /* of a Job: what is left of its session's time */
                                       "nextRetry", "hostname", /* of an unlock Job: its dead pod's name */
                                       "stash.appscode.com/unlocked-pods", "stash.appscode.com/pods"};
    size_t n = strlen(key);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return (n >= 4 && strcmp(key + n - 4, "Time") == 0) || (n >= 8 && strcmp(key + n - 8, "Deadline") == 0);
}

/* "-3409dc98": the beginning of a UID at the end of a name. */
static bool is_uid_part(const char *text)
{
    return text[0] == '-' && strspn(text + 1, "0123456789abcdef") == 8;
}

/* Names and messages have seconds and versions in them. */
static void write_text(struct buf *out, const char *text)
{
    while (*text) {
        size_t digits = is_uid_part(text) ? 9 : strspn(text, "0123456789");

        if (digits >= 9)
            buf_putc(out, '#');
        else
            buf_printf(out, "%.*s", (int)(digits ? digits : 1), text);
        text += digits ? digits : 1;
    }
}

/* Conditions stand in the order in which they came. */
static int by_type(const void *a, const void *b)
{
    return strcmp(json_text(*(json_t *const *)a, "type"), json_text(*(json_t *const *)b, "type"));
}

/* As a value by itself, in a Job's environment: a UUID in its quotes. */
static bool is_uid(const char *json)
{
    return strlen(json) == 38 && json[9] == '-' && json[14] == '-' && json[19] == '-' && json[24] == '-';
}

static void write_value(struct buf *out, const json_t *v);

static void write_list(struct buf *out, const json_t *list)
{
    size_t n = json_array_size(list);
    json_t **items = mem_alloc((n + 1) * sizeof(*items));

    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(list, i);
    if (n && json_is_string(json_object_get(items[0], "type")))
        qsort(items, n, sizeof(*items), by_type);
    for (size_t i = 0; i < n; i++)
        write_value(out, items[i]);
    mem_free(items);
}

static void write_value(struct buf *out, const json_t *v)
{
    const char *key;
    json_t *item;

    if (json_is_object(v)) {
        buf_putc(out, '{');
        json_object_foreach ((json_t *)(uintptr_t)v, key, item) {
            if (differs_always(key))
                continue;
            buf_printf(out, "%s:", key);
            write_value(out, item);
            buf_putc(out, ' ');
        }
        buf_putc(out, '}');
    } else if (json_is_array(v)) {
        write_list(out, v);
    } else {
        AUTO_FREE char *text = json_dumps(v, JSON_ENCODE_ANY);

        if (!is_uid(text) && !strstr(text, "sessions removed")) /* by this pass: one that was repeated finds fewer */
            write_text(out, text);
    }
}

/* The sums of due times, which are to be the same though the times of writing differ. */
static void write_ledger(struct buf *out, const json_t *o)
{
    json_t *ledger = json_loads(json_meta(o, "annotations", "stash.appscode.com/schedule-ledger"), 0, NULL);

    buf_printf(out, " due: %" PRId64 " %" PRId64 " %" PRId64, json_int(ledger, "made", 0),
               json_int(ledger, "coalesced", 0), json_int(ledger, "skipped", 0));
    json_decref(ledger);
}

/* One line an object. */
static char *what_is_left(struct rack *r)
{
    static const char *const lists[] = {STASH "backupconfigurations", STASH "backupsessions", STASH "restoresessions",
                                        "/apis/stash.appscode.com/v1alpha1/namespaces/demo/repositories",
                                        "/apis/batch/v1/namespaces/demo/jobs",
                                        "/apis/batch/v1/namespaces/demo/cronjobs",
                                        "/api/v1/namespaces/demo/serviceaccounts",
                                        "/apis/rbac.authorization.k8s.io/v1/namespaces/demo/rolebindings"};
    struct buf out;

    buf_init(&out, 16u << 20);
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        json_t *list = NULL, *o;
        size_t i;

        (void)model_do(r->model, "admin", "GET", lists[l], NULL, &list);
        json_array_foreach (json_object_get(list, "items"), i, o) {
            buf_printf(&out, "%s ", lists[l]);
            write_value(&out, o);
            write_ledger(&out, o);
            buf_putc(&out, '\n');
        }
        json_decref(list);
    }
    return buf_take(&out);
}

/* ---- a run ---- */

static void set_up(struct rack *r)
{
    const struct kubelet_dice dice = {r->s->fail_percent, r->s->lost_percent, 0};

    sim_env_init(&r->env, 1, START_S * 1000ll);
    r->book.until_ns = UINT64_MAX;
    cluster_init(&r->cluster, 1, 1);
    r->cluster.configs[0] = (struct cluster_config){.ns = "demo", .name = "db"};
    (void)snprintf(r->cluster.configs[0].schedule, sizeof(r->cluster.configs[0].schedule), "%s", r->s->schedule);
    r->checker = checker_new(1, say_where, r);
    r->model = model_new(&(struct model_options){.env = &r->env.env, .seed = 1, .no_managed_fields = true});
    r->kubelet = kubelet_new(&r->env.env, r->model, 1, &dice, &r->book);
    timer_init(&r->back, come_back, r);
    replica_init(&r->replica, 0,
                 &(struct replica_options){.sim = &r->env, .model = r->model, .book = &r->book,
                                           .effects = &r->effects, .concurrency = 1, .nth = &r->nth,
                                           .on_death = died, .ctx = r});
    model_on_change(r->model, changed, r);
    model_start(r->model);
}

static void tear_down(struct rack *r)
{
    timer_clear(&r->env.env, &r->back);
    replica_kill(&r->replica);
    kubelet_free(r->kubelet);
    model_free(r->model);
    checker_free(r->checker);
    cluster_done(&r->cluster);
    process_done(&r->replica.process);
    sim_env_done(&r->env);
}

/* What is left; NULL: something was wrong on the way. ret_effects: how many writes. */
static char *run(const struct scenario *s, const char *chart, uint64_t nth, enum fault way, uint64_t *ret_effects)
{
    struct rack *r = mem_zalloc(sizeof(*r));
    char *left = NULL;

    r->s = s;
    r->nth = (struct fault_nth){.nth = nth, .way = way};
    set_up(r);
    if (cluster_fill(&r->cluster, r->model, chart)) {
        replica_start(&r->replica, false, 1, 0);
        for (const struct action *a = s->actions; a < s->actions + ACTIONS_MAX && a->at_s; a++) {
            run_until(r, a->at_s);
            act(r, a);
        }
        run_until(r, s->until_s);
        left = what_is_left(r);
        if (checker_violations(r->checker) || r->refused) {
            if (r->refused)
                (void)fprintf(stderr, "\"%s\": an action was refused\n", s->name);
            mem_free(left);
            left = NULL;
        }
    }
    *ret_effects = r->nth.n;
    tear_down(r);
    mem_free(r);
    return left;
}

static void print_difference(const char *want, const char *got)
{
    while (*want && *got) {
        size_t a = strcspn(want, "\n"), b = strcspn(got, "\n");

        if (a != b || strncmp(want, got, a) != 0) {
            size_t same = 0, from;

            while (want[same] == got[same])
                same++;
            from = same > 60 ? same - 60 : 0;
            (void)fprintf(stderr, "  %.*s\n  - …%.120s\n  + …%.120s\n", (int)strcspn(want, " "), want, want + from,
                          got + from);
            return;
        }
        want += a + 1;
        got += b + 1;
    }
    (void)fprintf(stderr, "  - %s\n  + %s\n", want, got);
}

static unsigned torture(const struct scenario *s, const char *chart, unsigned every, uint64_t *runs)
{
    uint64_t n = 0, unused;
    AUTO_FREE char *want = run(s, chart, UINT64_MAX, FAULT_NONE, &n);
    unsigned bad = want == NULL;

    for (uint64_t i = 0; want && i < n; i += every) {
        for (size_t w = 0; w < N_WAYS; w++) {
            AUTO_FREE char *got = run(s, chart, i, ways[w], &unused);

            ++*runs;
            if (got && strcmp(got, want) == 0)
                continue;
            bad++;
            (void)fprintf(stderr, "VIOLATION: \"%s\", effect %" PRIu64 " of %" PRIu64 ", %s: something else is left\n",
                          s->name, i, n, fault_names[ways[w]]);
            if (got && bad <= TOLD_MAX)
                print_difference(want, got);
        }
    }
    (void)printf("%s: %" PRIu64 " effects, %d ways%s\n", s->name, n, N_WAYS, bad ? ", NOT all equal" : ", all equal");
    (void)fflush(stdout);
    return bad;
}

int torture_run(const char *chart, unsigned every, const char *only)
{
    uint64_t runs = 0;
    unsigned bad = 0;

    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        if (!only || strstr(scenarios[i].name, only))
            bad += torture(&scenarios[i], chart, every ? every : 1, &runs);
    (void)printf("%" PRIu64 " runs, %u of them ended differently\n", runs, bad);
    return bad ? 1 : 0;
}
