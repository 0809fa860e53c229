/* test_auth: when a token is read again, and what a credential plugin's end is to those who wait. */
#include "test.h"

#include <stdio.h>

#include "core/base/mem.h"
#include "k8s/auth.h"
#include "support_env.h"

struct heard {
    unsigned n;
    int rc;
    char header[100];
    struct error error;
};

static void on_ready(void *ctx, int rc, struct str header, const struct error *e)
{
    struct heard *h = ctx;

    h->n++;
    h->rc = rc;
    (void)snprintf(h->header, sizeof(h->header), "%.*s", (int)header.n, header.p ? header.p : "");
    h->error = e ? *e : (struct error){0};
}

static const char *in_file;
static unsigned n_reads;
static int read_file(const char *path, struct buf *out, struct error *e)
{
    n_reads++;
    if (!in_file)
        return error_set(e, ERR_NOTFOUND, "%s: no such file", path);
    buf_puts(out, in_file);
    return 0;
}

static void a_static_token_is_known_at_once(void **state)
{
    struct test_env env;
    struct heard h = {0};
    struct kube_auth *a;

    (void)state;
    test_env_init(&env);
    a = kube_auth_token(&env.env, STR(" abc\n"));
    kube_auth_refused(a);
    kube_auth_get(a, on_ready, &h);
    assert_int_equal(h.n, 1);
    assert_string_equal(h.header, "Bearer abc");
    kube_auth_free(a);
    test_env_done(&env);
}

static void a_token_file_is_read_again_after_a_minute_or_a_401(void **state)
{
    size_t live = mem_live();
    struct test_env env;
    struct heard h = {0};
    struct kube_auth *a;

    (void)state;
    test_env_init(&env);
    n_reads = 0;
    in_file = "one\n";
    a = kube_auth_token_file(&env.env, "/t", read_file);
    kube_auth_get(a, on_ready, &h);
    in_file = "two";
    test_env_advance(&env, 59000);
    kube_auth_get(a, on_ready, &h);
    assert_string_equal(h.header, "Bearer one");
    assert_int_equal(n_reads, 1);
    test_env_advance(&env, 1000);
    kube_auth_get(a, on_ready, &h);
    assert_string_equal(h.header, "Bearer two");
    in_file = "three";
    kube_auth_refused(a);
    kube_auth_get(a, on_ready, &h);
    assert_string_equal(h.header, "Bearer three");

    in_file = NULL; /* being replaced: the old one may do */
    test_env_advance(&env, 60000);
    kube_auth_get(a, on_ready, &h);
    assert_string_equal(h.header, "Bearer three");
    kube_auth_refused(a);
    kube_auth_get(a, on_ready, &h);
    assert_int_equal(h.rc, ERR_NOTFOUND);
    in_file = "two\nlines";
    kube_auth_get(a, on_ready, &h);
    assert_int_equal(h.rc, ERR_INVALID);
    assert_string_equal(h.error.msg, "token file /t holds no token");
    kube_auth_free(a);
    test_env_done(&env);
    assert_int_equal(mem_live(), live);
}

/* ---- the plugin ---- */

static struct proc *plugin;
static unsigned n_started, n_killed;
static char plugin_env[100];

static int plugin_start(struct test_env *t, struct proc *p, const struct proc_spec *spec, struct error *e)
{
    (void)t;
    (void)e;
    assert_string_equal(spec->argv[0], "login");
    assert_string_equal(spec->argv[1], "--now");
    (void)snprintf(plugin_env, sizeof(plugin_env), "%s", spec->envp[0] ? spec->envp[0] : "");
    n_started++;
    plugin = p;
    return 0;
}

static void plugin_kill(struct test_env *t, struct proc *p, int sig)
{
    (void)t;
    (void)p;
    (void)sig;
    n_killed++;
}

static void say(const char *text, int status)
{
    plugin->on_stdout(plugin, str_of(text));
    plugin->on_exit(plugin, status, 0);
}

static const char *const argv[] = {"login", "--now", NULL};
static const char *const envp[] = {"HOME=/h", NULL};

static struct kube_auth *plugin_auth(struct test_env *env)
{
    test_env_init(env);
    env->on_proc_start = plugin_start;
    env->on_proc_kill = plugin_kill;
    n_started = n_killed = 0;
    return kube_auth_exec(&env->env, argv, envp);
}

static void a_plugin_runs_once_for_all_until_its_token_expires(void **state)
{
    size_t live = mem_live();
    struct heard h = {0}, g = {0}, gone = {0};
    struct test_env env;
    struct kube_auth *a = plugin_auth(&env);

    (void)state;
    kube_auth_get(a, on_ready, &h);
    kube_auth_get(a, on_ready, &g);
    kube_auth_get(a, on_ready, &gone);
    kube_auth_forget(a, on_ready, &gone);
    assert_int_equal(n_started, 1);
    assert_string_equal(plugin_env, "HOME=/h");
    assert_int_equal(h.n, 0);
    plugin->on_stdout(plugin, STR("{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"abc\","));
    say("\"expirationTimestamp\":\"2026-03-01T02:01:00Z\"}}", 0);
    assert_string_equal(h.header, "Bearer abc");
    assert_string_equal(g.header, "Bearer abc");
    assert_int_equal(gone.n, 0);

    test_env_advance(&env, 49000);
    kube_auth_get(a, on_ready, &h);
    assert_int_equal(h.n, 2);
    assert_int_equal(n_started, 1);
    test_env_advance(&env, 1000); /* ten seconds before its end */
    kube_auth_get(a, on_ready, &h);
    assert_int_equal(n_started, 2);
    say("{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"def\"}}", 0);
    assert_string_equal(h.header, "Bearer def");
    kube_auth_refused(a);
    kube_auth_get(a, on_ready, &h);
    assert_int_equal(n_started, 3);
    say("{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"ghi\"}}", 0);
    kube_auth_free(a);
    test_env_done(&env);
    assert_int_equal(mem_live(), live);
}

static void a_plugin_that_fails_tells_why(void **state)
{
    static const struct {
        const char *out;
        int status, rc;
        const char *msg;
    } cases[] = {
        {"", 3, ERR_DENIED, "credential plugin login ended with status 3: log in first"},
        {"nonsense", 0, ERR_INVALID, "credential plugin login: its output is no ExecCredential"},
        {"{\"kind\":\"ExecCredential\"}", 0, ERR_INVALID, "credential plugin login gave no token"},
        {"{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"a b\"}}", 0, ERR_INVALID,
         "credential plugin login gave no token"},
        {"{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"a\",\"expirationTimestamp\":\"soon\"}}", 0, ERR_INVALID,
         "credential plugin login: expiry soon is no time"},
    };
    struct test_env env;
    struct kube_auth *a = plugin_auth(&env);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct heard h = {0};

        kube_auth_get(a, on_ready, &h);
        plugin->on_stderr(plugin, STR("log in first"));
        say(cases[i].out, cases[i].status);
        assert_int_equal(h.rc, cases[i].rc);
        assert_string_equal(h.error.msg, cases[i].msg);
    }
    env.on_proc_start = NULL;
    {
        struct heard h = {0};

        kube_auth_get(a, on_ready, &h);
        assert_int_equal(h.rc, ERR_NOTFOUND);
    }
    kube_auth_free(a);
    test_env_done(&env);
}

static void a_plugin_that_hangs_is_killed_and_so_is_one_left_behind(void **state)
{
    size_t live = mem_live();
    struct heard h = {0};
    struct test_env env;
    struct kube_auth *a = plugin_auth(&env);

    (void)state;
    kube_auth_get(a, on_ready, &h);
    test_env_advance(&env, 60000);
    assert_int_equal(n_killed, 1);
    plugin->on_exit(plugin, 0, 9);
    assert_string_equal(h.error.msg, "credential plugin login ended with signal 9");
    kube_auth_get(a, on_ready, &h);
    kube_auth_forget(a, on_ready, &h);
    kube_auth_free(a);
    assert_int_equal(n_killed, 2);
    plugin->on_exit(plugin, 0, 9);
    test_env_done(&env);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_static_token_is_known_at_once),
        cmocka_unit_test(a_token_file_is_read_again_after_a_minute_or_a_401),
        cmocka_unit_test(a_plugin_runs_once_for_all_until_its_token_expires),
        cmocka_unit_test(a_plugin_that_fails_tells_why),
        cmocka_unit_test(a_plugin_that_hangs_is_killed_and_so_is_one_left_behind),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
