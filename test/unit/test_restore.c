/*
 * test_restore: which snapshot is taken and what becomes of it, with a real restic repository and small programs in
 * place of the database's. The whole way with a real database: test/galera/test-restore.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controllers/job/output.h"
#include "controllers/job/restore.h"
#include "controllers/job/restore_parts.h"
#include "controllers/job/restore_pump.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "support_program.h"
#include "support_restic.h"

static char folder[] = "/tmp/test-restore-XXXXXX";

struct here {
    size_t live;
    struct env *env;
    struct job job;
    struct repo repo;
    struct secrets key;
    char out[128]; /* what a program wrote */
};

static char *in_folder(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct here *h = mem_zalloc(sizeof(*h));
    AUTO_FREE char *bucket = in_folder("repo"), *secret = mem_printf("STASH_STORAGE_SECRET_DIR=%s/secret", folder);
    struct repo_flags f = {.provider = "local", .bucket = bucket, .scratch_dir = folder};
    const char *envp[] = {secret, NULL};
    struct error e;

    h->live = live;
    h->env = env_uv_new();
    job_init(&h->job, h->env, folder, folder);
    h->job.log.min = LOG_ERROR + 1;
    if (repo_flags_open(&f, &h->job, envp, NULL, &h->key, &h->repo, &e) < 0)
        fail_msg("%s", e.msg);
    (void)snprintf(h->out, sizeof(h->out), "%s/out", folder);
    job_remove(h->out);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct here *h = *state;
    size_t live = h->live;

    repo_done(&h->repo);
    secrets_done(&h->key);
    job_done(&h->job);
    env_uv_free(h->env);
    mem_free(h);
    assert_int_equal(mem_live(), live);
    return 0;
}

/* ---- choosing ---- */

static int find(struct here *h, const char *host, const char *snapshot, struct restore *r, struct error *e)
{
    static struct restore_flags f;

    f = (struct restore_flags){
        .app = "db", .app_ns = "demo", .hostname = "nobody", .source_hostname = host, .snapshot = snapshot};
    *r = (struct restore){.job = &h->job, .flags = &f, .repo = h->repo};
    return restore_find_snapshot(r, e);
}

static void drop(struct restore *r)
{
    mem_free(r->snapshot);
    mem_free(r->server);
}

static void what_a_snapshot_holds_decides_how_it_is_restored(void **state)
{
    struct here *h = *state;
    struct restore r, again;
    struct error e;
    char prefix[9];

    assert_int_equal(find(h, "dump", "latest", &r, &e), 0);
    assert_false(r.is_physical);
    drop(&r);
    assert_int_equal(find(h, "stream", "latest", &r, &e), 0);
    assert_true(r.is_physical);
    assert_string_equal(r.server, "10.11.8-MariaDB");
    (void)snprintf(prefix, sizeof(prefix), "%s", r.snapshot);
    assert_int_equal(find(h, "dump", prefix, &again, &e), 0); /* an id is of any host */
    assert_string_equal(again.snapshot, r.snapshot);
    drop(&r);
    drop(&again);
    assert_int_equal(find(h, "other", "latest", &r, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "holds neither dumpfile.sql nor xtrabackup.stream, but /something"));
    assert_int_equal(find(h, "absent", "latest", &r, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.msg, "no snapshot of host absent"));
    assert_int_equal(find(h, "", "latest", &r, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.msg, "no snapshot of host nobody"));
    assert_int_equal(find(h, "dump", "12345678,87654321", &r, &e), ERR_INVALID);
    assert_int_equal(find(h, "dump", "--no-lock", &r, &e), ERR_INVALID);
    assert_int_equal(find(h, "dump", "0123456789abcdef", &r, &e), ERR_NOTFOUND);
}

static void the_latest_of_a_shared_host_is_our_own_or_none(void **state)
{
    struct here *h = *state;
    struct restore r;
    struct error e;

    assert_int_equal(find(h, "shared", "latest", &r, &e), 0); /* the other database's is newer */
    assert_string_equal(r.server, "ours");
    drop(&r);
    assert_int_equal(find(h, "strange", "latest", &r, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "several databases have the same host in this repository (AppBinding/demo/a, "
                                  "AppBinding/demo/b)"));
}

static void keep(void *ctx, struct str line)
{
    buf_add_str(ctx, line);
}

/* The only database under a host is taken for what is meant, also when it is another one. */
static void the_log_says_whose_the_latest_is(void **state)
{
    struct here *h = *state;
    struct restore r;
    struct error e;
    struct buf log;

    buf_init(&log, 65536);
    h->job.log.min = LOG_INFO;
    h->job.log.write = keep;
    h->job.log.ctx = &log;
    assert_int_equal(find(h, "lone", "latest", &r, &e), 0);
    drop(&r);
    assert_non_null(strstr(log.data, "another database's"));
    assert_non_null(strstr(log.data, "\"target\":\"AppBinding/demo/b\""));
    buf_clear(&log);
    assert_int_equal(find(h, "shared", "latest", &r, &e), 0);
    drop(&r);
    assert_null(strstr(log.data, "another database's"));
    assert_non_null(strstr(log.data, "\"target\":\"AppBinding/demo/db\""));
    buf_done(&log);
}

static void is_of(struct here *h, const char *cluster, const char *host, const char *server)
{
    struct restore r;
    struct error e;

    h->repo.cluster = cluster;
    if (find(h, host, "latest", &r, &e) < 0)
        fail_msg("%s in %s: %s", host, cluster, e.msg);
    assert_string_equal(r.server, server);
    drop(&r);
}

static void the_latest_is_our_clusters_or_that_of_the_only_other(void **state)
{
    struct here *h = *state;
    struct restore r;
    struct error e;

    is_of(h, "red", "two", "of-red"); /* blue's is newer */
    is_of(h, "blue", "two", "of-blue");
    is_of(h, "new", "lost", "of-red"); /* the cluster is not there any more */
    is_of(h, "", "lost", "of-red");
    is_of(h, "blue", "mixed", "of-red"); /* blue has another database under this host */
    is_of(h, "blue", "shared", "ours");  /* of before there were identities */
    h->repo.cluster = "new";
    assert_int_equal(find(h, "two", "latest", &r, &e), ERR_INVALID);
    assert_string_equal(e.msg, "several clusters, and not this one, have snapshots of this host in this repository "
                               "(red, blue): name a snapshot in the RestoreSession's rules");
}

/* ---- the pump ---- */

static int pump(struct here *h, const char *host, const char *file, const char *script, struct xbstream *check,
                struct error *e)
{
    static const struct xbstream_options options = {.flavour = XBSTREAM_MARIADB};
    const char *argv[] = {"sh", "-c", script, "sh", h->out, NULL};
    struct restore_pump p = {.repo = &h->repo,
                             .file = file,
                             .argv = argv,
                             .envp = job_environment(&h->job),
                             .program = "client",
                             .check = check,
                             .options = &options};
    struct restore r;
    int rc = find(h, host, "latest", &r, e);

    if (rc < 0)
        return rc;
    p.snapshot = r.snapshot;
    p.manifest_required = r.has_manifest;
    rc = restore_pump_run(&p, e);
    drop(&r);
    return rc;
}

static void all_bytes_reach_the_program_and_then_its_input_ends(void **state)
{
    struct here *h = *state;
    struct error e;
    struct stat st;

    assert_int_equal(pump(h, "dump", "/dumpfile.sql", "cat >\"$1\"", NULL, &e), 0);
    assert_int_equal(stat(h->out, &st), 0);
    assert_int_equal(st.st_size, 3000000);
}

static void a_program_that_dies_early_ends_the_restore(void **state)
{
    struct here *h = *state;
    struct error e;

    /* restic has megabytes to write and nobody to read them: nothing may wait for the other. */
    assert_int_equal(pump(h, "dump", "/dumpfile.sql", "head -c 100 >/dev/null; echo no such table >&2; exit 3", NULL,
                          &e),
                     ERR_INVALID);
    assert_string_equal(e.msg, "client ended with status 3: no such table");
    assert_int_equal(pump(h, "dump", "/dumpfile.sql", "exit 0", NULL, &e), ERR_INVALID);
    assert_string_equal(e.msg, "client ended before its input did");
}

static void a_program_never_sees_the_end_of_a_bad_input(void **state)
{
    struct here *h = *state;
    struct xbstream *x = xbstream_new();
    struct error e;

    assert_int_equal(pump(h, "dump", "/absent", "cat >/dev/null && touch \"$1\"", NULL, &e), ERR_INVALID);
    assert_int_equal(strncmp(e.msg, "restic dump: ", 13), 0);
    assert_int_equal(access(h->out, F_OK), -1);
    /* The dump is no xbstream; this program does not even heed the signal to end, and is killed in the end. */
    assert_int_equal(pump(h, "dump", "/dumpfile.sql", "trap '' TERM; cat >/dev/null && touch \"$1\"", x, &e),
                     ERR_INVALID);
    assert_int_equal(access(h->out, F_OK), -1);
    xbstream_free(x);
    /* This is one, in whole chunks, but cut: its last file has not come. */
    x = xbstream_new();
    assert_int_equal(pump(h, "stream", "/xtrabackup.stream", "cat >/dev/null && touch \"$1\"", x, &e), ERR_INVALID);
    assert_int_equal(strncmp(e.msg, "the snapshot's stream: ", 23), 0);
    assert_int_equal(access(h->out, F_OK), -1);
    xbstream_free(x);
}

static void what_differs_from_its_manifest_is_never_taken_for_whole(void **state)
{
    struct here *h = *state;
    const char *script = "cat >/dev/null && touch \"$1\"";
    struct error e;

    assert_int_equal(pump(h, "told", "/dumpfile.sql", script, NULL, &e), 0);
    assert_int_equal(access(h->out, F_OK), 0);
    job_remove(h->out);
    assert_int_equal(pump(h, "cut", "/dumpfile.sql", script, NULL, &e), ERR_INVALID);
    assert_string_equal(e.msg, "the snapshot's dump: it does not end with its manifest: bytes are missing or were "
                               "changed");
    assert_int_equal(pump(h, "miscounted", "/dumpfile.sql", script, NULL, &e), ERR_INVALID);
    assert_string_equal(e.msg, "the snapshot's dump: it has 2 rows, but its manifest says 3");
    assert_int_equal(access(h->out, F_OK), -1);
}

static void on_time(struct timer *t)
{
    job_cancel(t->data);
}

static void a_signal_ends_both(void **state)
{
    struct here *h = *state;
    struct timer timer;
    struct error e;

    /* The program reads nothing, so restic is held in the middle of the file. */
    timer_init(&timer, on_time, &h->job);
    timer_set_in(h->env, &timer, 3000);
    assert_int_equal(pump(h, "dump", "/dumpfile.sql", "exec sleep 60", NULL, &e), ERR_CANCELED);
    timer_clear(h->env, &timer);
    assert_int_equal(pump(h, "dump", "/dumpfile.sql", "exec sleep 60", NULL, &e), ERR_CANCELED);
}

/* ---- the program ---- */

static int run_main(struct here *h, const char *more, const char *output)
{
    AUTO_FREE char *bucket = mem_printf("--bucket=%s/repo", folder), *scratch = mem_printf("--scratch-dir=%s", folder);
    AUTO_FREE char *secret = mem_printf("STASH_STORAGE_SECRET_DIR=%s/secret", folder);
    const char *argv[] = {"restore-percona-xtradb", "--provider=local", bucket, scratch, "--insecure-tls=",
                          "--max-connections=0",
                          "--hostname=host-1", "--source-hostname=stream", "--xtradb-args=", "--target-app-replicas=3",
                          "--appbinding=db", "--appbinding-namespace=demo", "--snapshot=latest",
                          "--license-apiservice=x",
                          output, more, NULL};
    const char *envp[] = {secret, "POD_NAME=stash-restore-r-0-1-abcde", NULL};

    return restore_main(&h->job, (int)(sizeof(argv) / sizeof(argv[0])) - 1, argv, envp);
}

static void a_failure_goes_into_the_file_and_without_one_into_the_exit_status(void **state)
{
    struct here *h = *state;
    AUTO_FREE char *output = mem_printf("--output-dir=%s/o", folder), *path = in_folder("o/output.json");
    struct buf text;
    struct error e;
    json_t *o;

    /* No volume is mounted there: the default folder is not taken for a data directory. */
    assert_int_equal(run_main(h, "--wait-timeout=1", output), 0);
    buf_init(&text, 65536);
    assert_int_equal(env_uv_read_file(path, &text, &e), 0);
    assert_int_equal(output_parse(buf_str(&text), &o, &e), 0);
    assert_string_equal(json_text(o, "targetStatus.stats.0.hostname"), "host-1");
    assert_string_equal(json_text(o, "targetStatus.stats.0.phase"), "Failed");
    assert_non_null(strstr(json_text(o, "targetStatus.stats.0.error"), "no volume is mounted at /var/lib/mysql"));
    assert_string_equal(json_text(o, "targetStatus.ref.name"), "db");
    json_decref(o);
    buf_done(&text);
    assert_int_equal(run_main(h, "--wait-timeout=1", "--output-dir="), 1);
    assert_int_equal(run_main(h, "--no-such-flag", output), 2);
    h->job.canceled = true;
    assert_int_equal(run_main(h, "--wait-timeout=1", output), 143);
}

/* Nothing is asked, where there is no cluster to ask. With a folder for it the session gets the reason. */
static void wrong_flags_are_said_before_it_connects(void **state)
{
    static const struct {
        const char *flag, *says;
    } rows[] = {
        {"--provider=ftp", "--provider=ftp is no backend: give one of local, s3, gcs, azure, swift, b2 or rest"},
        {"--provider=s3", "backend s3 needs its endpoint: give --endpoint (spec.backend.s3.endpoint of a Repository)"},
        {"--existing-data=wipe", "--existing-data=wipe: expected refuse or keep"},
        {"--use-memory=lots", "--use-memory=lots: expected bytes, or a number with K, M or G, such as 2G"},
        {"--use-memory=1.5G", "--use-memory=1.5G: expected bytes"},
        {"--snapshot=a,b", "--snapshot=a,b: exactly one snapshot can be restored"},
        {"--snapshot=newest", "--snapshot=newest is neither \"latest\" nor the id of a snapshot"},
        {"--xtradb-args='a", "--xtradb-args: arguments end inside a quote"},
        {"--use-memory=512M", NULL},
        {"--use-memory=2Gi", NULL},
        {"--existing-data=keep", NULL},
    };
    static const char *const none[] = {NULL};
    struct here *h = *state;
    AUTO_FREE char *output = mem_printf("--output-dir=%s/o", folder), *path = in_folder("o/output.json");
    AUTO_FREE char *scratch = mem_printf("--scratch-dir=%s", folder);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *argv[] = {"restore-percona-xtradb", "--appbinding=db", "--provider=local", "--bucket=/b", scratch,
                              "--storage-secret-name=s", rows[i].flag, NULL, NULL};
        struct support_program p;
        json_t *o;

        support_program_run(&p, restore_main, &h->job, argv, none);
        if (!rows[i].says) { /* all is well, and it connects */
            assert_int_equal(p.status, 1);
            continue;
        }
        support_program_expect(&p, 2, rows[i].says);
        assert_true(str_starts(str_of(p.err), STR("stash-job restore-percona-xtradb: ")));
        argv[7] = output;
        support_program_run(&p, restore_main, &h->job, argv, none);
        assert_int_equal(p.status, 0);
        o = json_load_file(path, 0, NULL);
        if (!strstr(json_text(o, "targetStatus.stats.0.error"), rows[i].says))
            fail_msg("%s", json_text(o, "targetStatus.stats.0.error"));
        json_decref(o);
    }
}

static void what_is_missing_on_the_command_line_is_said(void **state)
{
    static const struct {
        const char *flags[2], *says;
    } rows[] = {
        {{NULL}, "--appbinding is missing: give the name of the database's AppBinding"},
        {{"--appbinding=db"}, "--provider is missing: give one of local, s3, gcs, azure, swift, b2 or rest"},
        {{"--appbinding=db", "--provider=local"}, "backend local needs its mount path: give --bucket"},
        {{"--appbinding=db", "--provider=swift"}, "backend swift needs its container: give --bucket"},
    };
    static const char *const none[] = {NULL}, *const help[] = {"restore-percona-xtradb", "--help", NULL};
    static const char *const no_secret[] = {"restore-percona-xtradb", "--appbinding=db", "--provider=local",
                                            "--bucket=/b", NULL};
    struct here *h = *state;
    struct support_program p;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *argv[] = {"restore-percona-xtradb", rows[i].flags[0], rows[i].flags[1], NULL};

        support_program_run(&p, restore_main, &h->job, argv, none);
        support_program_expect(&p, 2, rows[i].says);
    }
    support_program_run(&p, restore_main, &h->job, no_secret, none);
    support_program_expect(&p, 2, "--storage-secret-name is missing: give the name of the Secret with the backend's "
                                  "keys, or mount it at STASH_STORAGE_SECRET_DIR\n");
    support_program_run(&p, restore_main, &h->job, help, none);
    assert_non_null(strstr(p.out, " --appbinding=NAME --provider=PROVIDER --storage-secret-name=NAME [flags]\n"));
    assert_non_null(strstr(p.out, "keys (required, unless it is mounted at STASH_STORAGE_SECRET_DIR)\n"));
}

/* A dump of 3 MB, more than pipes hold; a stream that is cut after a whole chunk; something else; with manifests. */
static int make_repository(void **state)
{
    AUTO_FREE char *line = NULL, *corpus = mem_printf("%s/../../fuzz/corpus", TEST_DATA);

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    support_restic_make(folder, "pw");
    line = mem_printf(
        SUPPORT_RESTIC_SHELL
        "set -- %s; cd %s && mkdir secret && printf pw >secret/RESTIC_PASSWORD && "
        "export RESTIC_REPOSITORY=%s/repo RESTIC_PASSWORD=pw && "
        "{ yes 'INSERT INTO t' | head -c 3000000 | restic backup --stdin "
        "--stdin-filename dumpfile.sql --host dump && restic backup --stdin --stdin-filename "
        "xtrabackup.stream --host stream --tag stash.server=10.11.8-MariaDB <$1/xbstream/open_file && "
        "echo x | restic backup --stdin --stdin-filename something --host other && "
        "dump() { echo x | restic backup --stdin --stdin-filename dumpfile.sql --host $1 --tag "
        "stash.target=AppBinding/demo/$2,stash.server=$3; } && "
        "told() { restic backup --stdin --stdin-filename dumpfile.sql --host $1 --tag stash.manifest=1 <$2; } && "
        "told told $1/manifest/dump && told cut $1/manifest/dump_cut && told miscounted $1/manifest/dump_miscounted && "
        "dump lone b theirs && dump shared db ours && dump shared b theirs && dump strange a x && dump strange b x && "
        "dump two db of-red,stash.cluster=red && dump two db of-blue,stash.cluster=blue && "
        "dump lost db of-nobody && dump lost db of-red,stash.cluster=red && "
        "dump mixed db of-red,stash.cluster=red && dump mixed b of-blue,stash.cluster=blue; } >log 2>&1 || "
        "{ cat log; false; }",
        corpus, folder, folder);
    return system(line) == 0 ? 0 : -1;
}

static int remove_repository(void **state)
{
    (void)state;
    job_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_snapshot_holds_decides_how_it_is_restored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_latest_of_a_shared_host_is_our_own_or_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_log_says_whose_the_latest_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_latest_is_our_clusters_or_that_of_the_only_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_bytes_reach_the_program_and_then_its_input_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_that_dies_early_ends_the_restore, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_never_sees_the_end_of_a_bad_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_differs_from_its_manifest_is_never_taken_for_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_ends_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_flags_are_said_before_it_connects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_missing_on_the_command_line_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_goes_into_the_file_and_without_one_into_the_exit_status, set_up,
                                        tear_down),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, make_repository, remove_repository);
}
