/*
 * torture: see torture.h. A scenario is run once as it is: its writes are counted and what is left in the API server is
 * kept as text, without what must differ (times, UIDs, versions). Then it is run again, and at each write the process
 * forks once for each way to fail it: each child goes on from there to the end, and the same must be left. So nothing
 * before that write is done twice. Leases and Events are no effects here.
 *
 * A worker for each core walks through the same run and forks at every so-many-th write.
 */
#include "torture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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
enum { START_S = 1772323200, WORKERS_MAX = 64 };

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

static void changed(void *ctx, const char *type, const json_t *object, struct str text)
{
    struct rack *r = ctx;

    (void)text;
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
    const struct kubelet_dice dice = {r->s->fail_percent, r->s->lost_percent, 0, 0};

    sim_env_init(&r->env, 1, START_S * 1000ll);
    r->book.until_ns = UINT64_MAX;
    cluster_init(&r->cluster, 1, 1);
    r->cluster.configs[0] = (struct cluster_config){.ns = "demo", .name = "db"};
    (void)snprintf(r->cluster.configs[0].schedule, sizeof(r->cluster.configs[0].schedule), "%s", r->s->schedule);
    r->checker = checker_new(&r->env.env, 1, say_where, r);
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

/* What is left; NULL: something was wrong on the way. nth: is copied. */
static char *run(const struct scenario *s, const json_t *crds, const struct fault_nth *nth, uint64_t *ret_effects)
{
    struct rack *r = mem_zalloc(sizeof(*r));
    char *left = NULL;

    r->s = s;
    r->nth = *nth;
    set_up(r);
    if (cluster_fill(&r->cluster, r->model, crds)) {
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

/* ---- all effects, all ways ---- */

/* Of all processes of one scenario. */
struct counts {
    uint64_t effects, runs, bad;
};

struct worker {
    const struct scenario *s;
    const json_t *crds;
    const char *want;
    unsigned every, turn, workers;
    struct counts *counts; /* shared */
    bool is_branch;        /* a child that goes on with a failure */
    uint64_t nth;
    enum fault way;
};

static void add(uint64_t *to, uint64_t n)
{
    __atomic_add_fetch(to, n, __ATOMIC_RELAXED);
}

/* In the child: true. */
static bool branch(struct worker *w, struct fault_nth *n, enum fault way)
{
    pid_t child;
    int status;

    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        w->is_branch = true;
        w->nth = n->nth = n->n;
        w->way = n->way = way;
        n->at = NULL;
        return true;
    }
    add(&w->counts->runs, 1);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        add(&w->counts->bad, 1);
    return false;
}

static void at_effect(struct fault_nth *n)
{
    struct worker *w = n->ctx;

    if (n->n % w->every || n->n / w->every % w->workers != w->turn)
        return;
    for (size_t i = 0; i < N_WAYS; i++)
        if (branch(w, n, ways[i]))
            return;
}

/* Of a child: 0, or 1 when something else is left. */
static int compare(const struct worker *w, const char *got)
{
    if (got && strcmp(got, w->want) == 0)
        return 0;
    (void)fprintf(stderr, "VIOLATION: \"%s\", effect %" PRIu64 " of %" PRIu64 ", %s: something else is left\n",
                  w->s->name, w->nth, w->counts->effects, fault_names[w->way]);
    if (got && __atomic_load_n(&w->counts->bad, __ATOMIC_RELAXED) < TOLD_MAX)
        print_difference(w->want, got);
    return 1;
}

static int work(struct worker *w)
{
    uint64_t effects;
    AUTO_FREE char *want = run(w->s, w->crds, &(struct fault_nth){.nth = UINT64_MAX}, &effects), *got = NULL;

    w->want = want;
    w->counts->effects = effects;
    if (!want)
        return 1;
    got = run(w->s, w->crds, &(struct fault_nth){.nth = UINT64_MAX, .at = at_effect, .ctx = w}, &effects);
    if (w->is_branch)
        return compare(w, got);
    return got && strcmp(got, want) == 0 ? 0 : 1; /* nothing failed here: two runs are the same */
}

static bool torture(const struct scenario *s, const struct torture_options *o, struct counts *counts)
{
    pid_t workers[WORKERS_MAX];
    bool good = true;
    int status;

    (void)fflush(NULL);
    for (unsigned i = 0; i < o->jobs; i++) {
        struct worker w = {.s = s, .crds = o->crds, .every = o->every, .turn = i, .workers = o->jobs,
                           .counts = counts};

        workers[i] = fork();
        if (workers[i] == 0)
            _exit(work(&w));
    }
    for (unsigned i = 0; i < o->jobs; i++)
        good = workers[i] > 0 && waitpid(workers[i], &status, 0) == workers[i] && status == 0 && good;
    good = good && counts->bad == 0;
    (void)printf("%s: %" PRIu64 " effects, %d ways%s\n", s->name, counts->effects, N_WAYS,
                 good ? ", all equal" : ", NOT all equal");
    return good;
}

int torture_run(const struct torture_options *options)
{
    struct torture_options o = *options;
    uint64_t effects = 0, runs = 0, bad = 0;
    bool good = true;

    o.jobs = o.jobs < 1 ? 1 : o.jobs > WORKERS_MAX ? WORKERS_MAX : o.jobs;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        struct counts *counts;

        if (o.only && !strstr(scenarios[i].name, o.only))
            continue;
        counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (counts == MAP_FAILED)
            return 2;
        good = torture(&scenarios[i], &o, counts) && good;
        effects += counts->effects;
        runs += counts->runs;
        bad += counts->bad;
        (void)munmap(counts, sizeof(*counts));
    }
    (void)printf("%" PRIu64 " effects, %" PRIu64 " runs, %" PRIu64 " of them ended differently\n", effects, runs, bad);
    return good ? 0 : 1;
}
