/* test_wipe: `stash-job wipe-repository` on real repositories. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controllers/job/job.h"
#include "controllers/job/maintain.h"
#include "controllers/job/wipe.h"
#include "controllers/repository_jobs.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "support_program.h"
#include "support_restic.h"

struct here {
    struct env *env;
    struct job job;
    char dir[64];
    size_t live;
};

static void shell(struct here *w, const char *script)
{
    AUTO_FREE char *line = mem_printf(SUPPORT_RESTIC_SHELL "cd %s && export RESTIC_REPOSITORY=$PWD/repo "
                                      "RESTIC_PASSWORD=pw && { %s; } >/dev/null 2>&1", w->dir, script);

    assert_int_equal(system(line), 0);
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct here *w = mem_zalloc(sizeof(*w));

    w->live = live;
    w->env = env_uv_new();
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-wipe-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    job_init(&w->job, w->env, w->dir, w->dir);
    w->job.log.min = LOG_ERROR + 1;
    shell(w, "mkdir secret && echo -n pw >secret/RESTIC_PASSWORD");
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct here *w = *state;
    size_t live = w->live;

    job_done(&w->job);
    env_uv_free(w->env);
    job_remove(w->dir);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static int run(struct here *w, const char *backend)
{
    AUTO_FREE char *flag = mem_printf("--backend=%s", backend),
                   *scratch = mem_printf("--scratch-dir=%s/scratch", w->dir);
    AUTO_FREE char *secret = mem_printf("STASH_STORAGE_SECRET_DIR=%s/secret", w->dir);
    const char *argv[] = {"wipe-repository", flag, "--storage-secret-name=s", "--storage-secret-namespace=demo",
                          scratch,           NULL};
    const char *envp[] = {secret, NULL};

    return wipe_main(&w->job, 5, argv, envp);
}

static int run_local(struct here *w)
{
    AUTO_FREE char *backend = mem_printf("{\"local\":{\"mountPath\":\"%s/repo\"},\"storageSecretName\":\"s\"}", w->dir);

    return run(w, backend);
}

static void all_snapshots_and_their_data_go(void **state)
{
    struct here *w = *state;

    support_restic_make(w->dir, "pw");
    shell(w, "head -c 3000000 /dev/urandom >data; restic backup data; restic backup --host other secret");
    assert_int_equal(run_local(w), 0);
    shell(w, "[ $(ls repo/snapshots | wc -l) = 0 ] && [ $(find repo/data -type f | wc -l) = 0 ] && [ -e repo/config ]");
    assert_int_equal(run_local(w), 0); /* again: nothing is left to do */
}

static void what_an_interrupted_wipe_left_is_freed(void **state)
{
    struct here *w = *state;

    support_restic_make(w->dir, "pw");
    shell(w, "head -c 3000000 /dev/urandom >data; restic backup data; restic forget $(ls repo/snapshots)");
    assert_int_equal(run_local(w), 0);
    shell(w, "[ $(find repo/data -type f | wc -l) = 0 ]");
}

static void a_repository_that_never_was_is_wiped_already(void **state)
{
    struct here *w = *state;

    shell(w, "mkdir repo && echo precious >repo/file");
    assert_int_equal(run_local(w), 0);
    shell(w, "[ -e repo/file ]"); /* not ours */
}

static void a_wrong_password_and_a_missing_secret_are_no_success(void **state)
{
    struct here *w = *state;

    support_restic_make(w->dir, "pw");
    shell(w, "restic backup secret; echo -n other >secret/RESTIC_PASSWORD");
    assert_int_equal(run_local(w), 1);
    shell(w, "[ $(ls repo/snapshots | wc -l) = 1 ]; rm secret/RESTIC_PASSWORD");
    assert_int_equal(run_local(w), 4);
}

static void a_volume_that_is_not_mounted_is_no_success(void **state)
{
    assert_int_equal(run_local(*state), 1);
}

static int check(struct here *w)
{
    AUTO_FREE char *backend = mem_printf("--backend={\"local\":{\"mountPath\":\"%s/repo\"}}", w->dir),
                   *scratch = mem_printf("--scratch-dir=%s/scratch", w->dir),
                   *secret = mem_printf("STASH_STORAGE_SECRET_DIR=%s/secret", w->dir);
    const char *argv[] = {"check-repository", backend, scratch, NULL}, *envp[] = {secret, NULL};

    return maintain_check_main(&w->job, 3, argv, envp);
}

static void a_check_tells_damage_from_not_knowing(void **state)
{
    struct here *w = *state;

    support_restic_make(w->dir, "pw");
    shell(w, "head -c 100000 /dev/urandom >data && restic backup data");
    assert_int_equal(check(w), 0);
    shell(w, "find repo/data -type f -size +50k -delete"); /* not the tree, which restic would try to read for long */
    assert_int_equal(check(w), REPOSITORY_CHECK_DAMAGED);
    shell(w, "rm repo/config");
    assert_int_equal(check(w), 1);
}

static void flags_are_checked(void **state)
{
    struct here *w = *state;
    const char *argv[] = {"wipe-repository", NULL};

    assert_int_equal(wipe_main(&w->job, 1, argv, argv + 1), 2);
    assert_int_equal(run(w, "{"), 2);
    assert_int_equal(run(w, "{}"), 2);
}

/* Before anything is made or read. */
static void a_backend_that_is_none_is_said_with_its_remedy(void **state)
{
    static const struct {
        const char *backend, *says;
    } rows[] = {
        {"{}", "--backend: no backend configured: it needs one of local, s3, gcs, azure, swift, b2 or rest"},
        {"{\"ftp\":{}}", "--backend: no backend configured: it needs one of local, s3, gcs, azure, swift, b2 or rest"},
        {"{bad", "--backend is no JSON: give the Repository's spec.backend, such as {\"local\":{\"mountPath\":"
                 "\"/repository\"}}"},
        {"{\"s3\":{\"bucket\":\"b\"}}", "--backend: backend s3 needs its endpoint: set spec.backend.s3.endpoint of the "
                                        "Repository"},
    };
    static const struct {
        const char *name;
        int (*main)(struct job *j, int argc, const char *const *argv, const char *const *envp);
    } programs[] = {{"wipe-repository", wipe_main},
                    {"prune-repository", maintain_prune_main},
                    {"check-repository", maintain_check_main},
                    {"unlock-repository", maintain_unlock_main}};
    struct here *w = *state;
    AUTO_FREE char *scratch = mem_printf("--scratch-dir=%s/scratch", w->dir);
    AUTO_FREE char *made = mem_printf("%s/scratch", w->dir);
    const char *none[] = {NULL};
    struct support_program p;

    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            AUTO_FREE char *flag = mem_printf("--backend=%s", rows[k].backend);
            AUTO_FREE char *says = mem_printf("stash-job %s: %s\n", programs[i].name, rows[k].says);
            const char *argv[] = {programs[i].name, flag, scratch, NULL};

            support_program_run(&p, programs[i].main, &w->job, argv, none);
            support_program_expect(&p, 2, says);
            assert_int_equal(access(made, F_OK), -1);
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        T(all_snapshots_and_their_data_go),
        T(what_an_interrupted_wipe_left_is_freed),
        T(a_repository_that_never_was_is_wiped_already),
        T(a_wrong_password_and_a_missing_secret_are_no_success),
        T(a_volume_that_is_not_mounted_is_no_success),
        T(a_check_tells_damage_from_not_knowing),
        T(flags_are_checked),
        T(a_backend_that_is_none_is_said_with_its_remedy),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
