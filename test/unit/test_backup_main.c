/*
 * test_backup_main: `stash-job backup-percona-xtradb` against the API server's model over HTTP/2, with a real restic.
 * The database's client programs are scripts here; test/galera has the real ones.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controllers/job/backup_main.h"
#include "controllers/job/claim.h"
#include "controllers/job/job.h"
#include "controllers/job/manifest.h"
#include "controllers/job/repo_flags.h"
#include "controllers/job/session.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/h2.h"
#include "k8s/model/model.h"
#include "support_program.h"
#include "support_restic.h"
#include "support_world.h"

#define SESSIONS "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupsessions"
#define GOOD_DUMP "#!/bin/sh\necho 'CREATE TABLE t (a INT);'\necho '-- Dump completed on 2026-03-01'\n"

struct here {
    size_t live;
    struct env *env;
    struct job job;
    struct model *model;
    struct h2_server *server;
    struct timer timer;
    char dir[64], master[64], old_path[4096];
    const char *cluster; /* "STASH_CLUSTER=…" of the next run; NULL: not set */
    json_t *output; /* output.json of the last run; NULL: none */
};

static void serve(void *ctx, struct http_serve *s)
{
    model_serve(((struct here *)ctx)->model, s);
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

static json_t *get_session(struct here *w)
{
    json_t *o = NULL;

    assert_int_equal(model_do(w->model, "system:admin", "GET", SESSIONS "/s1", NULL, &o), 200);
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

static void write_file(struct here *w, const char *name, const char *text, unsigned mode)
{
    AUTO_FREE char *path = mem_printf("%s/%s", w->dir, name);
    struct error e;

    assert_int_equal(env_uv_write_file(path, str_of(text), mode, false, &e), 0);
}

static void make_dir(struct here *w, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", w->dir, name);
    struct error e;

    assert_int_equal(job_make_dir(path, 0755, &e), 0);
}

static void add_files(struct here *w)
{
    AUTO_FREE char *path = mem_printf("%s/bin:%s", w->dir, w->old_path);

    make_dir(w, "bin");
    make_dir(w, "storage");
    make_dir(w, "app");
    write_file(w, "storage/RESTIC_PASSWORD", "repository-password", 0644);
    write_file(w, "app/username", "me", 0644);
    write_file(w, "app/password", "database-password", 0644);
    write_file(w, "bin/mariadb", "#!/bin/sh\ncase \"$*\" in *VERSION*) echo 10.11.0-MariaDB;; *) echo 1;; esac\n",
               0755);
    write_file(w, "bin/mariadb-dump", GOOD_DUMP, 0755);
    assert_int_equal(setenv("PATH", path, 1), 0);
}

static void add_objects(struct here *w)
{
    put(w, "POST", "/api/v1/namespaces", "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}");
    put(w, "POST", "/apis/appcatalog.appscode.com/v1alpha1/namespaces/demo/appbindings",
        "{apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, metadata: {name: db}, spec: {"
        "clientConfig: {url: 'mysql://db.example:3306/'}, secret: {name: db-auth}}}");
    put(w, "POST", SESSIONS,
        "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {name: s1}, spec: {invoker: {"
        "apiGroup: stash.appscode.com, kind: BackupConfiguration, name: db-backup}}}");
    put(w, "PATCH", SESSIONS "/s1/status",
        "{status: {targets: [{ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db,"
        " namespace: demo}, totalHosts: 1, preBackupActions: [InitializeBackendRepository]}]}}");
}

static int set_up(void **state)
{
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
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-backup-main-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    mo.env = so.env = w->env;
    w->model = model_new(&mo);
    model_start(w->model);
    add_crd(w, "backupsessions");
    add_crd(w, "backupconfigurations");
    add_crd(w, "repositories");
    add_crd(w, "appbindings");
    add_objects(w);
    add_files(w);
    w->server = h2_server_start(&so, &e);
    assert_non_null(w->server);
    (void)snprintf(w->master, sizeof(w->master), "--master=http://127.0.0.1:%u", h2_server_port(w->server));
    *state = w;
    return 0;
}

static int set_up_with_repository(void **state)
{
    int rc = set_up(state);

    support_restic_make(((struct here *)*state)->dir, "repository-password");
    return rc;
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

    timer_clear(w->env, &w->timer);
    h2_server_stop(w->server, on_stopped, &stopped);
    job_wait(&w->job, &stopped);
    model_free(w->model);
    env_uv_run(w->env);
    job_done(&w->job);
    env_uv_free(w->env);
    json_decref(w->output);
    assert_int_equal(setenv("PATH", w->old_path, 1), 0);
    job_remove(w->dir);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void read_output(struct here *w)
{
    AUTO_FREE char *path = mem_printf("%s/output/output.json", w->dir);

    json_decref(w->output);
    w->output = json_load_file(path, 0, NULL);
}

/* The sub-command with the flags that the catalogue's Function gives; more: one flag besides, or NULL. */
static int run(struct here *w, const char *more)
{
    AUTO_FREE char *bucket = mem_printf("--bucket=%s/repo", w->dir);
    AUTO_FREE char *scratch = mem_printf("--scratch-dir=%s/scratch", w->dir);
    AUTO_FREE char *output = mem_printf("--output-dir=%s/output", w->dir);
    AUTO_FREE char *storage = mem_printf("STASH_STORAGE_SECRET_DIR=%s/storage", w->dir);
    AUTO_FREE char *app = mem_printf("STASH_APP_SECRET_DIR=%s/app", w->dir);
    const char *argv[] = {"backup-percona-xtradb", "--provider=local", bucket, "--endpoint=", "--insecure-tls=false",
                          "--region=", "--path=", scratch, "--enable-cache=false", "--max-connections=0",
                          "--hostname=host-0", "--xtradb-args=--all-databases", "--socat-retry=30", "--wait-timeout=2",
                          "--namespace=demo", "--backupsession=s1", "--appbinding=db", "--appbinding-namespace=demo",
                          "--retention-keep-last=3", "--retention-prune=true", "--retention-keep-tags=", output,
                          "--license-apiservice=", w->master, more, NULL};
    const char *const envp[] = {storage, app, w->cluster, NULL};
    int n = sizeof(argv) / sizeof(*argv) - (more ? 1 : 2), status = backup_main(&w->job, n, argv, envp);

    read_output(w);
    return status;
}

static int count_files(struct here *w, const char *folder)
{
    AUTO_FREE char *command = mem_printf("ls %s/repo/%s 2>/dev/null | wc -l", w->dir, folder);
    FILE *f = popen(command, "r");
    int n = -1;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    assert_int_equal(pclose(f), 0);
    return n;
}

/* A snapshot is one file. */
static int count_snapshots(struct here *w)
{
    return count_files(w, "snapshots");
}

static const char *error_of(struct here *w)
{
    return json_text(w->output, "targetStatus.stats.0.error");
}

static void assert_failed(struct here *w, int status, const char *text)
{
    assert_int_equal(status, 0); /* reported in output.json */
    assert_string_equal(json_text(w->output, "targetStatus.stats.0.phase"), "Failed");
    if (!strstr(error_of(w), text))
        fail_msg("error is '%s', expected '%s'", error_of(w), text);
    assert_int_equal(count_snapshots(w), 0);
}

static void assert_condition(struct here *w, const char *status, const char *reason)
{
    json_t *session = get_session(w);

    assert_string_equal(json_text(session, "status.conditions.0.type"), "BackendRepositoryInitialized");
    assert_string_equal(json_text(session, "status.conditions.0.status"), status);
    assert_string_equal(json_text(session, "status.conditions.0.reason"), reason);
    json_decref(session);
}

static void the_first_target_makes_the_repository_and_backs_up(void **state)
{
    struct here *w = *state;

    assert_int_equal(run(w, NULL), 0);
    assert_string_equal(error_of(w), "");
    assert_string_equal(json_text(w->output, "targetStatus.ref.name"), "db");
    assert_string_equal(json_text(w->output, "targetStatus.stats.0.snapshots.0.path"), "dumpfile.sql");
    assert_int_equal(json_int(w->output, "targetStatus.stats.0.snapshots.0.totalSizeBytes", 0),
                     56 + MANIFEST_BYTES);
    assert_int_equal(count_snapshots(w), 1);
    assert_condition(w, "True", "BackendRepositoryFound");
    assert_int_equal(run(w, NULL), 0); /* again: found now */
    assert_int_equal(count_snapshots(w), 2);
}

static void a_snapshot_says_which_cluster_made_it(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *look = mem_printf("cd %s && RESTIC_PASSWORD=repository-password restic --no-cache -r repo "
                                      "snapshots --json --tag stash.cluster=red | grep -q short_id", w->dir);

    w->cluster = "STASH_CLUSTER=red";
    assert_int_equal(run(w, NULL), 0);
    assert_int_equal(system(look), 0);
}

/* Somebody locks the repository between the look and restic's start: the dump begins again, and its manifest must not
 * tell of what the first try has sent. */
static void a_dump_that_met_a_lock_is_begun_again_with_a_manifest_of_its_own(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *restic = mem_printf(
        "#!/bin/sh\ncase \"$*\" in *--stdin*) if [ ! -e %s/met ]; then : >%s/met; head -c 20 >/dev/null; echo 'Fatal: "
        "unable to create lock in backend: repository is already locked exclusively by PID 1 on x' >&2; exit 1; fi;; "
        "esac\n"
        "PATH=%s exec restic \"$@\"\n",
        w->dir, w->dir, w->old_path);
    AUTO_FREE char *compare = mem_printf(
        "cd %s && export RESTIC_PASSWORD=repository-password && "
        "restic --no-cache -r repo dump latest dumpfile.sql >whole && "
        "sum=$(head -c -4096 whole | sha256sum | cut -c1-64) && tail -c 4096 whole | grep -q \"\\\"$sum\\\"\"",
        w->dir);

    write_file(w, "bin/restic", restic, 0755);
    assert_int_equal(run(w, NULL), 0);
    assert_string_equal(error_of(w), "");
    assert_int_equal(count_snapshots(w), 1);
    assert_int_equal(system(compare), 0);
}

/* ---- one makes the repository ---- */

#define REPOSITORIES "/apis/stash.appscode.com/v1alpha1/namespaces/demo/repositories"

static void add_repository(struct here *w, int64_t claimed_s_ago)
{
    char then[32];
    AUTO_FREE char *status = NULL;

    put(w, "POST", "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupconfigurations",
        "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: db-backup}, spec: {"
        "schedule: '* * * * *', repository: {name: repo}, retentionPolicy: {name: p, keepLast: 1, prune: true},"
        "target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db}}}}");
    put(w, "POST", REPOSITORIES,
        "{apiVersion: stash.appscode.com/v1alpha1, kind: Repository, metadata: {name: repo},"
        " spec: {backend: {local: {mountPath: /r}, storageSecretName: s}}}");
    (void)str_format_time(env_wall_ms(w->env) / 1000 - claimed_s_ago, then);
    status = mem_printf("{status: {conditions: [{type: BackendRepositoryInitialized, status: 'False', reason: "
                        "Initializing, message: somebody else, lastTransitionTime: '%s'}]}}",
                        then);
    put(w, "PATCH", REPOSITORIES "/repo/status", status);
}

static void assert_claim(struct here *w, const char *reason)
{
    json_t *o = NULL;

    assert_int_equal(model_do(w->model, "system:admin", "GET", REPOSITORIES "/repo", NULL, &o), 200);
    assert_string_equal(json_text(o, "status.conditions.0.reason"), reason);
    json_decref(o);
}

/* restic itself would let both of them make it, and nobody could read it afterwards. */
static void a_repository_that_another_is_making_is_waited_for(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *other = mem_printf(
        "(sleep 1; RESTIC_PASSWORD=repository-password restic --no-cache -q -r %s/repo init) &", w->dir);

    add_repository(w, 0);
    assert_int_equal(system(other), 0);
    assert_int_equal(run(w, NULL), 0);
    assert_string_equal(error_of(w), "");
    assert_int_equal(count_files(w, "keys"), 1);
    assert_claim(w, "Initializing"); /* it is not ours to change */
}

static void the_claim_of_one_that_died_is_taken_over(void **state)
{
    struct here *w = *state;

    add_repository(w, 3600);
    assert_int_equal(run(w, NULL), 0);
    assert_string_equal(error_of(w), "");
    assert_int_equal(count_files(w, "keys"), 1);
    assert_claim(w, "BackendRepositoryFound");
}

/* A volume may be mounted in several clusters, whose API servers know nothing of each other. */
static void on_a_volume_only_one_makes_it_whoever_he_is(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *other = mem_printf("mkdir %s/repo && cd %s/repo && flock stash-init.lock sh -c '>locked; sleep 2; "
                                       "[ ! -e config ] || >../made_meanwhile' & "
                                       "while [ ! -e %s/repo/locked ]; do :; done",
                                       w->dir, w->dir, w->dir);
    AUTO_FREE char *bad = mem_printf("%s/made_meanwhile", w->dir);
    AUTO_FREE char *lock = mem_printf("%s/repo/stash-init.lock", w->dir);

    assert_int_equal(system(other), 0);
    assert_int_equal(run(w, NULL), 0);
    assert_string_equal(error_of(w), "");
    assert_int_equal(access(bad, F_OK), -1);
    assert_int_equal(access(lock, F_OK), -1);
    assert_int_equal(count_snapshots(w), 1);
}

/* Elsewhere two clusters can make it at the same moment: where there is a repository "other", its config takes the
 * place of the one that init has just written. restic is told another backend, and given the folder. */
static int ensure_elsewhere(struct here *w, uint32_t settle_ms, bool *ret_created, struct error *e)
{
    AUTO_FREE char *storage = mem_printf("STASH_STORAGE_SECRET_DIR=%s/storage", w->dir);
    AUTO_FREE char *restic = mem_printf(
        "#!/bin/sh\nexport PATH=%s RESTIC_REPOSITORY=%s/repo\ncase \" $* \" in *\" init \"*) restic \"$@\" || exit; "
        "[ ! -e %s/other ] || cp -f %s/other/config %s/repo/config; exit;; esac\nexec restic \"$@\"\n",
        w->old_path, w->dir, w->dir, w->dir, w->dir);
    const char *const envp[] = {storage, NULL};
    struct repo_flags flags = {.provider = "rest", .endpoint = "https://backup.example/", .scratch_dir = w->dir};
    struct session s = {.job = &w->job, .ns = "demo", .name = "s1", .wait_s = 10, .settle_ms = settle_ms,
                        .invoker_kind = mem_strdup("BackupConfiguration"), .invoker_name = mem_strdup("db-backup")};
    struct secrets key = {0};
    struct repo repo;
    int rc;

    write_file(w, "bin/restic", restic, 0755);
    assert_int_equal(apiserver_open(&w->job, NULL, w->master + strlen("--master="), NULL, &s.api, e), 0);
    rc = repo_flags_open(&flags, &w->job, envp, NULL, &key, &repo, e);
    if (rc == 0)
        rc = claim_ensure(&s, &repo, ret_created, e);
    repo_done(&repo);
    secrets_done(&key);
    apiserver_free(s.api);
    session_done(&s);
    return rc;
}

static void elsewhere_nobody_writes_before_it_is_known_who_made_it(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *other = mem_printf("cd %s && export RESTIC_PASSWORD=repository-password && "
                                       "restic --no-cache -q -r other init", w->dir);
    bool created;
    struct error e;

    add_repository(w, 3600);
    assert_int_equal(system(other), 0);
    assert_int_equal(ensure_elsewhere(w, 100, &created, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "two clusters made it at the same moment"));
    assert_claim(w, "FailedToInitializeBackendRepository");
    assert_int_equal(ensure_elsewhere(w, 600000, &created, &e), ERR_INVALID); /* at once */
    assert_non_null(strstr(e.msg, "two clusters made it at the same moment"));
}

static void elsewhere_a_repository_is_waited_for_once(void **state)
{
    struct here *w = *state;
    bool created;
    struct error e;

    add_repository(w, 3600);
    assert_int_equal(ensure_elsewhere(w, 100, &created, &e), 0);
    assert_true(created);
    assert_claim(w, "BackendRepositoryFound");
    assert_int_equal(ensure_elsewhere(w, 600000, &created, &e), 0); /* would not end */
    assert_false(created);
}

static void a_failed_dump_makes_no_snapshot(void **state)
{
    struct here *w = *state;

    write_file(w, "bin/mariadb-dump", "#!/bin/sh\necho half\necho 'no grant for database-password' >&2\nexit 2\n",
               0755);
    assert_failed(w, run(w, NULL), "mariadb-dump ended with status 2: no grant for [redacted]");
}

static void a_dump_without_its_last_line_makes_no_snapshot(void **state)
{
    struct here *w = *state;

    write_file(w, "bin/mariadb-dump", "#!/bin/sh\necho 'CREATE TABLE t (a INT);'\n", 0755);
    assert_failed(w, run(w, NULL), "no last line '-- Dump completed'");
}

static void a_database_that_does_not_answer_is_waited_for(void **state)
{
    struct here *w = *state;

    write_file(w, "bin/mariadb", "#!/bin/sh\necho 'ERROR 2002: no connection' >&2\nexit 1\n", 0755);
    assert_failed(w, run(w, "--wait-timeout=0"),
                  "the database did not answer within 0 s: mariadb ended with status 1: ERROR "
                  "2002");
}

static void another_password_never_makes_a_new_repository(void **state)
{
    struct here *w = *state;

    assert_int_equal(run(w, NULL), 0);
    assert_int_equal(count_snapshots(w), 1);
    put(w, "PATCH", SESSIONS "/s1/status", "{status: {conditions: null}}");
    write_file(w, "storage/RESTIC_PASSWORD", "another", 0644);
    assert_int_equal(run(w, NULL), 0);
    assert_non_null(strstr(error_of(w), "wrong password"));
    assert_condition(w, "False", "FailedToInitializeBackendRepository");
    assert_int_equal(count_snapshots(w), 1);
}

static void what_the_first_target_could_not_do_fails_the_others(void **state)
{
    struct here *w = *state;

    put(w, "PATCH", SESSIONS "/s1/status",
        "{status: {conditions: [{type: BackendRepositoryInitialized, status: 'False', reason: X, message: no bucket,"
        " lastTransitionTime: '2026-03-01T02:00:00Z'}]}}");
    assert_failed(w, run(w, NULL), "the repository could not be initialised: no bucket");
}

static void an_unknown_action_is_no_success(void **state)
{
    struct here *w = *state;

    put(w, "PATCH", SESSIONS "/s1/status",
        "{status: {targets: [{ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: db,"
        " namespace: demo}, preBackupActions: [DoMagic]}]}}");
    assert_failed(w, run(w, NULL), "unknown pre-backup action 'DoMagic'");
}

/* restic made its snapshot, then failed: it must not stay. */
static void a_snapshot_of_a_failed_backup_is_removed_again(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *script =
        mem_printf("#!/bin/sh\nPATH=%s restic \"$@\" || exit\n[ $1 != backup ] || { echo Fatal: late >&2; exit 1; }\n",
                   w->old_path);

    write_file(w, "bin/restic", script, 0755);
    assert_failed(w, run(w, NULL),
                  "was made and has been removed again: restic backup ended with status 1: Fatal: late");
}

/* restic was killed after it had made its snapshot, before it could say so. */
static void a_snapshot_that_nobody_told_of_is_removed_too(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *script = mem_printf(
        "#!/bin/sh\nPATH=%s\nif [ $1 = backup ]; then restic \"$@\" >/dev/null; kill -9 $$; fi\nexec restic \"$@\"\n",
        w->old_path);

    write_file(w, "bin/restic", script, 0755);
    assert_failed(w, run(w, NULL), "was made and has been removed again: restic was killed by signal 9");
}

/* Sessions of one due time have the same name in each cluster and namespace: only ours may be taken for the one that
 * was not told. */
static void the_snapshot_of_anothers_session_is_not_taken_for_ours(struct here *w, const char *tags)
{
    AUTO_FREE char *script = mem_printf(
        "#!/bin/sh\nPATH=%s\nif [ $1 = backup ]; then cat >/dev/null; echo theirs | restic "
        "--no-cache -q -r %s/repo backup --stdin --stdin-filename dumpfile.sql --host host-0 --tag %s; "
        "kill -9 $$; fi\nexec restic \"$@\"\n",
        w->old_path, w->dir, tags);

    write_file(w, "bin/restic", script, 0755);
    w->cluster = "STASH_CLUSTER=red";
    assert_int_equal(run(w, NULL), 0);
    assert_string_equal(json_text(w->output, "targetStatus.stats.0.phase"), "Failed");
    assert_int_equal(count_snapshots(w), 1);
}

static void a_failed_backup_leaves_another_clusters_snapshot(void **state)
{
    the_snapshot_of_anothers_session_is_not_taken_for_ours(
        *state, "stash.session=s1,stash.cluster=blue,stash.namespace=demo,stash.target=AppBinding/demo/db");
}

static void a_failed_backup_leaves_another_namespaces_snapshot(void **state)
{
    the_snapshot_of_anothers_session_is_not_taken_for_ours(
        *state, "stash.session=s1,stash.cluster=red,stash.namespace=other,stash.target=AppBinding/other/db");
}

static void on_poll(struct timer *t)
{
    struct here *w = t->data;
    AUTO_FREE char *mark = mem_printf("%s/started", w->dir);

    if (access(mark, F_OK) == 0)
        job_cancel(&w->job);
    else
        timer_set_in(w->env, t, 20);
}

static void a_sigterm_ends_it_soon_without_a_snapshot(void **state)
{
    struct here *w = *state;
    AUTO_FREE char *script = mem_printf("#!/bin/sh\necho begin\ntouch %s/started\nexec sleep 100\n", w->dir);
    uint64_t began = env_now_ns(w->env);

    write_file(w, "bin/mariadb-dump", script, 0755);
    timer_init(&w->timer, on_poll, w);
    timer_set_in(w->env, &w->timer, 20);
    assert_int_equal(run(w, NULL), 143);
    assert_non_null(strstr(error_of(w), "ended by a signal"));
    assert_int_equal(count_snapshots(w), 0);
    assert_true(env_now_ns(w->env) - began < 60 * 1000000000ull);
}

static void what_is_missing_on_the_command_line_is_said(void **state)
{
    static const char *const wrong[] = {"backup-percona-xtradb", "--no-such-flag", NULL};
    static const char *const few[] = {"backup-percona-xtradb", "--appbinding=db", "--provider=local", NULL};
    static const char *const app[] = {"backup-percona-xtradb", "--appbinding=db", NULL};
    static const char *const bare[] = {"backup-percona-xtradb", NULL};
    static const char *const help[] = {"backup-percona-xtradb", "--help", NULL};
    static const char *const none[] = {NULL};
    struct here *w = *state;
    struct support_program p;

    assert_int_equal(backup_main(&w->job, 2, wrong, none), 2);
    support_program_run(&p, backup_main, &w->job, few, none);
    support_program_expect(&p, 3, "stash-job backup-percona-xtradb: --storage-secret-name is missing: give the name of "
                                  "the Secret with the backend's keys, or mount it at STASH_STORAGE_SECRET_DIR\n");
    assert_string_equal(p.out, "");
    support_program_run(&p, backup_main, &w->job, app, none);
    support_program_expect(&p, 3, "--provider is missing: give one of local, s3, gcs, azure, swift, b2 or rest\n");
    support_program_run(&p, backup_main, &w->job, bare, none);
    support_program_expect(&p, 3, "--appbinding is missing: give the name of the database's AppBinding\n");
    support_program_run(&p, backup_main, &w->job, help, none);
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, " --appbinding=NAME --provider=PROVIDER --storage-secret-name=NAME [flags]\n"));
    assert_non_null(strstr(p.out, "b2 or rest (required)\n"));
    assert_non_null(strstr(p.out, "keys (required, unless it is mounted at STASH_STORAGE_SECRET_DIR)\n"));
}

/* Nothing is asked, where there is no cluster to ask. With a folder for it the session gets the reason. */
static void wrong_flags_are_said_before_it_connects(void **state)
{
    static const struct {
        const char *flag, *says;
    } rows[] = {
        {"--provider=ftp", "--provider=ftp is no backend: give one of local, s3, gcs, azure, swift, b2 or rest"},
        {"--provider=s3", "backend s3 needs its endpoint: give --endpoint (spec.backend.s3.endpoint of a Repository)"},
        {"--xtradb-args='a", "--xtradb-args: arguments end inside a quote"},
    };
    struct here *w = *state;
    AUTO_FREE char *output = mem_printf("--output-dir=%s/output", w->dir);
    static const char *const none[] = {NULL};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *argv[] = {"backup-percona-xtradb", "--appbinding=db", "--provider=local", "--bucket=/b",
                              "--storage-secret-name=s", rows[i].flag, NULL, NULL};
        struct support_program p;

        support_program_run(&p, backup_main, &w->job, argv, none);
        support_program_expect(&p, 2, rows[i].says);
        assert_true(str_starts(str_of(p.err), STR("stash-job backup-percona-xtradb: ")));
        argv[6] = output;
        support_program_run(&p, backup_main, &w->job, argv, none);
        assert_int_equal(p.status, 0);
        read_output(w);
        if (!strstr(error_of(w), rows[i].says))
            fail_msg("%s", error_of(w));
    }
}

static void progress_goes_into_the_target(void **state)
{
    struct here *w = *state;
    struct pipeline_progress now = {.bytes = 1000, .bytes_per_second = 10, .percent = 42};
    struct session s = {.job = &w->job, .ns = "demo", .name = "s1", .target = {"AppBinding", "db", "demo"}};
    json_t *session;
    struct error e;

    assert_int_equal(apiserver_open(&w->job, NULL, w->master + strlen("--master="), NULL, &s.api, &e), 0);
    session_progress(&s, &now);
    session = get_session(w);
    assert_int_equal(json_int(session, "status.targets.0.progress.bytes", 0), 1000);
    assert_int_equal(json_int(session, "status.targets.0.progress.percent", 0), 42);
    assert_int_equal(json_int(session, "status.targets.0.totalHosts", 0), 1);
    json_decref(session);
    apiserver_free(s.api);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define R(f) cmocka_unit_test_setup_teardown(f, set_up_with_repository, tear_down)
    static const struct CMUnitTest tests[] = {
        T(the_first_target_makes_the_repository_and_backs_up),
        R(a_snapshot_says_which_cluster_made_it),
        R(a_dump_that_met_a_lock_is_begun_again_with_a_manifest_of_its_own),
        T(a_repository_that_another_is_making_is_waited_for),
        T(the_claim_of_one_that_died_is_taken_over),
        T(on_a_volume_only_one_makes_it_whoever_he_is),
        T(elsewhere_nobody_writes_before_it_is_known_who_made_it),
        T(elsewhere_a_repository_is_waited_for_once),
        R(a_failed_dump_makes_no_snapshot),
        R(a_dump_without_its_last_line_makes_no_snapshot),
        T(a_database_that_does_not_answer_is_waited_for),
        R(another_password_never_makes_a_new_repository),
        T(what_the_first_target_could_not_do_fails_the_others),
        R(an_unknown_action_is_no_success),
        R(a_snapshot_of_a_failed_backup_is_removed_again),
        R(a_snapshot_that_nobody_told_of_is_removed_too),
        R(a_failed_backup_leaves_another_clusters_snapshot),
        R(a_failed_backup_leaves_another_namespaces_snapshot),
        R(a_sigterm_ends_it_soon_without_a_snapshot),
        T(what_is_missing_on_the_command_line_is_said),
        T(wrong_flags_are_said_before_it_connects),
        T(progress_goes_into_the_target),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
