/* test_stashd_settings: a wrong setting stops the start, with its flag and what is wanted. */
#include "test.h"

#include <string.h>

#include "core/cmd/stashd_settings.h"

static int check(int argc, const char *const *argv, struct stashd_settings *s, struct error *e)
{
    int rc = config_parse(&stashd_config, argc, argv, NULL, s, NULL, NULL, e);

    if (rc < 0)
        return rc;
    rc = stashd_settings_check(s, e);
    if (rc < 0)
        config_done(&stashd_config, s);
    return rc;
}

static void a_wrong_setting_stops_the_start(void **state)
{
    static const char *const cases[][2] = {
        {"--watch-namespaces=", "--watch-namespaces=: the name of one namespace"},
        {"--watch-namespaces=a,b", "--watch-namespaces=a,b: the name of one namespace"},
        {"--image=", "--image= is empty"},
        {"--image-pull-policy=Sometimes", "Always, IfNotPresent or Never"},
        {"--fullname=Foo_Bar", "--fullname=Foo_Bar: a-z"},
        {"--cluster-id=UP", "--cluster-id=UP: at most 63"},
        {"--metrics-address=foo", "--metrics-address=foo: an IP address"},
        {"--webhook-address=localhost", "--webhook-address=localhost: an IP address"},
        {"--pushgateway-mode=external", "needs --pushgateway-url"},
        {"--secrets-lending-namespaces=a", "needs --secrets-access=listed"},
        {"--jobs-pod-start-timeout=500ms", "0s is not from 1s to 8760h0m0s"},
        {"--trigger=cron", "operator or cronjob"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const argv[] = {"stashd", cases[i][0], NULL};
        struct stashd_settings s;
        struct error e = {0};

        assert_int_equal(check(2, argv, &s, &e), ERR_INVALID);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i][0], e.msg, cases[i][1]);
    }
}

static void what_the_chart_gives_is_right(void **state)
{
    static const char *const argv[] = {"stashd", "--watch-namespaces=demo", "--secrets-access=listed",
                                       "--secrets-lending-namespaces=a", "--secrets-lending-namespaces=b",
                                       "--metrics-address=::", "--pushgateway-mode=none",
                                       "--pushgateway-url=http://push:9091", NULL};
    struct stashd_settings s;
    struct operator_settings o;
    struct error e;

    (void)state;
    assert_int_equal(check(8, argv, &s, &e), 0);
    stashd_settings_operator(&s, &o);
    assert_int_equal(o.lend_to.n, 2);
    assert_string_equal(o.pushgateway_url, ""); /* nobody pushes */
    config_done(&stashd_config, &s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_setting_stops_the_start),
        cmocka_unit_test(what_the_chart_gives_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
