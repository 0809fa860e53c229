/* test_config: flags, environment and defaults of a settings table. */
#include "test.h"

#include <string.h>

#include "core/base/config.h"
#include "core/base/mem.h"

struct settings {
    const char *name;
    uint64_t workers;
    bool verbose;
    int64_t wait_ns;
    struct config_list labels;
};

static const struct config_item items[] = {
    {"name",     CFG_STRING,   offsetof(struct settings, name),    "x",   0, 0,    "a name"        },
    {"workers",  CFG_UINT,     offsetof(struct settings, workers), "4",   1, 64,   "passes at once"},
    {"verbose",  CFG_BOOL,     offsetof(struct settings, verbose), NULL,  0, 0,    "say more"      },
    {"wait-for", CFG_DURATION, offsetof(struct settings, wait_ns), "10s", 1, 3600, "patience"      },
    {"label",    CFG_LIST,     offsetof(struct settings, labels),  NULL,  0, 0,    "k=v"           },
};

static const struct config_spec spec = {
    .program = "prog", .usage = "[flags]", .about = "Does it.", .env_prefix = "PROG_", .items = items, .n_items = 5};

static int parse(struct settings *s, const char *const *envp, bool *given, struct error *e, int argc,
                 const char *const *argv)
{
    return config_parse(&spec, argc, argv, envp, s, NULL, given, e);
}

#define ARGS(...) ((const char *const[]){"prog", ##__VA_ARGS__, NULL})

static void flags_beat_the_environment_which_beats_defaults(void **state)
{
    const char *const envp[] = {"PROG_WORKERS=8",  "PROG_NAME=env", "PROG_WAIT_FOR=1m",
                                "PROG_LABEL=env", "OTHER=1",       NULL};
    struct settings s;
    bool given[5] = {false};
    struct error e;

    (void)state;
    assert_int_equal(parse(&s, envp, given, &e, 6, ARGS("--name=flag", "--verbose", "--label=a=1", "--label", "b=2")),
                     0);
    assert_string_equal(s.name, "flag");
    assert_int_equal(s.workers, 8);
    assert_true(s.verbose);
    assert_true(s.wait_ns == 60000000000);
    assert_int_equal(s.labels.n, 2);
    assert_string_equal(s.labels.items[1], "b=2");
    assert_true(given[0] && !given[1]);
    config_done(&spec, &s);
}

static void wrong_input_stops_with_the_flag_and_the_reason(void **state)
{
    static const char *const cases[][2] = {
        {"--workers=0",     "--workers: 0 is not from 1 to 64"},
        {"--workers=many",  "not a whole number"              },
        {"--verbose=maybe", "neither true nor false"          },
        {"--wait-for=2d",   "unknown unit"                    },
        {"--wait-for=2h",   "2h0m0s is not from 1s to 1h0m0s" },
        {"--nmae=x",        "unknown flag --nmae"             },
        {"--name",          "needs a value"                   },
        {"-v",              "unknown flag -v"                 },
        {"-h",              "unknown flag -h"                 }, /* this table has no help */
        {"word",            "unexpected word"                 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings s;
        struct error e = {0};

        assert_int_equal(parse(&s, NULL, NULL, &e, 2, ARGS(cases[i][0])), ERR_INVALID);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i][0], e.msg, cases[i][1]);
    }
}

static void a_short_h_asks_for_help(void **state)
{
    static const struct config_item help_item = {"help", CFG_BOOL, 0, NULL, 0, 0, "this text"};
    const struct config_spec with_help = {.program = "prog", .items = &help_item, .n_items = 1};
    bool help = false;

    (void)state;
    assert_int_equal(config_parse(&with_help, 2, ARGS("-h"), NULL, &help, NULL, NULL, NULL), 0);
    assert_true(help);
}

static void words_and_lists_are_given_back_without_leaks(void **state)
{
    size_t before = mem_live();
    struct config_list words;
    struct settings s;

    (void)state;
    assert_int_equal(config_parse(&spec, 5, ARGS("a", "--label=x", "--", "--name"), NULL, &s, &words, NULL, NULL), 0);
    assert_int_equal(words.n, 2);
    assert_string_equal(words.items[1], "--name");
    mem_free(words.items);
    config_done(&spec, &s);
    assert_int_equal(mem_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_beat_the_environment_which_beats_defaults),
        cmocka_unit_test(wrong_input_stops_with_the_flag_and_the_reason),
        cmocka_unit_test(a_short_h_asks_for_help),
        cmocka_unit_test(words_and_lists_are_given_back_without_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
