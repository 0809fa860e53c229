/*
 * stashd_webhook: see stashd_webhook.h. A look every minute, one request at a time:
 *
 *   read the Secret (or the files) -> serve what it holds -> leader: write what rotation_next says
 *     -> leader: read each webhook configuration, give it the CAs -> test that the API server asks us
 */
#include "core/cmd/stashd_webhook.h"

#include <stdio.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/cert.h"

enum {
    LOOK_MIN_MS = 5000,  /* one look in a hundredth of a certificate's life, which is renewed when a third is left */
    LOOK_MAX_MS = 60000,
    SOON_MS = 500,       /* after a write, and until a certificate is there */
    TEST_MAX_MS = 60000, /* from one self test that failed to the next: a server takes seconds to know of the webhook */
    IDLE_S = 300,        /* API servers close idle connections after 90 s: they, not we, so that no request is lost */
    BODY_MAX = 2 * LIMIT_REQUEST_BODY, /* an object and what it was before */
};

static const struct kind secrets = {.id = N_KINDS, .group = "", .version = "v1", .name = "Secret", .plural = "secrets",
                                    .namespaced = true};
static const struct kind configurations = {.id = N_KINDS,
                                           .group = "admissionregistration.k8s.io",
                                           .version = "v1",
                                           .name = "ValidatingWebhookConfiguration",
                                           .plural = "validatingwebhookconfigurations"};

static const char *const of_name[] = {"name", NULL};

static void publish(struct stashd_webhook *w);

/* ---- making certificates ---- */

static int make_pair(void *ctx, int64_t from_s, int64_t to_s, struct rotation_pair *ret, struct error *e)
{
    const struct stashd_webhook *w = ctx;
    const char *service = w->settings->webhook_service[0] ? w->settings->webhook_service : w->settings->fullname;
    const char *ns = w->settings->own_namespace;
    AUTO_FREE char *short_name = mem_printf("%s.%s", service, ns), *name = mem_printf("%s.%s.svc", service, ns);
    const char *const names[] = {name, short_name, NULL};
    struct cert ca = {0}, own = {0};
    int rc = cert_make(&(struct cert_spec){.common_name = "stashd webhook CA", .ca = true, .from_unix_s = from_s,
                                           .to_unix_s = to_s},
                       NULL, &ca, e);

    if (rc == 0)
        rc = cert_make(&(struct cert_spec){.common_name = service, .names = names, .from_unix_s = from_s,
                                           .to_unix_s = to_s},
                       &ca, &own, e);
    if (rc == 0) {
        *ret = (struct rotation_pair){mem_strdup(ca.cert_pem), own.cert_pem, own.key_pem};
        own = (struct cert){0};
    }
    cert_done(&own);
    cert_done(&ca); /* its key has signed the one certificate that it is for */
    return rc;
}

static void drop_pair(struct rotation_pair *pair)
{
    struct cert own = {pair->cert_pem, pair->key_pem};

    cert_done(&own);
    mem_free(pair->ca_pem);
}

/* ---- the look ---- */

static bool self_made(const struct stashd_webhook *w)
{
    return strcmp(w->settings->webhook_tls, "self") == 0;
}

static int64_t now_s(const struct stashd_webhook *w)
{
    return env_wall_ms(w->env) / 1000;
}

static void end_if_quiet(struct stashd_webhook *w)
{
    w->ended = w->stopping && w->web_stopped && !w->calling && !w->admission.n_open;
}

static int64_t pause_ms(const struct stashd_webhook *w)
{
    int64_t ms = w->settings->webhook_lifetime_ns / 1000000 / 100;

    if (w->wrote || !w->loaded)
        return SOON_MS;
    if (!w->verified && w->test_pause_ms && w->test_pause_ms < ms)
        return w->test_pause_ms;
    return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : ms;
}

static void finish_look(struct stashd_webhook *w)
{
    int64_t left_s = w->rotation.current.expires_s - now_s(w);

    if (w->rotation.current.expires_s)
        metric_set(w->expiry_gauge, (const char *const[]){"webhook"}, (double)left_s);
    json_decref(w->secret);
    w->secret = NULL;
    end_if_quiet(w);
    if (!w->stopping)
        timer_set_in(w->env, &w->tick, pause_ms(w));
}

/* Once for each trouble, not with every look. */
static void complain(struct stashd_webhook *w, const char *what, const struct error *e)
{
    char text[sizeof(w->said)];

    (void)snprintf(text, sizeof(text), "%s: %s", what, e->msg);
    if (strcmp(text, w->said) == 0)
        return;
    memcpy(w->said, text, sizeof(text));
    log_warn(w->log, "webhook", F_STR("what", what), F_ERR(e));
}

static void start_call(struct stashd_webhook *w, const struct kube_call *c)
{
    w->call = *c;
    w->call.data = w;
    w->call.timeout_ms = 10000;
    w->calling = true;
    kube_start(w->kube, &w->call);
}

/* False: we are being stopped. */
static bool call_ended(struct stashd_webhook *w)
{
    w->calling = false;
    if (!w->stopping)
        return true;
    finish_look(w);
    return false;
}

/* ---- the self test (snapshots-api.md 6) ---- */

static void test_done(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct stashd_webhook *w = c->data;
    struct error none;

    (void)object;
    if (!call_ended(w))
        return;
    w->verified = rc == ERR_DENIED && strstr(e->msg, "admission webhook") && strstr(e->msg, "denied the request");
    metric_set(w->verified_gauge, NULL, w->verified);
    if (w->verified) {
        log_info(w->log, "the API server asks the webhook");
    } else {
        (void)error_set(&none, ERR_NOTFOUND, "the object was accepted");
        complain(w, "the API server does not ask the webhook yet", rc < 0 ? e : &none);
    }
    finish_look(w);
}

/* An object that the schema lets pass and only the webhook refuses; never stored. */
static void test(struct stashd_webhook *w)
{
    int64_t now = env_wall_ms(w->env);
    json_t *body;

    if (w->verified || !w->loaded || !operator_synced(w->operator) ||
        (w->tested_ms && now - w->tested_ms < w->test_pause_ms)) {
        finish_look(w);
        return;
    }
    w->tested_ms = now;
    w->test_pause_ms = w->test_pause_ms ? 2 * w->test_pause_ms : SOON_MS;
    if (w->test_pause_ms > TEST_MAX_MS)
        w->test_pause_ms = TEST_MAX_MS;
    body = json_pack("{s:{s:s, s:s}, s:{s:{s:{s:s}}}}", "metadata", "name", "stash-webhook-test", "namespace",
                     w->settings->own_namespace, "spec", "backend", "rest", "url", "no-scheme");
    start_call(w, &(struct kube_call){.verb = KUBE_CREATE, .kind = kind_get(KIND_REPOSITORY),
                                      .ns = w->settings->own_namespace, .query = "dryRun=All", .body = body,
                                      .on_done = test_done});
    json_decref(body);
}

/* ---- the CAs in the webhook configurations ---- */

static void configuration_patched(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct stashd_webhook *w = c->data;

    (void)object;
    if (!call_ended(w))
        return;
    if (rc < 0 && rc != ERR_CONFLICT)
        complain(w, "the CAs could not be written into the webhook configuration", e);
    w->wrote = true; /* read back soon */
    w->config++;
    publish(w);
}

/* A copy of the list of webhooks with our CAs; NULL when they have them. */
static json_t *with_bundle(const json_t *object, const char *bundle)
{
    json_t *list = json_deep_copy(json_object_get(object, "webhooks")), *it;
    bool differs = false;
    struct buf text;
    size_t i;

    buf_init(&text, LIMIT_STRING * 4);
    base64_encode(&text, str_of(bundle));
    json_array_foreach (list, i, it) {
        if (strcmp(json_text(it, "clientConfig.caBundle"), text.data) == 0)
            continue;
        differs = true;
        json_object_set_new(json_object_get(it, "clientConfig"), "caBundle", json_string(text.data));
    }
    buf_done(&text);
    if (differs)
        return list;
    json_decref(list);
    return NULL;
}

static void configuration_read(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct stashd_webhook *w = c->data;
    json_t *list, *patch;

    if (!call_ended(w))
        return;
    list = rc == 0 ? with_bundle(object, w->rotation.bundle) : NULL;
    if (rc < 0) {
        complain(w, "the webhook configuration could not be read", e);
        w->all_equal &= rc == ERR_NOTFOUND; /* none: nobody has to be told */
    }
    if (!list) {
        w->config++;
        publish(w);
        return;
    }
    w->all_equal = false;
    patch = json_pack("{s:{s:s}, s:o}", "metadata", "resourceVersion", json_text(object, "metadata.resourceVersion"),
                      "webhooks", list);
    start_call(w, &(struct kube_call){.verb = KUBE_PATCH, .kind = &configurations,
                                      .name = w->settings->webhook_configurations.items[w->config], .body = patch,
                                      .on_done = configuration_patched});
    json_decref(patch);
}

/* From w->config on. */
static void publish(struct stashd_webhook *w)
{
    if (w->config < w->settings->webhook_configurations.n) {
        start_call(w, &(struct kube_call){.verb = KUBE_GET, .kind = &configurations,
                                          .name = w->settings->webhook_configurations.items[w->config],
                                          .on_done = configuration_read});
        return;
    }
    if (w->all_equal && !str_same(w->published, w->rotation.bundle)) {
        mem_free(w->published);
        w->published = mem_strdup(w->rotation.bundle);
        log_info(w->log, "webhook configurations have the CAs");
    }
    test(w);
}

/* ---- the certificate ---- */

/* Serves it unless it is served already. */
static void load(struct stashd_webhook *w, const char *cert, const char *key)
{
    char *both = mem_printf("%s%s", cert, key);
    struct error e;

    if (str_same(both, w->loaded)) {
        mem_free(both);
        return;
    }
    if (web_set_certificate(w->web, str_of(cert), str_of(key), &e) < 0) {
        complain(w, "the certificate can't be served", &e);
        mem_free(both);
        return;
    }
    log_info(w->log, "serving the webhook with a certificate", F_INT("port", web_port(w->web)));
    if (w->loaded)
        mem_wipe(w->loaded, strlen(w->loaded));
    mem_free(w->loaded);
    w->loaded = both;
}

static void secret_written(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct stashd_webhook *w = c->data;

    (void)object;
    if (!call_ended(w))
        return;
    if (rc < 0 && rc != ERR_CONFLICT && rc != ERR_EXISTS)
        complain(w, "the certificate's Secret could not be written", e);
    w->wrote = rc == 0; /* what was written is read back before anybody is told of it */
    finish_look(w);
}

static void write_secret(struct stashd_webhook *w, json_t *body)
{
    const char *ns = w->settings->own_namespace, *key;
    json_t *value;
    void *at;

    if (w->secret) {
        json_object_set_new(body, "metadata",
                            json_pack("{s:s}", "resourceVersion", json_text(w->secret, "metadata.resourceVersion")));
        start_call(w, &(struct kube_call){.verb = KUBE_PATCH, .kind = &secrets, .ns = ns, .name = w->secret_name,
                                          .body = body, .on_done = secret_written});
        return;
    }
    json_object_foreach_safe (json_object_get(body, "data"), at, key, value)
        if (json_is_null(value))
            json_object_del(json_object_get(body, "data"), key);
    json_object_set_new(body, "metadata", json_pack("{s:s, s:s}", "name", w->secret_name, "namespace", ns));
    json_object_set_new(body, "type", json_string("kubernetes.io/tls"));
    start_call(w, &(struct kube_call){.verb = KUBE_CREATE, .kind = &secrets, .ns = ns, .body = body,
                                      .on_done = secret_written});
}

static void lead(struct stashd_webhook *w)
{
    bool published = str_same(w->published, w->rotation.bundle);
    const char *what;
    json_t *body;
    struct error e;

    if (rotation_next(&w->rotation, &w->rules, now_s(w), published, &body, &what, &e) < 0)
        complain(w, "no certificate could be made", &e);
    if (!body) {
        w->config = 0;
        w->all_equal = true;
        publish(w);
        return;
    }
    log_info(w->log, "webhook certificate", F_STR("what", what));
    write_secret(w, body);
    json_decref(body);
}

static void secret_read(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct stashd_webhook *w = c->data;

    if (!call_ended(w))
        return;
    if (rc < 0 && rc != ERR_NOTFOUND) {
        complain(w, "the certificate's Secret could not be read", e);
        finish_look(w);
        return;
    }
    w->secret = rc == 0 ? json_incref((json_t *)object) : NULL;
    arena_reset(&w->arena);
    rotation_read(w->secret, &w->rules, &w->arena, &w->rotation);
    if (w->rotation.current.expires_s)
        load(w, w->rotation.current.cert, w->rotation.current.key);
    if (operator_leads(w->operator))
        lead(w);
    else
        test(w);
}

static int read_file(const char *folder, const char *name, struct buf *out, struct error *e)
{
    AUTO_FREE char *path = mem_printf("%s/%s", folder, name);

    return env_uv_read_file(path, out, e);
}

/* The files of a mounted Secret change by a renamed link: read both, and take a pair that fits. */
static void read_files(struct stashd_webhook *w)
{
    struct buf cert, key;
    int64_t from_s;
    struct error e;

    buf_init(&cert, LIMIT_STRING);
    buf_init(&key, LIMIT_STRING);
    if (read_file(w->settings->webhook_cert_dir, "tls.crt", &cert, &e) < 0 ||
        read_file(w->settings->webhook_cert_dir, "tls.key", &key, &e) < 0) {
        complain(w, "the certificate can't be read", &e);
    } else {
        load(w, cert.data, key.data);
        if (cert_times(cert.data, &from_s, &w->rotation.current.expires_s, NULL) < 0)
            w->rotation.current.expires_s = 0; /* load has complained */
    }
    mem_wipe(key.data, key.len);
    buf_done(&key);
    buf_done(&cert);
    test(w);
}

static void on_tick(struct timer *t)
{
    struct stashd_webhook *w = t->data;

    w->wrote = false;
    if (!self_made(w)) {
        read_files(w);
        return;
    }
    start_call(w, &(struct kube_call){.verb = KUBE_GET, .kind = &secrets, .ns = w->settings->own_namespace,
                                      .name = w->secret_name, .on_done = secret_read});
}

/* ---- life ---- */

static bool knows(void *ctx)
{
    const struct stashd_webhook *w = ctx;

    return operator_synced(w->operator);
}

static void web_ended(void *ctx)
{
    struct stashd_webhook *w = ctx;

    w->web_stopped = true;
    end_if_quiet(w);
}

static void admission_idle(void *ctx)
{
    end_if_quiet(ctx);
}

int stashd_webhook_start(struct stashd_webhook *w, struct error *e)
{
    const struct stashd_settings *s = w->settings;

    w->admission = (struct admission_server){.kube = w->kube,
                                             .settings = w->operator_settings,
                                             .cache = operator_cache(w->operator),
                                             .knows = knows,
                                             .on_idle = admission_idle,
                                             .ctx = w};
    admission_serve_init(&w->admission);
    w->rules = (struct rotation_rules){s->webhook_lifetime_ns / 1000000000, make_pair, drop_pair, cert_times, w};
    w->secret_name = s->webhook_secret[0] ? mem_strdup(s->webhook_secret) : mem_printf("%s-tls", s->fullname);
    arena_init(&w->arena);
    timer_init(&w->tick, on_tick, w);
    w->verified_gauge = registry_add(w->registry, METRIC_GAUGE, "stash_operator_webhook_verified",
                                     "1 once the API server was seen to ask the webhook.", NULL, NULL, 0);
    w->expiry_gauge = registry_add(w->registry, METRIC_GAUGE, "stash_operator_tls_expiry_seconds",
                                   "Seconds until a certificate that is served expires.", of_name, NULL, 0);
    metric_set(w->verified_gauge, NULL, 0);
    w->web = web_start(&(struct web_options){.env = w->env, .address = s->webhook_address,
                                             .port = (uint16_t)s->webhook_port, .body_max = BODY_MAX, .tls = true,
                                             .idle_s = IDLE_S, .handler = admission_serve, .ctx = &w->admission},
                       e);
    if (!w->web)
        return error_wrap(e, e->code, "--webhook-port=%u", (unsigned)s->webhook_port);
    timer_set_in(w->env, &w->tick, 0);
    return 0;
}

void stashd_webhook_stop(struct stashd_webhook *w)
{
    w->stopping = true;
    timer_clear(w->env, &w->tick);
    if (w->calling)
        kube_cancel(&w->call);
    admission_serve_stop(&w->admission);
    web_stop(w->web, web_ended, w);
}

void stashd_webhook_done(struct stashd_webhook *w)
{
    if (w->loaded)
        mem_wipe(w->loaded, strlen(w->loaded));
    mem_free(w->loaded);
    mem_free(w->published);
    mem_free(w->secret_name);
    arena_done(&w->arena);
}

bool stashd_webhook_ready(const struct stashd_webhook *w)
{
    return w->loaded != NULL;
}
