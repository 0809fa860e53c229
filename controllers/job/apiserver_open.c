/*
 * apiserver_open: from flags, environment and files to a connection. --kubeconfig wins, then --master alone, then the
 * pod's own account; KUBECONFIG is not looked at, since a worker must not take rights that its Job did not give.
 */
#include "controllers/job/apiserver_open.h"

#include <stdio.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/h2.h"
#include "k8s/kubeconfig.h"

static const char account_dir[] = "/var/run/secrets/kubernetes.io/serviceaccount";

static const char *env_of(const char *const *envp, const char *name)
{
    size_t n = strlen(name);

    for (; envp && *envp; envp++)
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

static char *read_text(const char *path, struct error *e)
{
    struct buf b;
    char *text = NULL;

    buf_init(&b, LIMIT_DOCUMENT);
    if (env_uv_read_file(path, &b, e) == 0)
        text = buf_take(&b);
    buf_done(&b);
    return text;
}

/* Files of a kubeconfig are relative to its folder. */
static char *beside(const char *config, const char *file)
{
    const char *slash = strrchr(config, '/');

    if (*file == '/' || !slash)
        return mem_strdup(file);
    return mem_printf("%.*s/%s", (int)(slash - config), config, file);
}

static int load_pem(const char *config, const char *file, char **pem, struct error *e)
{
    AUTO_FREE char *path = NULL;

    if (*pem || !file)
        return 0;
    path = beside(config, file);
    *pem = read_text(path, e);
    return *pem ? 0 : (int)e->code;
}

static int read_kubeconfig(struct kubeconfig *k, const char *path, struct error *e)
{
    AUTO_FREE char *text = read_text(path, e);
    int rc;

    if (!text)
        return error_wrap(e, (int)e->code, "kubeconfig");
    if ((rc = kubeconfig_parse(k, str_of(text), NULL, e)) < 0)
        return error_wrap(e, rc, "%s", path);
    if ((rc = load_pem(path, k->ca_file, &k->ca_pem, e)) < 0 ||
        (rc = load_pem(path, k->cert_file, &k->cert_pem, e)) < 0 ||
        (rc = load_pem(path, k->key_file, &k->key_pem, e)) < 0)
        return error_wrap(e, rc, "%s", path);
    return 0;
}

static int find_server(struct kubeconfig *k, const char *kubeconfig, const char *master, const char *const *envp,
                       struct error *e)
{
    int rc;

    if (kubeconfig && *kubeconfig) {
        rc = read_kubeconfig(k, kubeconfig, e);
    } else if (master && *master) {
        return 0; /* nothing but an address */
    } else {
        rc = kubeconfig_in_cluster(k, env_of(envp, "KUBERNETES_SERVICE_HOST"), env_of(envp, "KUBERNETES_SERVICE_PORT"),
                                   e);
        if (rc == 0)
            rc = load_pem("/", k->ca_file, &k->ca_pem, e);
    }
    return rc;
}

/* "https://host:port/…" taken apart; false: it is none. */
static bool split_url(const char *url, char host[256], uint16_t *port, bool *tls)
{
    struct str rest = str_of(url), name;
    uint64_t n;

    *tls = str_starts(rest, STR("https://"));
    if (!*tls && !str_starts(rest, STR("http://")))
        return false;
    rest.p += *tls ? 8 : 7;
    rest.n -= *tls ? 8 : 7;
    rest.n = strcspn(rest.p, "/");
    *port = *tls ? 443 : 80;
    if (rest.n && *rest.p == '[') {
        rest.p++, rest.n--;
        if (!str_cut(&rest, ']', &name))
            return false;
        if (rest.n && *rest.p == ':')
            rest.p++, rest.n--;
    } else if (!str_cut(&rest, ':', &name)) {
        return false;
    }
    if (rest.n && (str_to_u64(rest, &n) < 0 || n == 0 || n > 65535))
        return false;
    if (rest.n)
        *port = (uint16_t)n;
    (void)snprintf(host, 256, "%.*s", (int)name.n, name.p);
    return name.n > 0 && name.n < 256;
}

static int make_tls(struct apiserver *a, const struct kubeconfig *k, const char *host, struct error *e)
{
    struct tls_options o = {.insecure = k->insecure,
                            .ca_pem = str_of(k->ca_pem),
                            .cert_pem = str_of(k->cert_pem),
                            .key_pem = str_of(k->key_pem),
                            .alpn = "h2",
                            .server_name = k->insecure ? NULL : k->tls_name ? k->tls_name : host};

    a->tls = tls_context_new(&o, e);
    return a->tls ? 0 : error_wrap(e, (int)e->code, "the API server's TLS");
}

static void make_auth(struct apiserver *a, const struct kubeconfig *k)
{
    if (k->exec_argv)
        a->auth = kube_auth_exec(a->job->env, (const char *const *)k->exec_argv, (const char *const *)k->exec_env);
    else if (k->token_file)
        a->auth = kube_auth_token_file(a->job->env, k->token_file, env_uv_read_file);
    else if (k->token)
        a->auth = kube_auth_token(a->job->env, str_of(k->token));
    if (k->token)
        job_redact(a->job, str_of(k->token));
}

static void find_namespace(struct apiserver *a, const struct kubeconfig *k, const char *const *envp)
{
    AUTO_FREE char *path = mem_printf("%s/namespace", account_dir);
    const char *ns = env_of(envp, "POD_NAMESPACE");
    AUTO_FREE char *file = NULL;
    struct error e;

    if (ns && *ns) {
        a->ns = mem_strdup(ns);
        return;
    }
    file = read_text(path, &e);
    if (file && str_trim(str_of(file)).n)
        a->ns = mem_strndup(str_trim(str_of(file)).p, str_trim(str_of(file)).n);
    else
        a->ns = mem_strdup(k->ns && *k->ns ? k->ns : "default");
}

static void set_peer(struct apiserver *a, struct http_peer *peer)
{
    a->kube = (struct kube){.env = a->job->env,
                            .log = &a->job->log,
                            .peers = {peer, peer, peer},
                            .auth = a->auth,
                            .user_agent = "stash-job/" STASHD_VERSION};
}

/* A password in it is not for messages. */
static int bad_address(const char *server, struct error *e)
{
    const char *at = strrchr(server, '@');

    return error_set(e, ERR_INVALID,
                     "the API server's address \"%s%.200s\" is no http or https URL such as https://host:6443: correct "
                     "--master, or the kubeconfig's server", at ? "…@" : "", at ? at + 1 : server);
}

static int connect_to(struct apiserver *a, const struct kubeconfig *k, const char *server, struct error *e)
{
    struct h2_peer_options o = {.env = a->job->env};
    char host[256];
    bool tls;
    int rc;

    if (!split_url(server, host, &o.port, &tls))
        return bad_address(server, e);
    if (tls && (rc = make_tls(a, k, host, e)) < 0)
        return rc;
    o.host = host;
    o.tls = a->tls;
    make_auth(a, k);
    a->own_peer = h2_peer_new(&o);
    set_peer(a, a->own_peer);
    return 0;
}

int apiserver_open(struct job *j, const char *kubeconfig, const char *master, const char *const *envp,
                   struct apiserver **ret, struct error *e)
{
    struct apiserver *a = mem_zalloc(sizeof(*a));
    struct kubeconfig k = {0};
    int rc;

    a->job = j;
    rc = find_server(&k, kubeconfig, master, envp, e);
    if (rc == 0)
        rc = connect_to(a, &k, master && *master ? master : k.server, e);
    if (rc == 0)
        find_namespace(a, &k, envp);
    kubeconfig_done(&k);
    if (rc < 0) {
        apiserver_free(a);
        return rc;
    }
    *ret = a;
    return 0;
}

struct apiserver *apiserver_with_peer(struct job *j, struct http_peer *peer)
{
    struct apiserver *a = mem_zalloc(sizeof(*a));

    a->job = j;
    a->ns = mem_strdup("default");
    set_peer(a, peer);
    return a;
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

void apiserver_free(struct apiserver *a)
{
    bool closed = false;

    if (!a)
        return;
    if (a->own_peer) {
        h2_peer_free(a->own_peer, on_closed, &closed);
        job_wait(a->job, &closed);
    }
    if (a->auth)
        kube_auth_free(a->auth);
    if (a->tls)
        tls_context_free(a->tls);
    mem_free(a->ns);
    mem_free(a);
}

int apiserver_check_namespace(const char *flag, struct error *e)
{
    if (!flag || !*flag || str_is_dns_label(str_of(flag)))
        return 0;
    return error_set(e, ERR_INVALID,
                     "--namespace=%.63s is no name of a namespace: give at most 63 of a-z, 0-9 and \"-\"", flag);
}

const char *apiserver_namespace(const struct apiserver *a)
{
    return a->ns;
}
