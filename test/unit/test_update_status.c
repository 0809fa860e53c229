/*
 * test_update_status: the program against the API server's model over HTTP/2, with real restic repositories and a
 * Pushgateway that is a listener here.
 */
#include "test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controllers/condition.h"
#include "controllers/job/job.h"
#include "controllers/job/post.h"
#include "controllers/job/update_status.h"
#include "controllers/job/update_status_parts.h"
#include "core/base/http.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/h2.h"
#include "core/net/tcp_uv.h"
#include "k8s/model/model.h"
#include "support_program.h"
#include "support_restic.h"
#include "support_world.h"

/* A shell's line begins so, and wants w->dir. */
#define IN_REPO SUPPORT_RESTIC_SHELL "cd %s && export RESTIC_REPOSITORY=$PWD/repo RESTIC_PASSWORD=pw && "

struct here {
    size_t live;
    struct env *env;
    struct job job;
    struct model *model;
    struct h2_server *server;
    char dir[64];
    char master[64], push[64], old_path[4096];
    const char *cluster; /* "STASH_CLUSTER=…" of the next run; NULL: not set */
    const char *more[4]; /* variables of the next run besides */
    /* what a test wants to happen in the server */
    void (*on_patch)(struct here *w); /* before the first status write; once */
    unsigned n_patches;
    struct timer timer;
    const char *away_at; /* method of requests that it does not answer; NULL: it is there */
    int away_status;     /* but with this */
    unsigned n_away;     /* so many times; counts down */
    /* the gateway */
    struct tcp_listen *gateway;
    struct buf pushed; /* all requests, heads and bodies */
    unsigned n_pushes;
};

static char template[] = "/tmp/test-update-status-XXXXXX"; /* holds the repository that tests copy */

/* ---- a clock that leaps: half an hour passes while a request is not answered ---- */

static uint64_t leaped_ns;
static const struct env_ops *real_ops;
static struct env_ops leaping_ops;

static uint64_t leaping_now(struct env *e)
{
    return real_ops->now_ns(e) + leaped_ns;
}

static void leaping_set(struct env *e, struct timer *t, uint64_t due_ns)
{
    real_ops->timer_set(e, t, due_ns > leaped_ns ? due_ns - leaped_ns : 0);
}

static void let_leap(struct env *e)
{
    leaped_ns = 0;
    real_ops = e->ops;
    leaping_ops = *e->ops;
    leaping_ops.now_ns = leaping_now;
    leaping_ops.timer_set = leaping_set;
    e->ops = &leaping_ops;
}

static bool is_away(struct here *w, struct http_serve *s)
{
    if (!w->away_at || !w->n_away || !str_is(s->method, w->away_at))
        return false;
    w->n_away--;
    leaped_ns += 1800ull * 1000000000;
    http_reply(s, w->away_status, "text/plain", STR("not now\n"));
    return true;
}

static void serve(void *ctx, struct http_serve *s)
{
    struct here *w = ctx;

    if (is_away(w, s))
        return;
    if (str_is(s->method, "PATCH")) {
        w->n_patches++;
        if (w->on_patch) {
            void (*hook)(struct here *) = w->on_patch;

            w->on_patch = NULL;
            hook(w);
        }
    }
    model_serve(w->model, s);
}

static void put(struct here *w, const char *method, const char *path, const char *yaml)
{
    json_t *o = test_yaml(yaml), *answer = NULL;
    int status = model_do(w->model, "system:admin", method, path, o, &answer);

    if (status >= 300)
        fail_msg("%s %s: %d %s", method, path, status, json_text(answer, "message"));
    json_decref(o);
    json_decref(answer);
}

static json_t *get(struct here *w, const char *plural, const char *name)
{
    AUTO_FREE char *path = mem_printf("/apis/stash.appscode.com/%s/namespaces/demo/%s/%s",
                                      strcmp(plural, "repositories") == 0 ? "v1alpha1" : "v1beta1", plural, name);
    json_t *o = NULL;

    assert_int_equal(model_do(w->model, "system:admin", "GET", path, NULL, &o), 200);
    return o;
}

static void add_crd(struct here *w, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/../../../chart/templates/crds/%s.yaml", TEST_DATA, name);
    struct buf text;
    struct error e;

    buf_init(&text, 1 << 20);
    assert_int_equal(env_uv_read_file(path, &text, &e), 0);
    put(w, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", text.data);
    buf_done(&text);
}

/* ---- the gateway: keeps what it hears and answers 202 ---- */

static void gateway_closed(struct tcp *c, int rc, const struct error *e)
{
    (void)c;
    (void)rc;
    (void)e;
}

static void gateway_data(struct tcp *c, struct str bytes)
{
    struct here *w = tcp_data(c);
    const char *body;

    buf_add_str(&w->pushed, bytes);
    body = memmem(bytes.p, bytes.n, "\r\n\r\n", 4);
    if (!body || body + 4 >= bytes.p + bytes.n) /* our requests are small: head and body come together */
        return;
    w->n_pushes++;
    tcp_write(c, STR("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"));
    tcp_shutdown(c);
}

static void gateway_accept(struct tcp_listen *l, struct tcp *c)
{
    static const struct tcp_callbacks callbacks = {.on_data = gateway_data, .on_closed = gateway_closed};

    tcp_set_data(c, &callbacks, tcp_listen_data(l));
}

/* ---- the world ---- */

static int set_up(void **state)
{
    static const char *const crds[] = {"backupsessions", "backupconfigurations", "repositories", "restoresessions"};
    size_t live = mem_live();
    struct here *w = mem_zalloc(sizeof(*w));
    struct model_options mo = {.seed = 1};
    struct h2_server_options so = {.address = "127.0.0.1", .body_max = 1 << 20, .handler = serve, .ctx = w};
    struct error e;

    w->live = live;
    w->env = env_uv_new();
    job_init(&w->job, w->env, "/tmp", "/tmp");
    w->job.log.min = LOG_ERROR + 1;
    (void)snprintf(w->old_path, sizeof(w->old_path), "%s", getenv("PATH"));
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-update-status-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    mo.env = w->env;
    w->model = model_new(&mo);
    model_start(w->model);
    for (size_t i = 0; i < sizeof(crds) / sizeof(crds[0]); i++)
        add_crd(w, crds[i]);
    put(w, "POST", "/api/v1/namespaces", "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}");
    so.env = w->env;
    w->server = h2_server_start(&so, &e);
    assert_non_null(w->server);
    (void)snprintf(w->master, sizeof(w->master), "--master=http://127.0.0.1:%u", h2_server_port(w->server));
    buf_init(&w->pushed, 1 << 20);
    w->gateway = tcp_listen(w->env, "127.0.0.1", 0, NULL, gateway_accept, w, &e);
    assert_non_null(w->gateway);
    (void)snprintf(w->push, sizeof(w->push), "--metrics-pushgateway-url=http://127.0.0.1:%u",
                   tcp_listen_port(w->gateway));
    *state = w;
    return 0;
}

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static int tear_down(void **state)
{
    struct here *w = *state;
    size_t live = w->live;
    bool stopped = false;

    h2_server_stop(w->server, on_stopped, &stopped);
    tcp_listen_close(w->gateway);
    job_wait(&w->job, &stopped);
    model_free(w->model);
    env_uv_run(w->env);
    job_done(&w->job);
    env_uv_free(w->env);
    buf_done(&w->pushed);
    assert_int_equal(setenv("PATH", w->old_path, 1), 0);
    job_remove(w->dir);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void write_file(struct here *w, const char *name, const char *text)
{
    AUTO_FREE char *path = mem_printf("%s/%s", w->dir, name);
    struct error e;

    assert_int_equal(env_uv_write_file(path, str_of(text), 0644, false, &e), 0);
}

/* What the program finds first under that name. */
static void write_program(struct here *w, const char *name, const char *script)
{
    AUTO_FREE char *dir = mem_printf("%s/bin", w->dir), *file = mem_printf("%s/%s", dir, name);
    AUTO_FREE char *path = mem_printf("%s:%s", dir, w->old_path);
    struct error e;

    assert_int_equal(job_make_dir(dir, 0755, &e), 0);
    assert_int_equal(env_uv_write_file(file, str_of(script), 0755, false, &e), 0);
    assert_int_equal(setenv("PATH", path, 1), 0);
}

static void add_backup(struct here *w)
{
    AUTO_FREE char *secrets = mem_printf("%s/secret", w->dir);
    struct error e;

    put(w, "POST", "/apis/stash.appscode.com/v1alpha1/namespaces/demo/repositories",
        "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo},"
        " spec: {backend: {local: {mountPath: /r}, storageSecretName: s}}}");
    put(w, "POST", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupconfigurations",
        "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: db-backup}, spec: {"
        "schedule: '* * * * *', repository: {name: repo}, retentionPolicy: {name: p, keepLast: 1, prune: true},"
        "target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db}}}}");
    put(w, "POST", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupsessions",
        "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: s1}, spec: {invoker: {"
        "apiGroup: stash.appscode.com, kind: BackupConfiguration, name: db-backup}}}");
    put(w, "PATCH", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupsessions/s1/status",
        "{status: {phase: Running, conditions: [{type: BackendRepositoryInitialized, status: 'True',"
        " reason: BackendRepositoryFound, message: m, lastTransitionTime: '2026-03-01T02:00:00Z'}],"
        " targets: [{ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db, namespace: demo},"
        " totalHosts: 1, phase: Running, progress: {bytes: 5}, postBackupActions: [ApplyRetentionPolicy, "
        "VerifyRepositoryIntegrity,"
        " SendRepositoryMetrics]}]}}");
    assert_int_equal(job_make_dir(secrets, 0755, &e), 0);
    write_file(w, "secret/RESTIC_PASSWORD", "pw");
}

/* Two snapshots of our host and two of another; made once, then copied. */
static void add_snapshots(struct here *w)
{
    static const char made[] =
        "head -c 100000 /dev/urandom >data && restic backup --host host-0 data && echo second >data"
        " && restic backup --host host-0 data && restic backup --host other data"
        " && restic backup --host other data";
    AUTO_FREE char *fixture = mem_printf("%s/repo", template);
    AUTO_FREE char *copy = mem_printf("cp -r %s %s/", fixture, w->dir);

    if (access(fixture, F_OK) != 0) {
        AUTO_FREE char *line = mem_printf(IN_REPO "{ %s; } >/dev/null 2>&1", template, made);

        support_restic_make(template, "pw");
        assert_int_equal(system(line), 0);
    }
    assert_int_equal(system(copy), 0);
}

static const char good_output[] =
    "{\"targetStatus\": {\"ref\": {\"apiVersion\": \"appcatalog.appscode.com/v1alpha1\", \"kind\": \"AppBinding\", "
    "\"name\": \"db\", \"namespace\": \"demo\"}, \"stats\": [{\"hostname\": \"host-0\", \"phase\": \"Succeeded\", "
    "\"duration\": \"12.5s\", \"snapshots\": [{\"name\": \"abc\", \"path\": \"xtrabackup.stream\", \"totalSize\": "
    "\"2.000 KiB\", \"uploaded\": \"10 B\", \"uploadedBytes\": 11, \"processingTime\": \"1:05\", \"fileStats\": "
    "{\"totalFiles\": 1, \"newFiles\": 1, \"modifiedFiles\": 0, \"unmodifiedFiles\": 0}}]}]}}";

static int run(struct here *w, const char *session, const char *invoker_kind, const char *invoker)
{
    AUTO_FREE char *out = mem_printf("--output-dir=%s", w->dir), *scratch = mem_printf("--scratch-dir=%s", w->dir);
    AUTO_FREE char *bucket = mem_printf("--bucket=%s/repo", w->dir), *s = mem_printf("--backupsession=%s", session);
    AUTO_FREE char *kind = mem_printf("--invoker-kind=%s", invoker_kind),
                   *name = mem_printf("--invoker-name=%s", invoker);
    AUTO_FREE char *secret = mem_printf("STASH_STORAGE_SECRET_DIR=%s/secret", w->dir);
    /* As the catalogue's Function has it, also what it leaves empty. */
    const char *argv[] = {"update-status", "--provider=local", bucket, "--endpoint=", "--insecure-tls=", "--region=",
                          "--path=", "--enable-cache=false", "--max-connections=0", "--namespace=demo", s,
                          "--storage-secret-name=s", "--storage-secret-namespace=demo", kind, name,
                          "--target-kind=AppBinding", "--target-name=db", "--target-namespace=demo", out,
                          "--metrics-enabled=true", scratch, w->push, w->master, NULL};
    const char *envp[8] = {secret, "POD_NAMESPACE=demo"};
    size_t n = 2;

    for (size_t i = 0; i < 4 && w->more[i]; i++)
        envp[n++] = w->more[i];
    envp[n] = w->cluster;
    return update_status_main(&w->job, (int)(sizeof(argv) / sizeof(argv[0])) - 1, argv, envp);
}

static const char *condition(const json_t *session, const char *type)
{
    return condition_status(json_at(session, "status.conditions"), type);
}

static void pushes_have_their_labels(const struct here *w)
{
    assert_int_equal(w->n_pushes, 2);
    assert_non_null(strstr(w->pushed.data, "POST /metrics/job/backupconfiguration-demo-db-backup/pusher_namespace/demo "
                                           "HTTP/1.1\r\n"));
    assert_non_null(strstr(w->pushed.data, "POST /metrics/job/backupconfiguration-demo-db-backup/pusher_namespace/demo/"
                                           "target/appbinding-db/hostname/host-0 HTTP/1.1\r\n"));
    assert_non_null(strstr(w->pushed.data, "stash_appscode_com_repository_snapshot_count{invoker_kind=\"Backup"
                                           "Configuration\",invoker_name=\"db-backup\",namespace=\"demo\",driver="
                                           "\"Restic\",repository=\"repo\",name=\"repo\",backend=\"local\""));
    assert_non_null(strstr(w->pushed.data, "host_data_size_bytes{"));
    assert_non_null(strstr(w->pushed.data, "hostname=\"host-0\"} 2048\n"));  /* from the text */
    assert_non_null(strstr(w->pushed.data, "hostname=\"host-0\"} 11\n"));    /* the raw number wins over "10 B" */
    assert_non_null(strstr(w->pushed.data, "hostname=\"host-0\"} 65\n"));    /* 1:05 */
    assert_non_null(strstr(w->pushed.data, "hostname=\"host-0\"} 12.5\n"));
}

static void a_good_backup_is_published_with_retention_check_and_size(void **state)
{
    struct here *w = *state;
    json_t *s, *r;

    add_backup(w);
    add_snapshots(w);
    write_file(w, "output.json", good_output);
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    s = get(w, "backupsessions", "s1");
    assert_string_equal(json_text(s, "status.targets.0.stats.0.phase"), "Succeeded");
    assert_string_equal(json_text(s, "status.targets.0.stats.0.snapshots.0.totalSize"), "2.000 KiB");
    assert_int_equal(json_array_size(json_at(s, "status.targets")), 1);
    assert_int_equal(json_int(s, "status.targets.0.totalHosts", 0), 1);
    assert_null(json_at(s, "status.targets.0.progress"));
    assert_string_equal(condition(s, "RetentionPolicyApplied"), "True");
    assert_string_equal(condition(s, "RepositoryIntegrityVerified"), "True");
    assert_string_equal(condition(s, "RepositoryMetricsPushed"), "True");
    assert_string_equal(condition(s, "BackendRepositoryInitialized"), "True");
    r = get(w, "repositories", "repo");
    assert_true(json_flag(r, "status.integrity", false));
    /* keepLast 1 is for this session's host: both snapshots of the other host stay. */
    assert_int_equal(json_int(r, "status.snapshotCount", -1), 3);
    assert_int_equal(json_int(r, "status.snapshotsRemovedOnLastCleanup", -1), 1);
    assert_non_null(strchr(json_text(r, "status.totalSize"), 'B'));
    /* The data of what was removed is freed by a Job of its own: here it is only asked for. */
    assert_string_equal(condition_status(json_at(r, "status.conditions"), "Pruned"), "False");
    assert_string_equal(condition_reason(json_at(r, "status.conditions"), "Pruned"), "PruneNeeded");
    assert_string_equal(json_text(r, "status.lastBackupTime"), json_text(s, "metadata.creationTimestamp"));
    assert_string_equal(json_text(r, "status.firstBackupTime"), json_text(s, "metadata.creationTimestamp"));
    json_decref(s);
    json_decref(r);
    pushes_have_their_labels(w);
}

/* Two databases in one repository, both "host-0": the one that is backed up often must not push out the other. */
static void another_databases_snapshots_stay(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *line =
        mem_printf(IN_REPO "{ echo x >data && "
                   "restic backup --host host-0 --tag stash.target=AppBinding/demo/quiet data && "
                   "restic backup --host host-0 data && restic backup --host host-0 data && "
                   "for i in 1 2 3; do restic backup --host host-0 --tag stash.target=AppBinding/demo/db data; done; } "
                   ">/dev/null 2>&1", w->dir);
    json_t *r;

    support_restic_make(w->dir, "pw");
    assert_int_equal(system(line), 0);
    add_backup(w);
    write_file(w, "output.json", good_output);
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    r = get(w, "repositories", "repo");
    assert_int_equal(json_int(r, "status.snapshotCount", -1), 3); /* the quiet one's, one of ours, one without a tag */
    assert_int_equal(json_int(r, "status.snapshotsRemovedOnLastCleanup", -1), 3);
    json_decref(r);
    mem_free(line);
    line = mem_printf(IN_REPO "restic snapshots --json "
                      "--tag stash.target=AppBinding/demo/quiet | grep -q '\"id\"'", w->dir);
    assert_int_equal(system(line), 0);
}

/* What there is of a tag. */
static int count_tagged(struct here *w, const char *tag)
{
    AUTO_FREE char *command = mem_printf(IN_REPO "restic snapshots --json --tag '%s' | "
                                         "grep -o '\"short_id\"' | wc -l", w->dir, tag);
    FILE *f = popen(command, "r");
    int n = -1;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    assert_int_equal(pclose(f), 0);
    return n;
}

/* Two clusters with the same names, one repository: nobody's retention touches what the other made, nor what nobody is
 * known to have made. */
static void another_clusters_snapshots_stay(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *line =
        mem_printf(IN_REPO "{ echo x >data && "
                   "backup() { restic backup --host host-0 --tag stash.target=AppBinding/demo/$1$2 data; } && "
                   "backup db ,stash.cluster=red && backup db && backup db ,stash.cluster=red && "
                   "backup db ,stash.cluster=blue && backup db ,stash.cluster=blue && "
                   "backup quiet ,stash.cluster=red && restic backup --host host-0 --tag stash.cluster=red data; } "
                   ">log 2>&1",
                   w->dir);
    json_t *o;

    support_restic_make(w->dir, "pw");
    assert_int_equal(system(line), 0);
    add_backup(w);
    write_file(w, "output.json", good_output);
    w->cluster = "STASH_CLUSTER=red";
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    assert_int_equal(count_tagged(w, "stash.cluster=red,stash.target=AppBinding/demo/db"), 1); /* keepLast */
    assert_int_equal(count_tagged(w, "stash.cluster=red,stash.target=AppBinding/demo/quiet"), 1);
    assert_int_equal(count_tagged(w, "stash.cluster=blue"), 2);
    assert_int_equal(count_tagged(w, "stash.target=AppBinding/demo/db"), 4);
    o = get(w, "backupsessions", "s1");
    assert_non_null(strstr(condition_message(json_at(o, "status.conditions"), "RetentionPolicyApplied"),
                           ": 6 snapshots, 1 removed; 2 of no known cluster or target stay (restic tag --add "
                           "stash.cluster=red,stash.target=AppBinding/demo/db makes them ours)"));
    json_decref(o);
}

/* forget waits for whoever works in the repository, here for the first backup of another database under the same host:
 * what was seen before it is not what it runs over. */
static void a_first_backup_stays_that_came_while_retention_waited(struct here *w, const char *cluster)
{
    AUTO_FREE char *line = mem_printf(IN_REPO "echo x >data && restic backup --host host-0 --tag "
                                      "stash.target=AppBinding/demo/db%s data >log 2>&1", w->dir, cluster);
    AUTO_FREE char *script = mem_printf(
        "#!/bin/sh\nPATH=%s\nif [ $1 = forget ] && [ ! -e %s/met ]; then :>%s/met; "
        "(" IN_REPO "restic backup --host host-0 --tag stash.target=AppBinding/demo/quiet%s data) >/dev/null 2>&1; fi\n"
        "exec restic \"$@\"\n", w->old_path, w->dir, w->dir, w->dir, cluster);

    support_restic_make(w->dir, "pw");
    assert_int_equal(system(line), 0);
    add_backup(w);
    write_program(w, "restic", script);
    write_file(w, "output.json", good_output);
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    assert_int_equal(count_tagged(w, "stash.target=AppBinding/demo/quiet"), 1);
    assert_int_equal(count_tagged(w, "stash.target=AppBinding/demo/db"), 1);
}

static void a_first_backup_of_our_cluster_stays_that_came_while_retention_waited(void **state)
{
    struct here *w = *state;

    w->cluster = "STASH_CLUSTER=red";
    a_first_backup_stays_that_came_while_retention_waited(w, ",stash.cluster=red");
}

static void a_first_backup_of_no_cluster_stays_that_came_while_retention_waited(void **state)
{
    a_first_backup_stays_that_came_while_retention_waited(*state, "");
}

/* No backup has the tags of a release before somebody gives it to it. */
static void a_policy_of_tags_alone_keeps_what_was_just_made(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *line =
        mem_printf(IN_REPO "{ echo x >data && backup() { restic backup --host host-0 --tag "
                   "stash.cluster=red,stash.target=AppBinding/demo/db,$1 data; } && "
                   "backup release && backup stash.session=s0 && backup stash.session=s1; } >log 2>&1", w->dir);

    support_restic_make(w->dir, "pw");
    assert_int_equal(system(line), 0);
    add_backup(w);
    put(w, "PATCH", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupconfigurations/db-backup",
        "{spec: {retentionPolicy: {keepLast: null, keepTags: [release]}}}");
    write_file(w, "output.json", good_output);
    w->cluster = "STASH_CLUSTER=red";
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    assert_int_equal(count_tagged(w, "stash.session=s1"), 1);
    assert_int_equal(count_tagged(w, "release"), 1);
    assert_int_equal(count_tagged(w, "stash.session=s0"), 0);
}

/* Nobody told us who we are, and others are here: what has no tag may be theirs. */
static void who_does_not_know_his_cluster_removes_nothing_where_others_are(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *line =
        mem_printf(IN_REPO "{ echo x >data && "
                   "for i in 1 2; do restic backup --host host-0 data; done && "
                   "restic backup --host host-0 --tag stash.cluster=blue data; } >log 2>&1",
                   w->dir);
    json_t *o;

    support_restic_make(w->dir, "pw");
    assert_int_equal(system(line), 0);
    add_backup(w);
    write_file(w, "output.json", good_output);
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    o = get(w, "backupsessions", "s1");
    assert_string_equal(condition(o, "RetentionPolicyApplied"), "False");
    assert_non_null(strstr(condition_message(json_at(o, "status.conditions"), "RetentionPolicyApplied"),
                           "cluster blue has snapshots of the same hosts here"));
    json_decref(o);
    assert_int_equal(count_tagged(w, "stash.cluster=blue"), 1);
    assert_int_equal(count_tagged(w, ""), 2);
}

static void a_host_gets_an_event(void **state)
{
    struct here *w = *state;
    json_t *list = NULL;

    add_backup(w);
    write_file(w, "output.json",
               "{\"targetStatus\": {\"stats\": [{\"hostname\": \"host-0\", \"phase\": \"Failed\", \"error\": "
               "\"the donor went away\"}]}}");
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    assert_int_equal(model_do(w->model, "system:admin", "GET", "/api/v1/namespaces/demo/events", NULL, &list), 200);
    assert_int_equal(json_array_size(json_at(list, "items")), 1);
    assert_string_equal(json_text(list, "items.0.reason"), "Host Backup Failed");
    assert_string_equal(json_text(list, "items.0.type"), "Warning");
    assert_string_equal(json_text(list, "items.0.source.component"), "Status Updater");
    assert_string_equal(json_text(list, "items.0.involvedObject.name"), "s1");
    assert_non_null(strstr(json_text(list, "items.0.message"), "the donor went away"));
    json_decref(list);
}

static void a_failed_host_touches_no_repository(void **state)
{
    struct here *w = *state;
    json_t *s, *r;

    add_backup(w);
    add_snapshots(w);
    write_file(
        w, "output.json",
        "{\"targetStatus\": {\"stats\": [{\"hostname\": \"host-0\", \"phase\": \"Failed\", \"error\": \"x\"}]}}");
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    s = get(w, "backupsessions", "s1");
    r = get(w, "repositories", "repo");
    assert_string_equal(json_text(s, "status.targets.0.stats.0.error"), "x");
    assert_string_equal(condition(s, "RetentionPolicyApplied"), "");
    assert_null(json_at(r, "status.lastBackupTime"));
    json_decref(s);
    json_decref(r);
}

static void damage_is_a_result_and_reaches_the_repository(void **state)
{
    struct here *w = *state;
    json_t *s, *r;
    AUTO_FREE char *damage = NULL;

    add_backup(w);
    add_snapshots(w);
    /* Not a tree: restic would try to read it for minutes. */
    damage = mem_printf("find %s/repo/data -type f -size +50k -delete", w->dir);
    assert_int_equal(system(damage), 0);
    write_file(w, "output.json", good_output);
    put(w, "PATCH", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupconfigurations/db-backup",
        "{spec: {retentionPolicy: {keepLast: 5, prune: false}}}");
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    s = get(w, "backupsessions", "s1");
    r = get(w, "repositories", "repo");
    assert_string_equal(condition(s, "RepositoryIntegrityVerified"), "False");
    assert_true(json_is_false(json_at(r, "status.integrity")));
    assert_string_equal(json_text(s, "status.targets.0.stats.0.phase"), "Succeeded");
    json_decref(s);
    json_decref(r);
}

static void a_check_that_cannot_run_says_nothing_of_integrity(void **state)
{
    struct here *w = *state;
    json_t *s, *r;

    add_backup(w);
    add_snapshots(w);
    write_file(w, "secret/RESTIC_PASSWORD", "wrong");
    write_file(w, "output.json", good_output);
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    s = get(w, "backupsessions", "s1");
    r = get(w, "repositories", "repo");
    assert_string_equal(condition(s, "RetentionPolicyApplied"), "False");
    assert_non_null(
        strstr(condition_message(json_at(s, "status.conditions"), "RetentionPolicyApplied"), "wrong password"));
    assert_string_equal(condition(s, "RepositoryIntegrityVerified"), "");
    assert_null(json_at(r, "status.integrity"));
    assert_string_equal(json_text(s, "status.targets.0.stats.0.phase"), "Succeeded");
    json_decref(s);
    json_decref(r);
}

static void other_writer(struct here *w)
{
    put(w, "PATCH", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupsessions/s1/status",
        "{status: {targets: [{ref: {kind: AppBinding, name: other, namespace: demo}, totalHosts: 1},"
        " {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db, namespace: demo},"
        " totalHosts: 1, conditions: [{type: BackupExecutorEnsured, status: 'True', reason: r, message: m,"
        " lastTransitionTime: '2026-03-01T02:00:00Z'}]}]}}");
}

static void a_concurrent_writer_is_not_overwritten(void **state)
{
    struct here *w = *state;
    json_t *s;

    add_backup(w);
    write_file(
        w, "output.json",
        "{\"targetStatus\": {\"stats\": [{\"hostname\": \"host-0\", \"phase\": \"Failed\", \"error\": \"x\"}]}}");
    w->on_patch = other_writer;
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    assert_int_equal(w->n_patches, 2); /* the first one was refused */
    s = get(w, "backupsessions", "s1");
    assert_int_equal(json_array_size(json_at(s, "status.targets")), 2);
    assert_string_equal(json_text(s, "status.targets.0.ref.name"), "other");
    assert_string_equal(json_text(s, "status.targets.1.stats.0.error"), "x");
    assert_string_equal(json_text(s, "status.targets.1.conditions.0.type"), "BackupExecutorEnsured");
    json_decref(s);
}

static void an_unpublished_result_fails_the_job(void **state)
{
    struct here *w = *state;

    add_backup(w);
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 1); /* no output.json */
    write_file(w, "output.json", "{\"targetStatus\": {\"stats\": []}}");
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 1); /* no host in it */
    write_file(w, "output.json", good_output);
    assert_int_equal(run(w, "gone", "BackupConfiguration", "db-backup"), 1);
    put(w, "PATCH", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupconfigurations/db-backup",
        "{spec: {target: {ref: {name: another}}}}");
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 1); /* not its target */
}

/* n requests of a method are answered with a status, after half an hour each where the clock leaps. */
static int run_while_away(struct here *w, const char *method, int status, unsigned n)
{
    write_file(
        w, "output.json",
        "{\"targetStatus\": {\"stats\": [{\"hostname\": \"host-0\", \"phase\": \"Failed\", \"error\": \"x\"}]}}");
    w->away_at = method;
    w->away_status = status;
    w->n_away = n;
    return run(w, "s1", "BackupConfiguration", "db-backup");
}

static void assert_published(struct here *w)
{
    json_t *s = get(w, "backupsessions", "s1");

    assert_string_equal(json_text(s, "status.targets.0.stats.0.error"), "x");
    json_decref(s);
}

static void a_result_waits_for_an_api_server_that_is_away(void **state)
{
    struct here *w = *state;

    add_backup(w);
    let_leap(w->env);
    assert_int_equal(run_while_away(w, "GET", 500, 1), 0);
    assert_published(w);
    put(w, "PATCH", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupsessions/s1/status",
        "{status: {targets: null}}");
    assert_int_equal(run_while_away(w, "PATCH", 500, 1), 0);
    assert_published(w);
}

/* Nobody renews a pod's token while the API server is away: when it is back the old one may have expired. */
static void a_result_waits_for_a_new_token(void **state)
{
    struct here *w = *state;

    add_backup(w);
    assert_int_equal(run_while_away(w, "GET", 401, 1), 0);
    assert_published(w);
}

/* Whoever waits for a Job's end does not wait for its events. */
static void an_event_is_not_waited_for_that_long(void **state)
{
    struct here *w = *state;

    add_backup(w);
    let_leap(w->env);
    assert_int_equal(run_while_away(w, "POST", 500, 10), 0);
    assert_int_equal(w->n_away, 9);
    assert_published(w);
}

static void end_it(struct timer *t)
{
    struct here *w = t->data;

    job_cancel(&w->job);
}

static void a_sigterm_ends_the_waiting(void **state)
{
    struct here *w = *state;

    add_backup(w);
    timer_init(&w->timer, end_it, w);
    timer_set_in(w->env, &w->timer, 200);
    assert_int_equal(run_while_away(w, "GET", 500, UINT_MAX), 143);
}

static void restored_hosts_are_upserted_by_name(void **state)
{
    struct here *w = *state;
    json_t *r;

    put(w, "POST", "/apis/stash.appscode.com/v1beta1/namespaces/demo/restoresessions",
        "{apiVersion: stash.appscode.com/v1beta1, kind: RestoreSession, metadata: {name: r1}, spec: {repository: {"
        "name: repo}, target: {replicas: 2, ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding,"
        " name: db}}}}");
    put(w, "PATCH", "/apis/stash.appscode.com/v1beta1/namespaces/demo/restoresessions/r1/status",
        "{status: {totalHosts: 2, stats: [{hostname: host-0, phase: Failed, error: old}, {hostname: host-1,"
        " phase: Succeeded, duration: 1s}]}}");
    write_file(w, "output.json",
               "{\"targetStatus\": {\"stats\": [{\"hostname\": \"host-0\", \"phase\": \"Succeeded\", \"duration\": "
               "\"3s\"}]}}");
    assert_int_equal(run(w, "", "RestoreSession", "r1"), 0);
    r = get(w, "restoresessions", "r1");
    assert_int_equal(json_array_size(json_at(r, "status.stats")), 2);
    assert_string_equal(json_text(r, "status.stats.0.phase"), "Succeeded");
    assert_null(json_at(r, "status.stats.0.error"));
    assert_string_equal(json_text(r, "status.stats.1.hostname"), "host-1");
    assert_int_equal(json_int(r, "status.totalHosts", 0), 2);
    assert_non_null(strstr(w->pushed.data, "stash_appscode_com_restoresession_host_restore_success{"));
    json_decref(r);
}

/* Also before the result is read: there is none here. */
static void flags_are_judged_before_it_connects(void **state)
{
    static const struct {
        const char *flags[3], *says;
    } rows[] = {
        {{NULL}, "--output-dir is missing: give the folder with the output.json of the step before"},
        {{"--output-dir=/nowhere"},
         "--backupsession (of a backup), or --invoker-kind=RestoreSession and --invoker-name"},
        {{"--output-dir=/nowhere", "--invoker-kind=RestoreSession"}, "--invoker-name is missing"},
        {{"--output-dir=/nowhere", "--invoker-kind=Job", "--invoker-name=r"},
         "--invoker-kind=Job: expected BackupConfiguration or RestoreSession"},
        {{"--output-dir=/nowhere", "--invoker-kind=BackupConfiguration", "--invoker-name=b"},
         "--invoker-kind=BackupConfiguration needs --backupsession"},
        {{"--output-dir=/nowhere", "--backupsession=s", "--invoker-kind=Job"},
         "--invoker-kind=Job: expected BackupConfiguration or RestoreSession"},
    };
    static const char *const none[] = {NULL};
    struct here *w = *state;
    struct support_program p;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *argv[] = {"update-status", rows[i].flags[0], rows[i].flags[1], rows[i].flags[2], NULL};

        support_program_run(&p, update_status_main, &w->job, argv, none);
        support_program_expect(&p, 2, rows[i].says);
        assert_true(str_starts(str_of(p.err), STR("stash-job update-status: ")));
    }
}

static void a_gateway_that_is_not_there_changes_nothing(void **state)
{
    struct here *w = *state;
    json_t *s;

    add_backup(w);
    add_snapshots(w);
    write_file(w, "output.json", good_output);
    (void)snprintf(w->push, sizeof(w->push), "--metrics-pushgateway-url=http://127.0.0.1:1");
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    s = get(w, "backupsessions", "s1");
    assert_string_equal(condition(s, "RepositoryMetricsPushed"), "False");
    assert_string_equal(condition(s, "RepositoryIntegrityVerified"), "True");
    assert_string_equal(json_text(s, "status.targets.0.stats.0.phase"), "Succeeded");
    json_decref(s);
}

/* The backend in the Job's flags is repo's, whatever the configuration says when the backup ends. */
static void what_was_done_is_told_of_the_repository_that_it_was_done_to(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *uid = NULL;
    json_t *r, *other, *s;

    add_backup(w);
    add_snapshots(w);
    put(w, "POST", "/apis/stash.appscode.com/v1alpha1/namespaces/demo/repositories",
        "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: other},"
        " spec: {backend: {local: {mountPath: /o}, storageSecretName: s}}}");
    put(w, "PATCH", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupconfigurations/db-backup",
        "{spec: {repository: {name: other}}}");
    r = get(w, "repositories", "repo");
    uid = mem_printf("STASH_REPOSITORY_UID=%s", json_text(r, "metadata.uid"));
    json_decref(r);
    w->more[0] = "STASH_REPOSITORY_NAME=repo";
    w->more[1] = "STASH_REPOSITORY_NAMESPACE=demo";
    w->more[2] = uid;
    write_file(w, "output.json", good_output);
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    r = get(w, "repositories", "repo");
    other = get(w, "repositories", "other");
    s = get(w, "backupsessions", "s1");
    assert_int_equal(json_int(r, "status.snapshotCount", -1), 3);
    assert_null(json_at(other, "status.lastBackupTime"));
    assert_null(json_at(other, "status.integrity"));
    assert_non_null(strstr(condition_message(json_at(s, "status.conditions"), "RepositoryIntegrityVerified"),
                           "of Repository demo/repo succeeded"));
    assert_non_null(strstr(w->pushed.data, "repository=\"repo\",name=\"repo\""));
    json_decref(r);
    json_decref(other);
    json_decref(s);
}

static void a_namesake_of_the_repository_is_told_nothing(void **state)
{
    struct here *w = *state;
    json_t *r, *s;

    add_backup(w);
    add_snapshots(w);
    w->more[0] = "STASH_REPOSITORY_NAME=repo";
    w->more[1] = "STASH_REPOSITORY_NAMESPACE=demo";
    w->more[2] = "STASH_REPOSITORY_UID=of-the-old-one";
    write_file(w, "output.json", good_output);
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 1);
    r = get(w, "repositories", "repo");
    s = get(w, "backupsessions", "s1");
    assert_null(json_at(r, "status.lastBackupTime"));
    assert_string_equal(json_text(s, "status.targets.0.stats.0.phase"), "Succeeded");
    json_decref(r);
    json_decref(s);
}

/* The token that lies in each pod is the API server's. */
static void a_push_shows_a_token_only_where_the_operator_says_so(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *file = mem_printf("STASH_PUSH_TOKEN_FILE=%s/token", w->dir);

    add_backup(w);
    write_file(w, "token", "the-token");
    write_file(
        w, "output.json",
        "{\"targetStatus\": {\"stats\": [{\"hostname\": \"host-0\", \"phase\": \"Failed\", \"error\": \"x\"}]}}");
    w->more[0] = "STASH_PUSH_TOKEN_FILE=";
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    assert_int_equal(w->n_pushes, 1);
    assert_null(strstr(w->pushed.data, "Bearer"));
    w->more[0] = file;
    assert_int_equal(run(w, "s1", "BackupConfiguration", "db-backup"), 0);
    assert_int_equal(w->n_pushes, 2);
    assert_non_null(strcasestr(w->pushed.data, "authorization: Bearer the-token\r\n"));
}

static void a_gateways_url_is_taken_apart(void **state)
{
    char host[256];
    uint16_t port;
    bool tls;
    struct str path;

    (void)state;
    assert_true(post_split_url("http://gw:9091/prefix/", host, &port, &tls, &path));
    assert_string_equal(host, "gw");
    assert_int_equal(port, 9091);
    assert_true(str_is(path, "/prefix"));
    assert_false(tls);
    assert_true(post_split_url("https://[::1]", host, &port, &tls, &path));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 443);
    assert_true(tls);
    assert_false(post_split_url("gw:9091", host, &port, &tls, &path));
    assert_false(post_split_url("http://", host, &port, &tls, &path));
    assert_false(post_split_url("http://u:p@gw", host, &port, &tls, &path));
    assert_false(post_split_url("http://gw:0", host, &port, &tls, &path));
    assert_int_equal(http_parse_status(STR("HTTP/1.1 202 Accepted\r\n\r\n")), 202);
    assert_int_equal(http_parse_status(STR("HTTP/1.1 202 Acc")), 0);
    assert_int_equal(http_parse_status(STR("SSH-2.0")), -1);
    assert_int_equal(http_parse_status(STR("HTTP/1.1 2x2 No\r\n\r\n")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_backup_is_published_with_retention_check_and_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_databases_snapshots_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_clusters_snapshots_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_first_backup_of_our_cluster_stays_that_came_while_retention_waited, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_first_backup_of_no_cluster_stays_that_came_while_retention_waited, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_policy_of_tags_alone_keeps_what_was_just_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_know_his_cluster_removes_nothing_where_others_are, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_host_gets_an_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_host_touches_no_repository, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_a_result_and_reaches_the_repository, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_check_that_cannot_run_says_nothing_of_integrity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_concurrent_writer_is_not_overwritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unpublished_result_fails_the_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_result_waits_for_an_api_server_that_is_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_result_waits_for_a_new_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_event_is_not_waited_for_that_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sigterm_ends_the_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(restored_hosts_are_upserted_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flags_are_judged_before_it_connects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_gateway_that_is_not_there_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_done_is_told_of_the_repository_that_it_was_done_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_namesake_of_the_repository_is_told_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_push_shows_a_token_only_where_the_operator_says_so, set_up, tear_down),
        cmocka_unit_test(a_gateways_url_is_taken_apart),
    };

    int failed;

    mem_install(1);
    if (!mkdtemp(template))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    job_remove(template);
    return failed;
}
