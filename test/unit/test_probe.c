/* test_probe: what probe-storage-secret says of Secrets. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "controllers/job/job.h"
#include "controllers/job/probe.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "support_program.h"

static void each_missing_thing_is_named_with_its_remedy(void **state)
{
    static const struct {
        const char *provider, *keys, *says;
    } rows[] = {
        {"local", "RESTIC_PASSWORD", NULL},
        {"s3", "RESTIC_PASSWORD AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY", NULL},
        {"local", "", "Secret demo/s not found: create it with kubectl -n demo create secret generic s"},
        {"local", "OTHER", "Secret demo/s has no key RESTIC_PASSWORD: add it with kubectl -n demo edit secret s"},
        {"b2", "RESTIC_PASSWORD", "Secret demo/s has no key B2_ACCOUNT_ID, which backend b2 needs: add it"},
        {"nfs", "RESTIC_PASSWORD", "--provider=nfs is no backend: give one of local, s3, "},
    };
    size_t live = mem_live();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secrets s = {0};
        struct str rest = str_of(rows[i].keys), key;
        struct error e = {0};
        int rc;

        while (rest.n && str_cut(&rest, ' ', &key)) {
            AUTO_FREE char *name = mem_strndup(key.p, key.n);

            assert_int_equal(secrets_set(&s, name, STR("x"), &e), 0);
        }
        rc = probe_check(&s, rows[i].provider, "demo", "s", &e);
        if (rows[i].says && !strstr(e.msg, rows[i].says))
            fail_msg("row %zu: %s", i, e.msg);
        assert_int_equal(rc, rows[i].says ? ERR_INVALID : 0);
        secrets_done(&s);
    }
    assert_int_equal(mem_live(), live);
}

static void the_exit_status_tells_a_missing_key_from_other_failures(void **state)
{
    char dir[] = "/tmp/test-probe-XXXXXX";
    const char *argv[] = {"probe-storage-secret", "--provider=local", "--storage-secret-name=s",
                          "--storage-secret-namespace=demo", NULL};
    const char *wrong[] = {"probe-storage-secret", "--no-such-flag", NULL};
    const char *none[] = {NULL};
    size_t live = mem_live();
    struct error e;

    (void)state;
    assert_non_null(mkdtemp(dir));
    {
        AUTO_FREE char *variable = mem_printf("STASH_STORAGE_SECRET_DIR=%s", dir),
                       *key = mem_printf("%s/RESTIC_PASSWORD", dir);
        const char *envp[] = {variable, NULL};

        assert_int_equal(probe_main(NULL, 4, argv, envp), PROBE_EXIT_MISSING);
        assert_int_equal(env_uv_write_file(key, STR("pw"), 0600, false, &e), 0);
        assert_int_equal(probe_main(NULL, 4, argv, envp), 0);
        assert_int_equal(env_uv_write_file(key, STR(""), 0600, false, &e), 0);
        assert_int_equal(probe_main(NULL, 4, argv, envp), PROBE_EXIT_MISSING);
    }
    assert_int_equal(probe_main(NULL, 4, argv, none), 1);
    assert_int_equal(probe_main(NULL, 2, wrong, none), 2);
    job_remove(dir);
    assert_int_equal(mem_live(), live);
}

static void both_names_and_the_provider_are_required(void **state)
{
    static const struct {
        const char *flags[3], *says;
    } rows[] = {
        {{"--provider=local"}, "--storage-secret-name is missing"},
        {{"--provider=local", "--storage-secret-name=s"}, "--storage-secret-namespace is missing"},
        {{"--provider=local", "--storage-secret-namespace=demo"}, "--storage-secret-name is missing"},
        {{"--storage-secret-name=s", "--storage-secret-namespace=demo"}, "--provider is missing: give one of local"},
        {{"--provider=ftp", "--storage-secret-name=s", "--storage-secret-namespace=demo"},
         "--provider=ftp is no backend: give one of local, s3, gcs, azure, swift, b2 or rest"},
    };
    static const char *const none[] = {NULL}, *const help[] = {"probe-storage-secret", "--help", NULL};
    const char *envp[] = {"STASH_STORAGE_SECRET_DIR=/nowhere", NULL};
    struct support_program p;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *argv[] = {"probe-storage-secret", rows[i].flags[0], rows[i].flags[1], rows[i].flags[2], NULL};

        support_program_run(&p, probe_main, NULL, argv, envp);
        support_program_expect(&p, 2, rows[i].says);
        assert_true(str_starts(str_of(p.err), STR("stash-job probe-storage-secret: ")));
    }
    support_program_run(&p, probe_main, NULL, help, none);
    assert_non_null(strstr(p.out, "usage: stash-job probe-storage-secret --provider=PROVIDER --storage-secret-name="
                                  "NAME --storage-secret-namespace=NAMESPACE [flags]\n"));
    assert_non_null(strstr(p.out, "its namespace (required)"));
}

/* The Jobs of a Repository's data may be run by hand without the names: then it does not speak of a Secret "/". */
static void without_a_name_no_secret_is_named(void **state)
{
    struct secrets s = {0};
    struct error e;

    (void)state;
    assert_int_equal(probe_check(&s, "local", "", "", &e), ERR_INVALID);
    assert_string_equal(e.msg, "there is no storage Secret at STASH_STORAGE_SECRET_DIR: mount it there");
    assert_int_equal(secrets_set(&s, "x", STR("x"), &e), 0);
    assert_int_equal(probe_check(&s, "local", "", "", &e), ERR_INVALID);
    assert_string_equal(e.msg, "the storage Secret has no key RESTIC_PASSWORD: add it");
    secrets_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_missing_thing_is_named_with_its_remedy),
        cmocka_unit_test(the_exit_status_tells_a_missing_key_from_other_failures),
        cmocka_unit_test(both_names_and_the_provider_are_required),
        cmocka_unit_test(without_a_name_no_secret_is_named),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
