/* test_model_patch: the four kinds of patch. Each row: the
 * object's spec, the patch, the spec it makes ("" : refused). */
#include "test.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/patch.h"

struct row {
    const char *from, *patch, *to;
};

static void assert_rows(bool builtin, const char *type, const struct row *rows, size_t n)
{
    struct resource r = {.builtin = builtin};
    size_t live = mem_live();

    for (size_t i = 0; i < n; i++) {
        json_t *from = json_loads(rows[i].from, 0, NULL), *patch = json_loads(rows[i].patch, 0, NULL);
        json_t *to = json_loads(rows[i].to, 0, NULL), *got = NULL;
        struct error e;
        int rc = patch_apply(&r, str_of(type), from, patch, &got, &e);

        if ((rc == 0) != (to != NULL) || (to && !json_equal(got, to))) {
            char *text = got ? json_dumps(got, JSON_COMPACT) : NULL;

            print_error("%s: %s with %s: %s\n", type, rows[i].from, rows[i].patch, text ? text : e.msg);
            mem_free(text);
            fail();
        }
        assert_true(rc == 0 || *e.msg);
        json_decref(from);
        json_decref(patch);
        json_decref(to);
        json_decref(got);
    }
    assert_int_equal(mem_live(), live);
}

#define ASSERT_ROWS(builtin, type, rows) assert_rows(builtin, type, rows, sizeof(rows) / sizeof((rows)[0]))

/* The examples of RFC 7386, appendix A, as far as their target and patch are objects. */
static void merge_patch_does_what_its_rfc_shows(void **state)
{
    static const struct row rows[] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {"{\"a\":1}", "[]", ""},
    };

    (void)state;
    ASSERT_ROWS(false, "application/merge-patch+json", rows);
    ASSERT_ROWS(true, "application/merge-patch+json", rows);
}

/* Each operation copies the whole into itself: 40 of them would make 2^40 objects. */
static void copies_of_copies_end(void **state)
{
    struct resource r = {.builtin = true};
    json_t *from = json_pack("{s:s}", "a", "b"), *patch = json_array(), *got = NULL;
    struct error e;

    (void)state;
    for (int i = 0; i < 40; i++) {
        char path[8];

        (void)snprintf(path, sizeof(path), "/c%d", i);
        json_array_append_new(patch, json_pack("{s:s, s:s, s:s}", "op", "copy", "from", "", "path", path));
    }
    assert_int_equal(patch_apply(&r, STR("application/json-patch+json"), from, patch, &got, &e), PATCH_INVALID);
    assert_non_null(strstr(e.msg, "copy of /c"));
    while (json_array_size(patch) > 16)
        json_array_remove(patch, 16);
    assert_int_equal(patch_apply(&r, STR("application/json-patch+json"), from, patch, &got, &e), 0);
    json_decref(got);
    json_decref(from);
    json_decref(patch);
}

static void json_patch_does_each_operation(void **state)
{
    static const struct row rows[] = {
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]", "{\"a\":1,\"b\":2}"},
        {"{\"a\":[1,3]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":2}]", "{\"a\":[1,2,3]}"},
        {"{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":2}]", "{\"a\":[1,2]}"},
        {"{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/3\",\"value\":2}]", ""},
        {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{}"},
        {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", ""},
        {"{\"a\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/a/0\"}]", "{\"a\":[2]}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":{}}]", "{\"a\":{}}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]", ""},
        {"{\"a\":[1,2]}", "[{\"op\":\"replace\",\"path\":\"/a/1\",\"value\":9}]", "{\"a\":[1,9]}"},
        {"{\"a\":{\"x\":1}}", "[{\"op\":\"move\",\"from\":\"/a/x\",\"path\":\"/y\"}]", "{\"a\":{},\"y\":1}"},
        {"{\"a\":{\"x\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/x\"}]", ""},
        {"{\"a\":[1]}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"a\":[1],\"b\":[1]}"},
        {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1},{\"op\":\"add\",\"path\":\"/b\",\"value\":1}]",
         "{\"a\":1,\"b\":1}"},
        {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2},{\"op\":\"add\",\"path\":\"/b\",\"value\":1}]",
         ""},
        {"{\"a/b\":{\"c~d\":1}}", "[{\"op\":\"replace\",\"path\":\"/a~1b/c~0d\",\"value\":2}]",
         "{\"a/b\":{\"c~d\":2}}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"z\":1}}]", "{\"z\":1}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":3}]", ""},
        {"{\"a\":1}", "[{\"op\":\"frob\",\"path\":\"/a\",\"value\":3}]", ""},
        {"{\"a\":1}", "[{\"op\":\"add\",\"value\":3}]", ""},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"b\",\"value\":3}]", ""},
        {"{\"a\":1}", "{}", ""},
    };

    (void)state;
    ASSERT_ROWS(false, "application/json-patch+json", rows);
}

static void strategic_patch_merges_lists_by_key(void **state)
{
    static const struct row rows[] = {
        {"{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\"}]}",
         "{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"c\"}]}",
         "{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"b\"},{\"name\":\"c\"}]}"},
        {"{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
         "{\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}", "{\"containers\":[{\"name\":\"b\"}]}"},
        {"{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
         "{\"$setElementOrder/"
         "containers\":[{\"name\":\"b\"},{\"name\":\"a\"}],\"containers\":[{\"name\":\"a\",\"tty\":true}]}",
         "{\"containers\":[{\"name\":\"b\"},{\"name\":\"a\",\"tty\":true}]}"},
        {"{\"containers\":[{\"name\":\"a\"}]}", "{\"containers\":[{\"$patch\":\"replace\"},{\"name\":\"z\"}]}",
         "{\"containers\":[{\"name\":\"z\"}]}"},
        {"{\"containers\":[]}", "{\"containers\":[{\"image\":\"x\"}]}", ""},
        {"{\"args\":[\"a\"]}", "{\"args\":[\"b\"]}", "{\"args\":[\"b\"]}"},
        {"{\"finalizers\":[\"a\",\"b\"]}", "{\"finalizers\":[\"c\",\"a\"]}", "{\"finalizers\":[\"a\",\"b\",\"c\"]}"},
        {"{\"finalizers\":[\"a\",\"b\"]}", "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}",
         "{\"finalizers\":[\"b\"]}"},
        {"{\"ports\":[{\"port\":80,\"x\":1}]}", "{\"ports\":[{\"port\":80,\"y\":1},{\"port\":81}]}",
         "{\"ports\":[{\"port\":80,\"x\":1,\"y\":1},{\"port\":81}]}"},
        {"{\"ports\":[{\"containerPort\":80}]}", "{\"ports\":[{\"containerPort\":80,\"name\":\"h\"}]}",
         "{\"ports\":[{\"containerPort\":80,\"name\":\"h\"}]}"},
        {"{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}",
         "{\"volumes\":[{\"name\":\"v\",\"$retainKeys\":[\"name\",\"secret\"],\"secret\":{\"secretName\":\"s\"}}]}",
         "{\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"s\"}}]}"},
        {"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"$patch\":\"replace\",\"d\":3}}", "{\"a\":{\"d\":3}}"},
        {"{\"a\":{\"b\":1},\"c\":2}", "{\"a\":{\"$patch\":\"delete\"},\"c\":null}", "{}"},
        {"{}", "{\"a\":{\"b\":null,\"c\":{\"d\":1}}}", "{\"a\":{\"c\":{\"d\":1}}}"},
    };
    static const struct row refused[] = {{"{}", "{}", ""}};

    (void)state;
    ASSERT_ROWS(true, "application/strategic-merge-patch+json", rows);
    ASSERT_ROWS(false, "application/strategic-merge-patch+json", refused);
    ASSERT_ROWS(true, "text/plain", refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_patch_does_what_its_rfc_shows),
        cmocka_unit_test(json_patch_does_each_operation),
        cmocka_unit_test(copies_of_copies_end),
        cmocka_unit_test(strategic_patch_merges_lists_by_key),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
