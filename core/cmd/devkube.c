/*
 * devkube: a small Kubernetes for one machine: our model of its API server over HTTP/2 and TLS, with a kubelet that
 * runs pods as sandboxed processes. For development, tests and the quickstart.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/cmd/devkube_audit.h"
#include "core/cmd/devkube_kubelet.h"
#include "core/cmd/devkube_log.h"
#include "core/cmd/devkube_pki.h"
#include "core/loop/env_uv.h"
#include "core/net/h2.h"

extern char **environ;

struct settings {
    const char *state, *address, *log_level, *audit;
    uint64_t port;
    struct config_list images;
    bool pods, log_json, help, version;
};

/* clang-format off */
#define AT(member) offsetof(struct settings, member)
static const struct config_item items[] = {
    {"state", CFG_STRING, AT(state), NULL, 0, 0, "folder that holds the whole cluster (required)"},
    {"address", CFG_STRING, AT(address), "127.0.0.1", 0, 0, "address to serve on"},
    {"port", CFG_UINT, AT(port), "6443", 0, 65535, "port to serve on; 0: any free one"},
    {"image", CFG_LIST, AT(images), NULL, 0, 0,
     "PATTERN=/PATH/PROGRAM: what an image is; '*' at its end fits any rest"},
    {"pods", CFG_BOOL, AT(pods), "true", 0, 0, "run pods; false: only serve the API"},
    {"audit", CFG_STRING, AT(audit), NULL, 0, 0,
     "file for a line of JSON each request, as Kubernetes' audit log has it"},
    {"log-level", CFG_STRING, AT(log_level), "info", 0, 0, "debug, info, warn or error"},
    {"log-json", CFG_BOOL, AT(log_json), NULL, 0, 0, "log JSON lines also on a terminal"},
    {"help", CFG_BOOL, AT(help), NULL, 0, 0, "this text"},
    {"version", CFG_BOOL, AT(version), NULL, 0, 0, "print the version"},
};
#undef AT
/* clang-format on */

static const struct config_spec spec = {
    .program = "devkube",
    .usage = "--state=FOLDER [flags]",
    .about =
        "An embedded Kubernetes for one machine: API server, controllers for Jobs, namespaces and garbage collection,\n"
        "and a kubelet that runs containers as processes in bubblewrap. It writes FOLDER/kubeconfig for kubectl and\n"
        "serves until SIGTERM; started again with the same folder it goes on where it was.\n"
        "\n"
        "What it is not: a Kubernetes for anything that matters. No images (an image name stands for a program of\n"
        "this machine, --image), no scheduler, no network of its own (pods share the host's), no Services but names\n"
        "in the pods' /etc/hosts, no probes, no resource limits, no Deployments or StatefulSets run, no admission\n"
        "webhooks, no replication.",
    .env_prefix = "DEVKUBE_",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

static const char *const levels[] = {"debug", "info", "warn", "error"};
enum { N_LEVELS = sizeof(levels) / sizeof(*levels) };

/* Each image has to be a program that is there: a pod would only say later, and less plainly, that it is not. */
static int check_image(const char *image, struct error *e)
{
    const char *program = strchr(image, '=');

    if (!program || program == image || program[1] != '/')
        return error_set(e, ERR_INVALID,
                         "--image=%s: PATTERN=/PATH/PROGRAM is wanted, such as stash*=/usr/bin/stash-job", image);
    if (access(program + 1, X_OK) < 0)
        return error_set(e, ERR_INVALID, "--image=%s: %s", image, strerror(errno));
    return 0;
}

static int check_settings(const struct settings *s, struct error *e)
{
    struct in6_addr address;
    size_t level = 0;
    int rc = 0;

    while (level < N_LEVELS && strcmp(s->log_level, levels[level]) != 0)
        level++;
    if (!s->state || !s->state[0])
        return error_set(e, ERR_INVALID, "--state is missing: name the folder that holds the cluster");
    if (level == N_LEVELS)
        return error_set(e, ERR_INVALID, "--log-level=%s: debug, info, warn or error", s->log_level);
    if (inet_pton(AF_INET, s->address, &address) != 1 && inet_pton(AF_INET6, s->address, &address) != 1)
        return error_set(e, ERR_INVALID, "--address=%s: an IP address is wanted", s->address);
    for (size_t i = 0; rc == 0 && i < s->images.n; i++)
        rc = check_image(s->images.items[i], e);
    return rc;
}

struct devkube {
    struct settings settings;
    struct env *env;
    struct log log;
    struct model *model;
    struct devkube_log *disk;
    struct devkube_audit *audit;
    struct devkube_pki pki;
    struct tls_context *tls;
    struct h2_server *server;
    struct kubelet *kubelet;
    char state[PATH_MAX];
    int lock;
    bool stopping;
};

/* ---- start ---- */

static int lock_state(struct devkube *d, struct error *e)
{
    char path[PATH_MAX + 8];

    if (mkdir(d->settings.state, 0711) < 0 && errno != EEXIST)
        return error_set(e, ERR_DENIED, "folder %s: %s", d->settings.state, strerror(errno));
    if (!realpath(d->settings.state, d->state))
        return error_set(e, ERR_DENIED, "folder %s: %s", d->settings.state, strerror(errno));
    (void)snprintf(path, sizeof(path), "%s/lock", d->state);
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock < 0)
        return error_set(e, ERR_DENIED, "%s: %s", path, strerror(errno));
    if (flock(d->lock, LOCK_EX | LOCK_NB) < 0)
        return error_set(e, ERR_CONFLICT, "another devkube runs on %s", d->state);
    return 0;
}

/* The log is replayed before the model exists for anybody else. */
static void on_loaded(void *ctx, uint64_t rv, const char *key, json_t *object_take)
{
    struct devkube *d = ctx;

    model_load(d->model, rv, key ? key : "", object_take);
}

static void on_commit(void *ctx, uint64_t rv, const char *key, const json_t *object)
{
    struct devkube *d = ctx;

    if (d->disk)
        devkube_log_append(d->disk, rv, key, object);
}

static void on_audit(void *ctx, const struct model_audit *a)
{
    struct devkube *d = ctx;

    devkube_audit_add(d->audit, a);
}

static int load(struct devkube *d, struct error *e)
{
    struct model_options options = {.env = d->env,
                                    .seed = env_random(d->env),
                                    .on_commit = on_commit,
                                    .ctx = d,
                                    .rbac = true,
                                    .ca_pem = d->pki.ca.data};

    if (d->settings.audit && *d->settings.audit) {
        d->audit = devkube_audit_open(d->env, d->settings.audit, e);
        if (!d->audit)
            return e->code;
        options.on_audit = on_audit;
    }
    d->model = model_new(&options);
    d->disk = devkube_log_open(d->state, on_loaded, d, e);
    return d->disk ? 0 : e->code;
}

static int serve(struct devkube *d, struct error *e)
{
    const struct tls_options tls = {.server = true,
                                    .want_client_cert = true,
                                    .ca_pem = buf_str(&d->pki.ca),
                                    .cert_pem = buf_str(&d->pki.server_cert),
                                    .key_pem = buf_str(&d->pki.server_key),
                                    .alpn = "h2"};
    struct h2_server_options options = {.env = d->env,
                                        .address = d->settings.address,
                                        .port = (uint16_t)d->settings.port,
                                        .body_max = 4 << 20,
                                        .handler = model_serve,
                                        .ctx = d->model};

    d->tls = tls_context_new(&tls, e);
    if (!d->tls)
        return e->code;
    options.tls = d->tls;
    d->server = h2_server_start(&options, e);
    return d->server ? 0 : e->code;
}

static void put_base64(struct buf *out, const char *key, const struct buf *pem)
{
    buf_printf(out, "    %s: ", key);
    base64_encode(out, buf_str(pem));
    buf_putc(out, '\n');
}

static int write_kubeconfig(struct devkube *d, struct error *e)
{
    char path[PATH_MAX + 16];
    struct buf out;
    int rc;

    buf_init(&out, 64 * 1024);
    buf_puts(&out, "apiVersion: v1\nkind: Config\ncurrent-context: devkube\nclusters:\n- name: devkube\n  cluster:\n");
    buf_printf(&out, "    server: https://%s:%u\n", d->settings.address, h2_server_port(d->server));
    put_base64(&out, "certificate-authority-data", &d->pki.ca);
    buf_puts(&out, "users:\n- name: admin\n  user:\n");
    put_base64(&out, "client-certificate-data", &d->pki.admin_cert);
    put_base64(&out, "client-key-data", &d->pki.admin_key);
    buf_puts(&out, "contexts:\n- name: devkube\n  context: {cluster: devkube, user: admin}\n");
    (void)snprintf(path, sizeof(path), "%s/kubeconfig", d->state);
    rc = buf_error(&out) < 0 ? error_set(e, ERR_TOOBIG, "%s: too long", path)
                             : env_uv_write_file(path, buf_str(&out), 0600, true, e);
    mem_wipe(out.data, out.len);
    buf_done(&out);
    return rc;
}

static int start_kubelet(struct devkube *d, struct error *e)
{
    const struct kubelet_options options = {.env = d->env,
                                            .log = &d->log,
                                            .model = d->model,
                                            .state = d->state,
                                            .ca_pem = buf_str(&d->pki.ca),
                                            .api_host = d->settings.address,
                                            .api_port = h2_server_port(d->server),
                                            .images = &d->settings.images};

    if (!d->settings.pods)
        return 0;
    d->kubelet = kubelet_start(&options, e);
    return d->kubelet ? 0 : e->code;
}

static int start(struct devkube *d, struct error *e)
{
    int rc = lock_state(d, e);

    if (rc == 0)
        rc = devkube_pki_load(&d->pki, d->state, d->settings.address, e);
    if (rc == 0)
        rc = load(d, e);
    if (rc < 0)
        return rc;
    rc = serve(d, e);
    if (rc == 0)
        rc = start_kubelet(d, e);
    if (rc < 0)
        return rc;
    model_start(d->model);
    return write_kubeconfig(d, e); /* last: who waits for the file finds a server that answers */
}

/* ---- stop ---- */

static void server_stopped(void *ctx)
{
    struct devkube *d = ctx;

    env_uv_stop(d->env);
}

static void kubelet_stopped(void *ctx)
{
    struct devkube *d = ctx;

    d->kubelet = NULL;
    if (d->server)
        h2_server_stop(d->server, server_stopped, d);
    else
        env_uv_stop(d->env);
}

static void on_signal(void *ctx, int sig)
{
    struct devkube *d = ctx;

    if (d->stopping)
        return;
    d->stopping = true;
    if (sig)
        log_info(&d->log, "stopping", F_INT("signal", sig));
    if (d->kubelet)
        kubelet_stop(d->kubelet, kubelet_stopped, d);
    else
        kubelet_stopped(d);
}

static void release(struct devkube *d)
{
    model_free(d->model);
    devkube_log_close(d->disk);
    devkube_audit_close(d->audit);
    tls_context_free(d->tls);
    devkube_pki_done(&d->pki);
    if (d->lock >= 0)
        (void)close(d->lock);
    env_uv_free(d->env);
    config_done(&spec, &d->settings);
}

static int run(struct devkube *d)
{
    struct error e = {0};
    int rc;

    d->lock = -1;
    d->env = env_uv_new();
    d->log.env = d->env;
    env_uv_on_signal(d->env, on_signal, d);
    rc = start(d, &e);
    if (rc < 0) {
        log_error(&d->log, "devkube cannot start", F_ERR(&e));
        on_signal(d, 0);
    } else {
        log_info(&d->log, "devkube serves", F_STR("state", d->state), F_INT("port", h2_server_port(d->server)));
    }
    env_uv_run(d->env);
    env_uv_on_signal(d->env, NULL, NULL);
    release(d);
    return rc < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    const struct rlimit no_core = {0, 0};
    struct devkube d = {0};
    struct error e = {0};
    bool only_tells;

    mem_install((unsigned)getpid());
    (void)umask(022);
    (void)setrlimit(RLIMIT_CORE, &no_core); /* keys are in memory */
    if (config_parse(&spec, argc, (const char *const *)argv, (const char *const *)environ, &d.settings, NULL, NULL,
                     &e) < 0) {
        (void)fprintf(stderr, "devkube: %s\n", e.msg);
        return 2;
    }
    only_tells = d.settings.help || d.settings.version;
    if (!only_tells && check_settings(&d.settings, &e) < 0) {
        (void)fprintf(stderr, "devkube: %s\n", e.msg);
        config_done(&spec, &d.settings);
        return 2;
    }
    if (only_tells) {
        if (d.settings.help)
            config_help(&spec, stdout);
        else
            (void)printf("devkube %s\n", STASHD_VERSION);
        config_done(&spec, &d.settings);
        return 0;
    }
    d.log.plain = isatty(STDERR_FILENO) && !d.settings.log_json;
    for (unsigned i = 0; i < N_LEVELS; i++)
        if (strcmp(d.settings.log_level, levels[i]) == 0)
            d.log.min = (enum log_level)i;
    return run(&d);
}
