/*
 * stashd: the operator as a program: settings, a connection, the operator's parts on it, what it serves, and an orderly
 * end on SIGTERM.
 *
 * Exit codes: 0 after SIGTERM or SIGINT, or --help; 1 could not start; 2 wrong flags.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controllers/job/job.h"
#include "controllers/operator.h"
#include "core/base/mem.h"
#include "core/cmd/stashd_connect.h"
#include "core/cmd/stashd_memory.h"
#include "core/cmd/stashd_settings.h"
#include "core/cmd/stashd_web.h"
#include "core/loop/env_uv.h"
#include "core/net/web.h"

enum { EXIT_START = 1, EXIT_USAGE = 2, DRAIN_MS = 5000, PUSH_BODY_MAX = 4 * 1024 * 1024 };

struct program {
    struct stashd_settings settings;
    struct operator_settings operator_settings;
    struct env *env;
    struct log log;
    struct stashd_connection connection;
    struct registry *registry;
    struct operator *operator;
    struct stashd_web pages;
    struct stashd_push push;
    bool has_push;
    struct web *web;
    struct stashd_webhook webhook;
    bool has_webhook;
    struct stashd_memory memory;
    char identity[256];
    char address[80]; /* of the metrics port, for other replicas */
    bool stopping, web_stopped, operator_stopped, disconnected;
};

extern char **environ;

static void set_up_log(struct program *p)
{
    bool terminal = isatty(STDERR_FILENO);

    p->log = (struct log){.env = p->env, .min = stashd_settings_level(&p->settings)};
    p->log.plain = strcmp(p->settings.log_format, "plain") == 0 ||
                   (strcmp(p->settings.log_format, "auto") == 0 && terminal);
}

/* <pod>_<pod uid>; outside a cluster something as unique. */
static void set_identity(struct program *p)
{
    const char *pod = getenv("POD_NAME"), *uid = getenv("POD_UID");
    char host[128] = "";

    if (p->settings.identity[0]) {
        (void)snprintf(p->identity, sizeof(p->identity), "%s", p->settings.identity);
    } else if (pod && uid) {
        (void)snprintf(p->identity, sizeof(p->identity), "%.127s_%.63s", pod, uid);
    } else {
        (void)gethostname(host, sizeof(host) - 1); /* "" is fine: the number below is unique enough */
        (void)snprintf(p->identity, sizeof(p->identity), "%s_%ld_%08x", host, (long)getpid(),
                       (unsigned)env_random(p->env));
    }
}

/* ---- the end ---- */

static void operator_ended(void *ctx)
{
    struct program *p = ctx;

    p->operator_stopped = true;
}

static void web_ended(void *ctx)
{
    struct program *p = ctx;

    p->web_stopped = true;
}

static void connection_ended(void *ctx)
{
    struct program *p = ctx;

    p->disconnected = true;
}

static void on_signal(void *ctx, int sig)
{
    struct program *p = ctx;

    log_info(&p->log, "stopping", F_INT("signal", sig));
    p->stopping = true;
}

static void stop_operator(struct program *p)
{
    operator_stop(p->operator, operator_ended, p);
    env_uv_run_until(p->env, &p->operator_stopped);
    p->pages.operator = NULL;
    operator_free(p->operator);
}

static void stop_web(struct program *p)
{
    if (p->web) {
        web_stop(p->web, web_ended, p);
        env_uv_run_until(p->env, &p->web_stopped);
    }
    relays_stop(&p->pages.relays);
    if (p->has_push)
        stashd_push_stop(&p->push);
}

/* Before the operator: what is being decided looks into its cache. */
static void stop_webhook(struct program *p)
{
    if (!p->has_webhook)
        return;
    p->pages.webhook = NULL;
    stashd_webhook_stop(&p->webhook);
    env_uv_run_until(p->env, &p->webhook.ended);
    stashd_webhook_done(&p->webhook);
}

static void disconnect(struct program *p)
{
    stashd_disconnect(&p->connection, connection_ended, p);
    env_uv_run_until(p->env, &p->disconnected);
    if (p->has_push)
        stashd_push_done(&p->push);
    stashd_disconnected(&p->connection);
}

/* ---- the start ---- */

static int start_web(struct program *p, struct error *e)
{
    p->pages = (struct stashd_web){.env = p->env, .registry = p->registry, .operator = p->operator,
                                   .started_ms = env_wall_ms(p->env)};
    relays_init(&p->pages.relays, p->env);
    if (!p->settings.metrics_enabled)
        return 0;
    stashd_push_init(&p->push, &p->connection.kube, strcmp(p->settings.push_auth, "open") == 0, env_random(p->env));
    p->has_push = true;
    p->pages.push = &p->push;
    p->pages.takes_pushes = strcmp(p->settings.pushgateway_mode, "embedded") == 0;
    p->web = web_start(&(struct web_options){.env = p->env,
                                             .address = p->settings.metrics_address,
                                             .port = (uint16_t)p->settings.metrics_port,
                                             .body_max = PUSH_BODY_MAX,
                                             .handler = stashd_web_serve,
                                             .ctx = &p->pages},
                       e);
    if (!p->web)
        return error_wrap(e, e->code, "--metrics-port=%u", (unsigned)p->settings.metrics_port);
    if (getenv("POD_IP"))
        (void)snprintf(p->address, sizeof(p->address), "%.63s:%u", getenv("POD_IP"), web_port(p->web));
    log_info(&p->log, "serving metrics", F_INT("port", web_port(p->web)));
    return 0;
}

static void lead_changed(void *ctx, bool leads)
{
    struct program *p = ctx;

    if (!leads && p->has_push) /* the next leader is pushed to from now on */
        stashd_push_forget_all(&p->push);
}

static int start_webhook(struct program *p, struct error *e)
{
    if (!p->settings.webhook)
        return 0;
    p->webhook = (struct stashd_webhook){.env = p->env, .kube = &p->connection.kube, .log = &p->log,
                                         .settings = &p->settings, .operator_settings = &p->operator_settings,
                                         .operator = p->operator, .registry = p->registry};
    if (stashd_webhook_start(&p->webhook, e) < 0) {
        stashd_webhook_done(&p->webhook);
        return e->code;
    }
    p->has_webhook = true;
    p->pages.webhook = &p->webhook;
    return 0;
}

static void invoker_gone(void *ctx, const struct kobj *invoker)
{
    struct program *p = ctx;

    if (p->has_push)
        stashd_push_forget(&p->push, invoker);
}

static void session_ended(void *ctx, const char *ns, const char *job, const char *target, const char *text)
{
    struct program *p = ctx;
    struct error e;

    if (p->has_push && push_put(p->push.push, ns, job, target, str_of(text), env_wall_ms(p->env), &e) < 0)
        log_warn(&p->log, "metrics of a session were not taken", F_STR("namespace", ns), F_STR("job", job), F_ERR(&e));
}

static void make_operator(struct program *p)
{
    const struct stashd_settings *s = &p->settings;

    if (!p->settings.own_namespace[0])
        p->settings.own_namespace = p->connection.config.ns ? p->connection.config.ns : "default";
    stashd_settings_operator(s, &p->operator_settings);
    set_identity(p);
    p->connection.kube.log = &p->log;
    p->operator = operator_new(&(struct operator_options){.env = p->env,
                                                          .kube = &p->connection.kube,
                                                          .log = &p->log,
                                                          .settings = &p->operator_settings,
                                                          .registry = p->registry,
                                                          .concurrency = (unsigned)s->concurrency,
                                                          .qps = (double)s->qps,
                                                          .burst = (double)s->burst,
                                                          .drain_ms = DRAIN_MS,
                                                          .watch_namespace = s->namespaces.n ? s->namespaces.items[0]
                                                                                             : NULL,
                                                          .identity = s->leader_elect ? p->identity : NULL,
                                                          .address = p->address,
                                                          .on_lead = lead_changed,
                                                          .on_invoker_gone = invoker_gone,
                                                          .on_push = session_ended,
                                                          .ctx = p});
}

static int run(struct program *p, struct error *e)
{
    int rc = stashd_connect(&p->connection, p->env, p->settings.kubeconfig, p->settings.context, e);

    if (rc < 0) {
        kubeconfig_done(&p->connection.config);
        return rc;
    }
    p->registry = registry_new();
    make_operator(p);
    log_info(&p->log, "starting", F_STR("version", STASHD_VERSION), F_STR("server", p->connection.config.server),
             F_STR("identity", p->identity));
    rc = start_web(p, e);
    if (rc == 0)
        rc = start_webhook(p, e);
    if (rc == 0) {
        operator_start(p->operator);
        env_uv_on_signal(p->env, on_signal, p);
        stashd_memory_start(&p->memory, p->env);
        env_uv_run_until(p->env, &p->stopping);
        stashd_memory_stop(&p->memory);
        env_uv_on_signal(p->env, NULL, NULL);
        stop_webhook(p);
        stop_operator(p);
    } else {
        operator_free(p->operator);
    }
    stop_web(p);
    disconnect(p);
    registry_free(p->registry);
    return rc;
}

int main(int argc, char **argv)
{
    struct program p = {0};
    struct error e;
    int rc;

    job_harden(); /* tokens are in this memory: no core file, nobody looks in */
    stashd_memory_set_up();
    mem_install((unsigned)getpid() ^ (unsigned)(uintptr_t)&p);
    if (config_parse(&stashd_config, argc, (const char *const *)argv, (const char *const *)environ, &p.settings, NULL,
                     NULL, &e) < 0 ||
        stashd_settings_check(&p.settings, &e) < 0) {
        (void)fprintf(stderr, "stashd: %s\n", e.msg);
        config_done(&stashd_config, &p.settings);
        return EXIT_USAGE;
    }
    if (p.settings.help || p.settings.version) {
        if (p.settings.help)
            config_help(&stashd_config, stdout);
        else
            (void)printf("stashd %s\n", STASHD_VERSION);
        config_done(&stashd_config, &p.settings);
        return 0;
    }
    p.env = env_uv_new();
    set_up_log(&p);
    rc = run(&p, &e);
    if (rc < 0)
        log_error(&p.log, "could not start", F_ERR(&e));
    else
        log_info(&p.log, "stopped");
    env_uv_free(p.env);
    config_done(&stashd_config, &p.settings);
    return rc < 0 ? EXIT_START : 0;
}
