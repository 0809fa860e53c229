/*
 * kubeconfig: see kubeconfig.h. libyaml makes a document of nodes; we look names up in it. What we don't support
 * (passwords, auth providers, proxies) is refused by name: going on without it would fail later with a riddle.
 */
#include "k8s/kubeconfig.h"

#include <jansson.h>
#include <stdio.h>
#include <yaml.h>

#include "core/base/base64.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

#define ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount/"

/* ---- nodes ---- */

struct reader {
    yaml_document_t doc;
    struct error *e;
};

static yaml_node_t *node_at(struct reader *r, int index)
{
    return yaml_document_get_node(&r->doc, index);
}

static struct str scalar(const yaml_node_t *node)
{
    if (!node || node->type != YAML_SCALAR_NODE)
        return STR_NONE;
    return (struct str){(const char *)node->data.scalar.value, node->data.scalar.length};
}

/* Member of a mapping; NULL. */
static yaml_node_t *member(struct reader *r, const yaml_node_t *map, const char *key)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
        if (str_is(scalar(node_at(r, p->key)), key))
            return node_at(r, p->value);
    return NULL;
}

/* Text of a member; an empty view for absent, null and "". */
static struct str text(struct reader *r, const yaml_node_t *map, const char *key)
{
    const yaml_node_t *node = member(r, map, key);
    struct str s = scalar(node);

    if (s.n && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (str_is(s, "null") || str_is(s, "~")))
        return STR_NONE;
    return s;
}

static bool flag(struct reader *r, const yaml_node_t *map, const char *key)
{
    return str_is(text(r, map, key), "true");
}

static char *copy(struct str s)
{
    return s.n ? mem_strndup(s.p, s.n) : NULL;
}

static const yaml_node_t *find_named(struct reader *r, const yaml_node_t *root, const char *list, struct str name)
{
    const yaml_node_t *items = member(r, root, list);

    if (!items || items->type != YAML_SEQUENCE_NODE)
        return NULL;
    for (yaml_node_item_t *i = items->data.sequence.items.start; i < items->data.sequence.items.top; i++)
        if (str_eq(text(r, node_at(r, *i), "name"), name))
            return node_at(r, *i);
    return NULL;
}

/* "contexts", "context", name: the inner mapping of the entry with that name. */
static int named(struct reader *r, const yaml_node_t *root, const char *list, const char *word, struct str name,
                 const yaml_node_t **ret)
{
    const yaml_node_t *entry = name.n ? find_named(r, root, list, name) : NULL;

    if (!name.n)
        return error_set(r->e, ERR_INVALID, "kubeconfig: no %s is named", word);
    if (!entry)
        return error_set(r->e, ERR_INVALID, "kubeconfig: there is no %s %.*s", word, (int)(name.n < 200 ? name.n : 200),
                         name.p);
    *ret = member(r, entry, word);
    return 0;
}

/* ---- what is in an entry ---- */

static int data_or_file(struct reader *r, const yaml_node_t *map, const char *key, char **ret_pem, char **ret_file)
{
    char data_key[64];
    struct str data;
    struct buf pem;
    bool good;

    (void)snprintf(data_key, sizeof(data_key), "%s-data", key);
    data = text(r, map, data_key);
    if (!data.n) {
        *ret_file = copy(text(r, map, key));
        return 0;
    }
    buf_init(&pem, LIMIT_DOCUMENT);
    good = base64_decode(&pem, data) && pem.len && buf_error(&pem) == 0;
    if (good)
        *ret_pem = mem_strndup(pem.data, pem.len);
    mem_wipe(pem.data, pem.len);
    buf_done(&pem);
    return good ? 0 : error_set(r->e, ERR_INVALID, "kubeconfig: %s is no base64", data_key);
}

static int refuse(struct reader *r, const yaml_node_t *map, const char *const *keys)
{
    for (; *keys; keys++) {
        const yaml_node_t *node = member(r, map, *keys);

        if (node && (node->type != YAML_SCALAR_NODE || text(r, map, *keys).n))
            return error_set(r->e, ERR_INVALID, "kubeconfig: %s is not supported", *keys);
    }
    return 0;
}

static int read_cluster(struct reader *r, const yaml_node_t *cluster, struct kubeconfig *c)
{
    static const char *const unsupported[] = {"proxy-url", NULL};
    struct str server = text(r, cluster, "server"), host = server;

    if (str_starts(server, STR("https://")))
        host = (struct str){server.p + 8, server.n - 8};
    else if (str_starts(server, STR("http://")))
        host = (struct str){server.p + 7, server.n - 7};
    if (!host.n || host.n == server.n || host.p[0] == '/')
        return error_set(r->e, ERR_INVALID, "kubeconfig: the cluster's server is no https:// address");
    c->server = copy(server);
    c->tls_name = copy(text(r, cluster, "tls-server-name"));
    c->insecure = flag(r, cluster, "insecure-skip-tls-verify");
    if (refuse(r, cluster, unsupported) < 0)
        return ERR_INVALID;
    return data_or_file(r, cluster, "certificate-authority", &c->ca_pem, &c->ca_file);
}

static size_t sequence_size(const yaml_node_t *list)
{
    if (!list || list->type != YAML_SEQUENCE_NODE)
        return 0;
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

/* The plugin's KUBERNETES_EXEC_INFO. */
static char *exec_info(struct reader *r, const yaml_node_t *exec, const yaml_node_t *cluster)
{
    struct str version = text(r, exec, "apiVersion"), server = text(r, cluster, "server");
    struct str ca = text(r, cluster, "certificate-authority-data"), name = text(r, cluster, "tls-server-name");
    json_t *o = json_pack("{s:s%,s:s,s:{s:b}}", "apiVersion", version.p, version.n, "kind", "ExecCredential", "spec",
                          "interactive", 0);
    json_t *info = NULL;
    char *body, *line;

    if (flag(r, exec, "provideClusterInfo"))
        info = json_pack("{s:s%,s:b}", "server", server.p, server.n, "insecure-skip-tls-verify",
                         flag(r, cluster, "insecure-skip-tls-verify"));
    if (info && ca.n)
        (void)json_object_set_new(info, "certificate-authority-data", json_stringn(ca.p, ca.n));
    if (info && name.n)
        (void)json_object_set_new(info, "tls-server-name", json_stringn(name.p, name.n));
    if (info)
        (void)json_object_set_new(json_object_get(o, "spec"), "cluster", info);
    body = json_dumps(o, JSON_COMPACT);
    line = mem_printf("KUBERNETES_EXEC_INFO=%s", body ? body : "");
    mem_free(body);
    json_decref(o);
    return line;
}

static int read_exec(struct reader *r, const yaml_node_t *exec, const yaml_node_t *cluster, struct kubeconfig *c)
{
    const yaml_node_t *args = member(r, exec, "args"), *env = member(r, exec, "env");
    size_t n_args = sequence_size(args), n_env = sequence_size(env);
    struct str command = text(r, exec, "command"), version = text(r, exec, "apiVersion");

    if (!command.n)
        return error_set(r->e, ERR_INVALID, "kubeconfig: the credential plugin has no command");
    if (!str_is(version, "client.authentication.k8s.io/v1") && !str_is(version, "client.authentication.k8s.io/v1beta1"))
        return error_set(r->e, ERR_INVALID, "kubeconfig: the credential plugin's apiVersion is neither v1 nor v1beta1");
    c->exec_argv = mem_zalloc((n_args + 2) * sizeof(char *));
    c->exec_argv[0] = copy(command);
    for (size_t i = 0; i < n_args; i++) {
        struct str arg = scalar(node_at(r, args->data.sequence.items.start[i]));

        c->exec_argv[1 + i] = mem_strndup(arg.p ? arg.p : "", arg.n);
    }
    c->exec_env = mem_zalloc((n_env + 2) * sizeof(char *));
    c->exec_env[0] = exec_info(r, exec, cluster);
    for (size_t i = 0; i < n_env; i++) {
        const yaml_node_t *pair = node_at(r, env->data.sequence.items.start[i]);
        struct str name = text(r, pair, "name"), value = scalar(member(r, pair, "value"));

        if (!name.n)
            return error_set(r->e, ERR_INVALID, "kubeconfig: a variable of the credential plugin has no name");
        c->exec_env[1 + i] = mem_printf("%.*s=%.*s", (int)name.n, name.p, (int)value.n, value.p ? value.p : "");
    }
    return 0;
}

static int read_user(struct reader *r, const yaml_node_t *user, const yaml_node_t *cluster, struct kubeconfig *c)
{
    static const char *const unsupported[] = {"username", "password", "auth-provider", "as", NULL};
    const yaml_node_t *exec = member(r, user, "exec");

    if (refuse(r, user, unsupported) < 0 ||
        data_or_file(r, user, "client-certificate", &c->cert_pem, &c->cert_file) < 0 ||
        data_or_file(r, user, "client-key", &c->key_pem, &c->key_file) < 0)
        return ERR_INVALID;
    if ((c->cert_pem || c->cert_file) != (c->key_pem || c->key_file))
        return error_set(r->e, ERR_INVALID, "kubeconfig: a client certificate and its key come together");
    c->token = copy(text(r, user, "token"));
    c->token_file = copy(text(r, user, "tokenFile"));
    return exec && exec->type == YAML_MAPPING_NODE ? read_exec(r, exec, cluster, c) : 0;
}

static int read_root(struct reader *r, const char *context, struct kubeconfig *c)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->doc), *ctx = NULL, *cluster = NULL, *user = NULL;
    struct str name = context && *context ? str_of(context) : text(r, root, "current-context");
    int rc;

    if (!root || root->type != YAML_MAPPING_NODE)
        return error_set(r->e, ERR_INVALID, "kubeconfig: this is no kubeconfig");
    rc = named(r, root, "contexts", "context", name, &ctx);
    if (rc == 0)
        rc = named(r, root, "clusters", "cluster", text(r, ctx, "cluster"), &cluster);
    if (rc == 0 && text(r, ctx, "user").n)
        rc = named(r, root, "users", "user", text(r, ctx, "user"), &user);
    if (rc == 0)
        rc = read_cluster(r, cluster, c);
    if (rc == 0)
        rc = read_user(r, user, cluster, c);
    c->ns = copy(text(r, ctx, "namespace"));
    return rc;
}

/* ---- for all ---- */

int kubeconfig_parse(struct kubeconfig *out, struct str input, const char *context, struct error *e)
{
    struct kubeconfig c = {0};
    struct reader r = {.e = e};
    yaml_parser_t parser;
    int rc;

    if (!yaml_parser_initialize(&parser))
        return error_set(e, ERR_BUG, "no memory for a YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)(input.p ? input.p : ""), input.n);
    if (!yaml_parser_load(&parser, &r.doc)) {
        rc = error_set(e, ERR_INVALID, "kubeconfig: line %zu: %s", parser.problem_mark.line + 1,
                       parser.problem ? parser.problem : "broken YAML");
    } else {
        rc = read_root(&r, context, &c);
        yaml_document_delete(&r.doc);
    }
    yaml_parser_delete(&parser);
    if (rc == 0)
        *out = c;
    else
        kubeconfig_done(&c);
    return rc;
}

int kubeconfig_in_cluster(struct kubeconfig *out, const char *host, const char *port, struct error *e)
{
    bool is_v6;

    if (!host || !*host || !port || !*port)
        return error_set(e, ERR_NOTFOUND,
                         "this process does not run in a cluster: KUBERNETES_SERVICE_%s is not set; give "
                         "--kubeconfig=FILE", host && *host ? "PORT" : "HOST");
    is_v6 = strchr(host, ':') != NULL;
    *out = (struct kubeconfig){
        .server = mem_printf("https://%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port),
        .ca_file = mem_strdup(ACCOUNT_FOLDER "ca.crt"),
        .token_file = mem_strdup(ACCOUNT_FOLDER "token"),
    };
    return 0;
}

static void drop(char *s)
{
    if (s)
        mem_wipe(s, strlen(s));
    mem_free(s);
}

static void drop_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        drop(list[i]);
    mem_free(list);
}

void kubeconfig_done(struct kubeconfig *c)
{
    char *const texts[] = {c->server, c->tls_name,  c->ns,       c->ca_pem, c->cert_pem,  c->key_pem,
                           c->ca_file, c->cert_file, c->key_file, c->token,  c->token_file};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        drop(texts[i]);
    drop_list(c->exec_argv);
    drop_list(c->exec_env);
    *c = (struct kubeconfig){0};
}
