/* stashd_connect: see stashd_connect.h. Files are read here,
 * once at the start; only a token file is read again (auth). */
#include "core/cmd/stashd_connect.h"

#include <stdlib.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/h2.h"
#include "core/net/tls.h"
#include "k8s/auth.h"

/* A path of a kubeconfig is relative to its folder. */
static char *path_beside(const char *kubeconfig, const char *path)
{
    const char *slash = kubeconfig ? strrchr(kubeconfig, '/') : NULL;

    if (path[0] == '/' || !slash)
        return mem_strdup(path);
    return mem_printf("%.*s/%s", (int)(slash - kubeconfig), kubeconfig, path);
}

/* Inline data or the file's text, into *pem (the caller's to free). */
static int read_pem(const char *kubeconfig, const char *inline_pem, const char *file, char **pem, struct error *e)
{
    AUTO_FREE char *path = NULL;
    struct buf text;
    int rc;

    *pem = NULL;
    if (inline_pem) {
        *pem = mem_strdup(inline_pem);
        return 0;
    }
    if (!file)
        return 0;
    path = path_beside(kubeconfig, file);
    buf_init(&text, LIMIT_DOCUMENT);
    rc = env_uv_read_file(path, &text, e);
    if (rc == 0)
        *pem = buf_take(&text);
    buf_done(&text);
    return rc < 0 ? error_wrap(e, rc, "%s", path) : 0;
}

/* "https://host:port" into its parts. */
static int split_server(const char *server, bool *secure, char host[256], uint16_t *port, struct error *e)
{
    struct str rest = str_of(server), part;
    uint64_t number;

    *secure = str_starts(rest, STR("https://"));
    if (!*secure && !str_starts(rest, STR("http://")))
        return error_set(e, ERR_INVALID, "server %s: neither https:// nor http://", server);
    rest.p += *secure ? 8 : 7;
    rest.n -= *secure ? 8 : 7;
    if (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    if (memchr(rest.p, '/', rest.n))
        return error_set(e, ERR_INVALID, "server %s: a path is not supported", server);
    number = *secure ? 443 : 80;
    if (rest.n && rest.p[0] == '[') { /* an IPv6 address */
        rest.p++;
        rest.n--;
        str_cut(&rest, ']', &part);
        if (rest.n && rest.p[0] == ':') {
            rest.p++;
            rest.n--;
        }
    } else {
        str_cut(&rest, ':', &part);
    }
    if (rest.n && str_to_u64(rest, &number) < 0)
        number = 0;
    if (part.n == 0 || part.n > 255 || number == 0 || number > 65535)
        return error_set(e, ERR_INVALID, "server %s: no host and port", server);
    (void)memcpy(host, part.p, part.n);
    host[part.n] = '\0';
    *port = (uint16_t)number;
    return 0;
}

static int make_tls(struct stashd_connection *c, const char *kubeconfig, const char *host, struct error *e)
{
    AUTO_FREE char *ca = NULL, *cert = NULL, *key = NULL;
    struct kubeconfig *k = &c->config;
    int rc;

    if ((rc = read_pem(kubeconfig, k->ca_pem, k->ca_file, &ca, e)) < 0 ||
        (rc = read_pem(kubeconfig, k->cert_pem, k->cert_file, &cert, e)) < 0 ||
        (rc = read_pem(kubeconfig, k->key_pem, k->key_file, &key, e)) < 0)
        return rc;
    c->tls = tls_context_new(&(struct tls_options){.insecure = k->insecure,
                                                   .ca_pem = str_of(ca),
                                                   .cert_pem = str_of(cert),
                                                   .key_pem = str_of(key),
                                                   .alpn = "h2",
                                                   .server_name = k->tls_name ? k->tls_name : host},
                             e);
    if (key)
        mem_wipe(key, strlen(key));
    return c->tls ? 0 : ERR_INVALID;
}

static void make_auth(struct stashd_connection *c, struct env *env, const char *kubeconfig)
{
    struct kubeconfig *k = &c->config;

    if (k->token) {
        c->auth = kube_auth_token(env, str_of(k->token));
    } else if (k->token_file) {
        AUTO_FREE char *path = path_beside(kubeconfig, k->token_file);

        c->auth = kube_auth_token_file(env, path, env_uv_read_file);
    } else if (k->exec_argv) {
        c->auth = kube_auth_exec(env, (const char *const *)k->exec_argv, (const char *const *)k->exec_env);
    }
}

static int parse_file(struct stashd_connection *c, const char *path, const char *context, struct error *e)
{
    struct buf text;
    int rc;

    buf_init(&text, LIMIT_DOCUMENT);
    rc = env_uv_read_file(path, &text, e);
    if (rc == 0)
        rc = kubeconfig_parse(&c->config, buf_str(&text), context && context[0] ? context : NULL, e);
    mem_wipe(text.data, text.len);
    buf_done(&text);
    return rc < 0 ? error_wrap(e, rc, "kubeconfig %s", path) : 0;
}

/* Fills c->config; *ret_path is the file that it came from (NULL: in the cluster), to be freed. */
static int find_config(struct stashd_connection *c, const char *kubeconfig, const char *context, char **ret_path,
                       struct error *e)
{
    const char *named = kubeconfig && kubeconfig[0] ? kubeconfig : getenv("KUBECONFIG");
    const char *home = getenv("HOME");
    int rc;

    *ret_path = NULL;
    if (!named || !named[0]) {
        rc = kubeconfig_in_cluster(&c->config, getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT"), e);
        if (rc != ERR_NOTFOUND)
            return rc;
        *ret_path = mem_printf("%s/.kube/config", home ? home : "");
    } else {
        *ret_path = mem_strdup(named);
    }
    return parse_file(c, *ret_path, context, e);
}

int stashd_connect(struct stashd_connection *c, struct env *env, const char *kubeconfig, const char *context,
                   struct error *e)
{
    AUTO_FREE char *path = NULL;
    char host[256];
    uint16_t port = 0;
    bool secure;
    int rc;

    if ((rc = find_config(c, kubeconfig, context, &path, e)) < 0 ||
        (rc = split_server(c->config.server, &secure, host, &port, e)) < 0)
        return rc;
    if (secure && (rc = make_tls(c, path, host, e)) < 0)
        return error_wrap(e, rc, "TLS of %s", c->config.server);
    make_auth(c, env, path);
    c->kube = (struct kube){.env = env, .auth = c->auth, .user_agent = "stashd/" STASHD_VERSION};
    for (size_t i = 0; i < N_KUBE_LANES; i++)
        c->kube.peers[i] =
            h2_peer_new(&(struct h2_peer_options){.env = env, .host = host, .port = port, .tls = c->tls});
    return 0;
}

static void peer_closed(void *ctx)
{
    struct stashd_connection *c = ctx;

    if (--c->closing == 0 && c->on_closed)
        c->on_closed(c->ctx);
}

void stashd_disconnect(struct stashd_connection *c, void (*on_closed)(void *ctx), void *ctx)
{
    c->on_closed = on_closed;
    c->ctx = ctx;
    c->closing = N_KUBE_LANES;
    for (size_t i = 0; i < N_KUBE_LANES; i++)
        h2_peer_free(c->kube.peers[i], peer_closed, c);
}

void stashd_disconnected(struct stashd_connection *c)
{
    kube_auth_free(c->auth);
    tls_context_free(c->tls);
    kubeconfig_done(&c->config);
}
