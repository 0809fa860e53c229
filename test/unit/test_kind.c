/* test_kind: the table of kinds and the paths made from it. */
#include "test.h"

#include "core/base/mem.h"
#include "k8s/kind.h"

static void every_kind_is_found_by_its_own_names(void **state)
{
    (void)state;
    for (int id = 0; id < N_KINDS; id++) {
        const struct kind *k = kind_get((enum kind_id)id);
        char version[128];

        assert_int_equal(k->id, id);
        assert_ptr_equal(kind_find(str_of(kind_api_version(k, version)), str_of(k->name)), k);
        assert_ptr_equal(kind_find_name(str_of(k->group), str_of(k->name)), k);
        for (size_t i = 0; i < k->n_fields; i++)
            assert_non_null(k->fields[i]);
        if (k->fields)
            assert_null(k->fields[k->n_fields]);
    }
}

static void a_kind_of_another_version_or_group_is_not_found(void **state)
{
    (void)state;
    assert_null(kind_find(STR("stash.appscode.com/v1alpha1"), STR("BackupSession")));
    assert_null(kind_find(STR("v1"), STR("Job")));
    assert_null(kind_find(STR(""), STR("Pod")));
    assert_null(kind_find(STR_NONE, STR("Pod")));
    assert_null(kind_find(STR("batch/v1/x"), STR("Job")));
    assert_null(kind_find_name(STR("apps"), STR("Job")));
}

static void paths_have_the_forms_of_the_api(void **state)
{
    static const struct {
        enum kind_id id;
        const char *ns, *name, *sub, *path;
    } cases[] = {
        {KIND_POD, NULL, NULL, NULL, "/api/v1/pods"},
        {KIND_POD, "demo", NULL, NULL, "/api/v1/namespaces/demo/pods"},
        {KIND_POD, "demo", "p-0", "log", "/api/v1/namespaces/demo/pods/p-0/log"},
        {KIND_NAMESPACE, NULL, "demo", NULL, "/api/v1/namespaces/demo"},
        {KIND_NAMESPACE, "ignored", "demo", NULL, "/api/v1/namespaces/demo"},
        {KIND_BACKUPSESSION, "demo", "s", "status",
         "/apis/stash.appscode.com/v1beta1/namespaces/demo/backupsessions/s/status"},
        {KIND_TASK, NULL, "percona-xtradb-backup-5.7", NULL,
         "/apis/stash.appscode.com/v1beta1/tasks/percona-xtradb-backup-5.7"},
        {KIND_JOB, "demo", "a/../b?c", NULL, "/apis/batch/v1/namespaces/demo/jobs/a%2F..%2Fb%3Fc"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out;

        buf_init(&out, 1000);
        kind_path(kind_get(cases[i].id), cases[i].ns, cases[i].name, cases[i].sub, &out);
        assert_string_equal(out.data, cases[i].path);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_found_by_its_own_names),
        cmocka_unit_test(a_kind_of_another_version_or_group_is_not_found),
        cmocka_unit_test(paths_have_the_forms_of_the_api),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
