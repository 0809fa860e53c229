/* substitute: the grammar of ${}, and what a tenant's value may not do. */
#include "test.h"

#include <string.h>

#include "controllers/substitute.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

struct fixture {
    struct arena arena;
    struct variables vars;
    struct error e;
    size_t live;
};

static int setup(void **state)
{
    static struct fixture f;

    mem_install(1);
    f.live = mem_live();
    arena_init(&f.arena);
    variables_init(&f.vars, &f.arena, NULL);
    variables_set(&f.vars, "A", "one", false);
    variables_set(&f.vars, "EMPTY", "", false);
    variables_set(&f.vars, "DOLLAR", "${A}", false);
    variables_set(&f.vars, "Größe", "groß", false);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_done(&f->arena);
    assert_int_equal(mem_live(), f->live);
    return 0;
}

static void gives(struct fixture *f, const char *text, const char *want)
{
    const char *got = NULL;

    if (substitute_text(&f->vars, str_of(text), PLACE_FREE, "field", &got, NULL, &f->e) < 0)
        fail_msg("%s: %s", text, f->e.msg);
    assert_string_equal(got, want);
}

static void fails_in(struct fixture *f, const char *text, enum substitute_place place, const char *why)
{
    const char *got = NULL;

    if (substitute_text(&f->vars, str_of(text), place, "image", &got, NULL, &f->e) == 0)
        fail_msg("%s gives %s", text, got);
    assert_string_equal(f->e.msg, why);
}

static void fails(struct fixture *f, const char *text, const char *why)
{
    fails_in(f, text, PLACE_FREE, why);
}

static void a_variable_gives_its_value(void **state)
{
    gives(*state, "${A}", "one");
    gives(*state, "x${A}y${EMPTY}z", "xoneyz");
    gives(*state, "${Größe}", "groß");
    gives(*state, "", "");
}

static void a_default_is_for_variables_that_do_not_exist(void **state)
{
    gives(*state, "${A:=two} ${A:-two} ${A=two}", "one one one");
    gives(*state, "${B:=two} ${B:-two} ${B=two}", "two two two");
    gives(*state, "${EMPTY:=two}", "");
    gives(*state, "${B:=}", "");
}

static void a_word_may_hold_variables(void **state)
{
    gives(*state, "${B:=x${A}y}", "xoney");
    gives(*state, "${B:=${C:=${A}}}", "one");
    gives(*state, "${B:=a:=b=c}", "a:=b=c");
    fails(*state, "${A:=${B}}", "input/default value not found for key B");
}

static void dollars_that_are_no_variable_stay(void **state)
{
    gives(*state, "$A $(A) $ a$", "$A $(A) $ a$");
    gives(*state, "$${A} $$", "${A} $");
    gives(*state, "} {}", "} {}");
}

static void results_are_not_scanned_again(void **state)
{
    gives(*state, "${DOLLAR}", "${A}");
}

static void mistakes_have_upstreams_texts(void **state)
{
    fails(*state, "${B}", "input/default value not found for key B");
    fails(*state, "${}", "unable to parse variable name");
    fails(*state, "${ A}", "unable to parse variable name");
    fails(*state, "${A", "missing closing brace");
    fails(*state, "${A:", "missing closing brace");
    fails(*state, "${A:=x", "missing closing brace");
    fails(*state, "${A-x}", "missing closing brace");
    fails(*state, "${A?x}", "missing closing brace");
    fails(*state, "${A+x}", "missing closing brace");
}

static void other_operators_are_refused(void **state)
{
    static const char *const texts[] = {"${A:?w}", "${A:+w}", "${#A}", "${A#p}", "${A##p}", "${A%p}", "${A%%p}",
                                        "${A/p/s}", "${A//p/s}", "${A,}", "${A,,}", "${A^}", "${A^^}", "${A:1}",
                                        "${A:1:2}"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        fails(*state, texts[i], "unsupported substitution");
}

static void nesting_and_sizes_have_caps(void **state)
{
    struct fixture *f = *state;
    char *big = mem_zalloc(LIMIT_PARAM + 2), *text = mem_zalloc(LIMIT_STRING);

    gives(f, "${Q:=${Q:=${Q:=${Q:=${Q:=${Q:=${Q:=${Q:=x}}}}}}}}", "x");
    fails(f, "${Q:=${Q:=${Q:=${Q:=${Q:=${Q:=${Q:=${Q:=${Q:=x}}}}}}}}}", "more than 8 levels of ${}");
    memset(big, 'a', LIMIT_PARAM + 1);
    variables_set(&f->vars, "big", big, true)->is_param = true;
    fails(f, "${big}", "task parameter \"big\" is over 4096 bytes");
    big[LIMIT_PARAM] = '\0';
    variables_set(&f->vars, "big", big, true)->is_param = true;
    gives(f, "${big}", big);
    for (int i = 0; i < 17; i++)
        memcpy(text + (size_t)i * 6, "${big}", 6);
    fails(f, text, "over 65536 bytes after substitution");
    mem_free(big);
    mem_free(text);
}

static void upper_layers_win(void **state)
{
    struct fixture *f = *state;
    struct variables top;
    const char *got;

    variables_init(&top, &f->arena, &f->vars);
    variables_set(&top, "A", "top", false);
    assert_int_equal(substitute_text(&top, STR("${A} ${EMPTY}"), PLACE_FREE, "", &got, NULL, NULL), 0);
    assert_string_equal(got, "top ");
}

static void a_tenants_value_stays_out_of_images(void **state)
{
    struct fixture *f = *state;

    variables_set(&f->vars, "x", "evil/image", true)->is_param = true;
    variables_set(&f->vars, "TARGET_NAME", "db", true);
    fails_in(f, "${x}", PLACE_PLATFORM, "task parameter \"x\" may not be used in image");
    fails_in(f, "a/${TARGET_NAME}", PLACE_PLATFORM, "variable \"TARGET_NAME\" may not be used in image");
    fails_in(f, "${NONE:=${x}}", PLACE_PLATFORM, "task parameter \"x\" may not be used in image");
}

static void a_tenants_value_makes_no_new_option(void **state)
{
    struct fixture *f = *state;
    const char *got;

    variables_set(&f->vars, "x", "--evil", true)->is_param = true;
    fails_in(f, "${x}", PLACE_ITEM, "task parameter \"x\" may not begin with '-' here: it would be a new option");
    fails_in(f, "${EMPTY}${x}", PLACE_ITEM,
             "task parameter \"x\" may not begin with '-' here: it would be a new option");
    assert_int_equal(substitute_text(&f->vars, STR("--args=${x}"), PLACE_ITEM, "", &got, NULL, &f->e), 0);
    assert_string_equal(got, "--args=--evil");
}

static void mounts_of_tenants_stay_off_our_folders(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(substitute_check_mount("/var/lib/mysql", &e), 0);
    assert_int_equal(substitute_check_mount("/stash-data", &e), 0);
    assert_int_equal(substitute_check_mount("/stash", &e), ERR_INVALID);
    assert_int_equal(substitute_check_mount("/stash/x", &e), ERR_INVALID);
    assert_int_equal(substitute_check_mount("/./stash-secrets//storage", &e), ERR_INVALID);
    assert_string_equal(e.msg, "mountPath \"/./stash-secrets//storage\" may not be at or under /stash-secrets");
    assert_int_equal(substitute_check_mount("/var/run/secrets/kubernetes.io", &e), ERR_INVALID);
    assert_int_equal(substitute_check_mount("/proc/1", &e), ERR_INVALID);
    assert_int_equal(substitute_check_mount("/usr/local/bin", &e), ERR_INVALID);
    assert_int_equal(substitute_check_mount("/libexec", &e), 0);
    assert_int_equal(substitute_check_mount("/a/../proc", &e), ERR_INVALID);
    assert_int_equal(substitute_check_mount("data", &e), ERR_INVALID);
    assert_int_equal(substitute_check_mount("/", &e), ERR_INVALID);
    assert_int_equal(substitute_check_subpath("a/b", &e), 0);
    assert_int_equal(substitute_check_subpath("/a", &e), ERR_INVALID);
    assert_int_equal(substitute_check_subpath("a/../b", &e), ERR_INVALID);
}

static void client_words_lead_nowhere_else(void **state)
{
    static const char *const bad[] = {"--host=evil", "--hos evil", "--all-databases --defaults-file=/x", "-hevil",
                                      "-vh evil", "--ho'st'=x", "\"--socket\" /x", "--plugin_dir=/x", "-T /tmp",
                                      "--loose-host=x", "\\--tab=/x", "-r/tmp/x", "--result-file=/x"};
    static const char *const good[] = {"--all-databases", "--databases a b", "-uroot", "-P3307", "--hex-blob",
                                       "--tables=x", "--where='a -h b'", "",
                                       "--single-transaction --set-gtid-purged=OFF"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (substitute_check_client_args(bad[i], &f->e) == 0)
            fail_msg("allowed: %s", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (substitute_check_client_args(good[i], &f->e) < 0)
            fail_msg("refused: %s: %s", good[i], f->e.msg);
    variables_set(&f->vars, "args", "--ho", true)->is_param = true;
    variables_set(&f->vars, "more", "st=evil", true)->is_param = true;
    fails_in(f, "--xtradb-args=${args}${more}", PLACE_ITEM, "option --host is not allowed");
}

static void a_tree_changes_only_in_its_values(void **state)
{
    struct fixture *f = *state;
    json_t *tree = json_loads("{\"image\":\"i:${A}\",\"args\":[\"run\",\"--v=${x}\"],\"${A}\":1,"
                              "\"volumeMounts\":[{\"name\":\"n\",\"mountPath\":\"${p}\"}],\"ports\":[null,true,5]}",
                              0, NULL);
    json_t *want = json_loads("{\"image\":\"i:one\",\"args\":[\"run\",\"--v=\\\"},{\\\\\"],\"${A}\":1,"
                              "\"volumeMounts\":[{\"name\":\"n\",\"mountPath\":\"/data\"}],\"ports\":[null,true,5]}",
                              0, NULL);
    json_t *got;

    variables_set(&f->vars, "x", "\"},{\\", true);
    variables_set(&f->vars, "p", "/data", true);
    got = substitute_tree(&f->vars, tree, TREE_FUNCTION, &f->e);
    assert_non_null(got);
    assert_true(json_equal(got, want));
    json_decref(got);
    variables_set(&f->vars, "p", "/stash-secrets", true);
    assert_null(substitute_tree(&f->vars, tree, TREE_FUNCTION, &f->e));
    assert_string_equal(f->e.msg, "volumeMounts[0].mountPath: mountPath \"/stash-secrets\" may not be at or under "
                                  "/stash-secrets");
    json_decref(tree);
    json_decref(want);
}

static void the_program_is_the_platforms(void **state)
{
    struct fixture *f = *state;
    json_t *tree = json_loads("{\"command\":[\"${x}\",\"b\"]}", 0, NULL);

    variables_set(&f->vars, "x", "sh", true)->is_param = true;
    assert_null(substitute_tree(&f->vars, tree, TREE_FUNCTION, &f->e));
    assert_string_equal(f->e.msg, "command[0]: task parameter \"x\" may not be used in command[0]");
    json_decref(tree);
    tree = json_loads("{\"command\":[\"b\",\"${x}\"]}", 0, NULL);
    json_decref(substitute_tree(&f->vars, tree, TREE_FUNCTION, &f->e));
    json_decref(tree);
    tree = json_loads("[{\"name\":\"v\",\"secret\":{\"secretName\":\"${x}\"}}]", 0, NULL);
    assert_null(substitute_tree(&f->vars, tree, TREE_VOLUMES, &f->e));
    json_decref(tree);
    tree = json_loads("[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"${x}\"}}]", 0, NULL);
    json_decref(substitute_tree(&f->vars, tree, TREE_VOLUMES, &f->e));
    json_decref(tree);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_variable_gives_its_value),
        T(a_default_is_for_variables_that_do_not_exist),
        T(a_word_may_hold_variables),
        T(dollars_that_are_no_variable_stay),
        T(results_are_not_scanned_again),
        T(mistakes_have_upstreams_texts),
        T(other_operators_are_refused),
        T(nesting_and_sizes_have_caps),
        T(upper_layers_win),
        T(a_tenants_value_stays_out_of_images),
        T(a_tenants_value_makes_no_new_option),
        T(mounts_of_tenants_stay_off_our_folders),
        T(client_words_lead_nowhere_else),
        T(a_tree_changes_only_in_its_values),
        T(the_program_is_the_platforms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
