/* test_probe: what probe-storage-secret says of Secrets. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "controllers/job/job.h"
#include "controllers/job/probe.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_missing_thing_is_named_with_its_remedy),
        cmocka_unit_test(the_exit_status_tells_a_missing_key_from_other_failures),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
