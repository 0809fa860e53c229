/* test_kubeconfig: kubeconfigs as kubectl, kind and cloud tools write them, and what is wrong with others. */
#include "test.h"

#include <stdio.h>

#include "core/base/mem.h"
#include "k8s/kubeconfig.h"

static const char kind_like[] =
    "apiVersion: v1\n"
    "kind: Config\n"
    "clusters:\n"
    "- cluster:\n"
    "    certificate-authority-data: Q0EgUEVN\n"
    "    server: https://127.0.0.1:41033\n"
    "  name: kind-a\n"
    "- cluster: {server: 'http://[::1]:8080', insecure-skip-tls-verify: true, tls-server-name: api}\n"
    "  name: plain\n"
    "contexts:\n"
    "- context:\n"
    "    cluster: kind-a\n"
    "    user: kind-a\n"
    "    namespace: demo\n"
    "  name: kind-a\n"
    "- context: {cluster: plain, user: robot, namespace: null}\n"
    "  name: second\n"
    "- {name: nobody, context: {cluster: plain}}\n"
    "current-context: kind-a\n"
    "preferences: {}\n"
    "users:\n"
    "- name: kind-a\n"
    "  user:\n"
    "    client-certificate-data: Q0VSVA==\n"
    "    client-key-data: S0VZ\n"
    "- name: robot\n"
    "  user: {tokenFile: run/token, token: abc}\n";

static void the_current_context_gives_server_certificates_and_namespace(void **state)
{
    size_t live = mem_live();
    struct kubeconfig c = {0};
    struct error e;

    (void)state;
    assert_int_equal(kubeconfig_parse(&c, str_of(kind_like), NULL, &e), 0);
    assert_string_equal(c.server, "https://127.0.0.1:41033");
    assert_string_equal(c.ca_pem, "CA PEM");
    assert_string_equal(c.cert_pem, "CERT");
    assert_string_equal(c.key_pem, "KEY");
    assert_string_equal(c.ns, "demo");
    assert_false(c.insecure);
    assert_null(c.ca_file);
    assert_null(c.token);
    assert_null(c.exec_argv);
    kubeconfig_done(&c);
    assert_int_equal(mem_live(), live);
}

static void another_context_is_taken_by_name(void **state)
{
    struct kubeconfig c = {0};
    struct error e;

    (void)state;
    assert_int_equal(kubeconfig_parse(&c, str_of(kind_like), "second", &e), 0);
    assert_string_equal(c.server, "http://[::1]:8080");
    assert_true(c.insecure);
    assert_string_equal(c.tls_name, "api");
    assert_null(c.ns);
    assert_string_equal(c.token, "abc");
    assert_string_equal(c.token_file, "run/token");
    kubeconfig_done(&c);
    assert_int_equal(kubeconfig_parse(&c, str_of(kind_like), "nobody", &e), 0);
    assert_null(c.token);
    kubeconfig_done(&c);
    assert_int_equal(kubeconfig_parse(&c, str_of(kind_like), "third", &e), ERR_INVALID);
    assert_string_equal(e.msg, "kubeconfig: there is no context third");
}

static void json_is_yaml_too_and_files_stay_as_written(void **state)
{
    struct kubeconfig c = {0};

    (void)state;
    assert_int_equal(
        kubeconfig_parse(
            &c,
            STR("{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"k\",\"user\":"
                "\"u\"}}],"
                "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"https://"
                "h\",\"certificate-authority\":\"ca.crt\"}}],"
                "\"users\":[{\"name\":\"u\",\"user\":{\"client-certificate\":\"/a.crt\",\"client-key\":\"a.key\"}}]}"),
            NULL, NULL),
        0);
    assert_string_equal(c.ca_file, "ca.crt");
    assert_string_equal(c.cert_file, "/a.crt");
    assert_string_equal(c.key_file, "a.key");
    assert_null(c.ca_pem);
    kubeconfig_done(&c);
}

static const char with_plugin[] =
    "current-context: c\n"
    "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
    "clusters: [{name: k, cluster: {server: 'https://h:1', certificate-authority-data: Q0E=}}]\n"
    "users:\n"
    "- name: u\n"
    "  user:\n"
    "    exec:\n"
    "      apiVersion: client.authentication.k8s.io/v1beta1\n"
    "      command: aws\n"
    "      args: [eks, get-token, '', 5]\n"
    "      env: [{name: AWS_PROFILE, value: me}, {name: EMPTY, value: ''}]\n"
    "      provideClusterInfo: true\n";

static void a_plugin_has_its_arguments_and_environment(void **state)
{
    size_t live = mem_live();
    struct kubeconfig c = {0};

    (void)state;
    assert_int_equal(kubeconfig_parse(&c, str_of(with_plugin), NULL, NULL), 0);
    assert_string_equal(c.exec_argv[0], "aws");
    assert_string_equal(c.exec_argv[2], "get-token");
    assert_string_equal(c.exec_argv[3], "");
    assert_string_equal(c.exec_argv[4], "5");
    assert_null(c.exec_argv[5]);
    assert_string_equal(c.exec_env[0],
                        "KUBERNETES_EXEC_INFO={\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"kind\":"
                        "\"ExecCredential\",\"spec\":{\"interactive\":false,\"cluster\":{\"server\":\"https://h:1\","
                        "\"insecure-skip-tls-verify\":false,\"certificate-authority-data\":\"Q0E=\"}}}");
    assert_string_equal(c.exec_env[1], "AWS_PROFILE=me");
    assert_string_equal(c.exec_env[2], "EMPTY=");
    assert_null(c.exec_env[3]);
    kubeconfig_done(&c);
    assert_int_equal(mem_live(), live);
}

/* One user, one cluster. */
static int parse_with(const char *cluster, const char *user, struct error *e)
{
    struct kubeconfig c = {0};
    char text[2000];
    int rc;

    (void)snprintf(text, sizeof(text),
                   "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
                   "clusters: [{name: k, cluster: {%s}}]\nusers: [{name: u, user: {%s}}]\n",
                   cluster, user);
    rc = kubeconfig_parse(&c, str_of(text), NULL, e);
    if (rc < 0)
        assert_null(c.server);
    kubeconfig_done(&c);
    return rc;
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *cluster, *user, *msg;
    } cases[] = {
        {"server: 'h:6443'", "", "kubeconfig: the cluster's server is no https:// address"},
        {"server: 'https:///x'", "", "kubeconfig: the cluster's server is no https:// address"},
        {"", "", "kubeconfig: the cluster's server is no https:// address"},
        {"server: 'https://h', proxy-url: 'http://p'", "", "kubeconfig: proxy-url is not supported"},
        {"server: 'https://h', certificate-authority-data: '***'", "",
         "kubeconfig: certificate-authority-data is no base64"},
        {"server: 'https://h'", "username: u, password: p", "kubeconfig: username is not supported"},
        {"server: 'https://h'", "auth-provider: {name: gcp}", "kubeconfig: auth-provider is not supported"},
        {"server: 'https://h'", "client-key: k", "kubeconfig: a client certificate and its key come together"},
        {"server: 'https://h'", "exec: {apiVersion: client.authentication.k8s.io/v1}",
         "kubeconfig: the credential plugin has no command"},
        {"server: 'https://h'", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1alpha1}",
         "kubeconfig: the credential plugin's apiVersion is neither v1 nor v1beta1"},
        {"server: 'https://h'", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, env: [{value: v}]}",
         "kubeconfig: a variable of the credential plugin has no name"},
    };
    static const struct {
        const char *text, *msg;
    } others[] = {
        {"", "kubeconfig: this is no kubeconfig"},
        {"- a\n- b\n", "kubeconfig: this is no kubeconfig"},
        {"a: b\n", "kubeconfig: no context is named"},
        {"a: [\n", "kubeconfig: line 2: did not find expected node content"},
        {"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n",
         "kubeconfig: there is no cluster k"},
        {"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k}]\n",
         "kubeconfig: there is no user u"},
        {"current-context: &c c\ncontexts: &x [{name: *c, context: {cluster: *x}}]\n",
         "kubeconfig: no cluster is named"},
    };
    size_t live = mem_live();
    struct kubeconfig c = {0};
    struct error e;

    (void)state;
    assert_int_equal(parse_with("server: 'https://h'", "username: ''", &e), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse_with(cases[i].cluster, cases[i].user, &e), ERR_INVALID);
        assert_string_equal(e.msg, cases[i].msg);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(kubeconfig_parse(&c, str_of(others[i].text), NULL, &e), ERR_INVALID);
        assert_string_equal(e.msg, others[i].msg);
    }
    assert_int_equal(mem_live(), live);
}

static void in_a_cluster_the_usual_files_are_named(void **state)
{
    struct kubeconfig c = {0};
    struct error e;

    (void)state;
    assert_int_equal(kubeconfig_in_cluster(&c, NULL, NULL, &e), ERR_NOTFOUND);
    assert_string_equal(e.msg, "this process does not run in a cluster: KUBERNETES_SERVICE_HOST is not set; give "
                               "--kubeconfig=FILE");
    assert_int_equal(kubeconfig_in_cluster(&c, "10.96.0.1", "", &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.msg, "KUBERNETES_SERVICE_PORT is not set"));
    assert_int_equal(kubeconfig_in_cluster(&c, "10.96.0.1", "443", &e), 0);
    assert_string_equal(c.server, "https://10.96.0.1:443");
    assert_string_equal(c.token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
    assert_string_equal(c.ca_file, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
    kubeconfig_done(&c);
    assert_int_equal(kubeconfig_in_cluster(&c, "fd00::1", "443", &e), 0);
    assert_string_equal(c.server, "https://[fd00::1]:443");
    kubeconfig_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_current_context_gives_server_certificates_and_namespace),
        cmocka_unit_test(another_context_is_taken_by_name),
        cmocka_unit_test(json_is_yaml_too_and_files_stay_as_written),
        cmocka_unit_test(a_plugin_has_its_arguments_and_environment),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(in_a_cluster_the_usual_files_are_named),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
