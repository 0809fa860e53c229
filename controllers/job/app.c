/*
 * app: see app.h. The AppBinding's service wins over its URL; a URL may be a URL or a Go DSN such as "tcp(db:3306)/".
 */
#include "controllers/job/app.h"

#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/mem.h"

/* ---- where it is ---- */

static int bad_url(const char *url, struct error *e)
{
    (void)url; /* it may hold a password */
    return error_set(e, ERR_INVALID, "the AppBinding's url is neither a URL with a port nor a DSN");
}

/* "host:port", "[v6]:port" into a. */
static int take_host_port(struct app *a, struct str s, bool port_needed, struct error *e)
{
    struct str host = s, port = STR_NONE;
    uint64_t n = 0;

    if (s.n && s.p[0] == '[') {
        const char *end = memchr(s.p, ']', s.n);

        if (!end)
            return bad_url("", e);
        host = (struct str){s.p + 1, (size_t)(end - s.p) - 1};
        if (end + 1 < s.p + s.n && end[1] == ':')
            port = (struct str){end + 2, (size_t)(s.p + s.n - end) - 2};
    } else if (memchr(s.p ? s.p : "", ':', s.n)) {
        const char *colon = memchr(s.p, ':', s.n);

        host = (struct str){s.p, (size_t)(colon - s.p)};
        port = (struct str){colon + 1, (size_t)(s.p + s.n - colon) - 1};
    }
    if (!host.n || (port_needed && !port.n) || (port.n && (str_to_u64(port, &n) < 0 || n == 0 || n > 65535)))
        return bad_url("", e);
    a->host = mem_strndup(host.p, host.n);
    a->port = (uint16_t)n;
    return 0;
}

static int take_url(struct app *a, const char *url, struct error *e)
{
    struct str s = str_of(url);
    const char *scheme = strstr(url, "://"), *open = strchr(url, '('), *end;

    if (scheme) {
        s.p = scheme + 3;
        s.n = strcspn(s.p, "/?#");
        end = memrchr(s.p, '@', s.n);
        if (end) { /* user info is not used: the Secret has it */
            s.n = (size_t)(s.p + s.n - end) - 1;
            s.p = end + 1;
        }
        return take_host_port(a, s, true, e);
    }
    if (open && (end = strchr(open, ')')))
        return take_host_port(a, (struct str){open + 1, (size_t)(end - open) - 1}, false, e);
    return bad_url(url, e);
}

static int take_place(struct app *a, const json_t *o, struct error *e)
{
    const json_t *config = json_at(o, "spec.clientConfig"), *service = json_object_get(config, "service");
    const char *name = json_text(service, "name"), *ns = json_text(service, "namespace");

    if (service) {
        if (!*name)
            return error_set(e, ERR_INVALID, "the AppBinding's service has no name");
        a->host = mem_printf("%s.%s.svc", name, *ns ? ns : a->ns);
        a->port = (uint16_t)json_int(service, "port", 0);
        return 0;
    }
    if (*json_text(config, "url"))
        return take_url(a, json_text(config, "url"), e);
    return error_set(e, ERR_INVALID, "the AppBinding has neither a service nor a url");
}

int app_init_plain(struct app *a, const json_t *o, struct error *e)
{
    *a = (struct app){.name = json_text(o, "metadata.name"), .ns = json_text(o, "metadata.namespace")};
    a->address = mem_strdup(json_text(o, "spec.parameters.address"));
    a->group = mem_strdup(json_text(o, "spec.parameters.group"));
    a->sst_method = mem_strdup(json_text(o, "spec.parameters.sstMethod"));
    a->server_name = mem_strdup(json_text(o, "spec.clientConfig.serverName"));
    a->insecure_skip_verify = json_flag(o, "spec.clientConfig.insecureSkipTLSVerify", false);
    if (guard_settings_read(&a->guard, json_at(o, "spec.parameters.donor"), e) < 0)
        return e->code;
    return take_place(a, o, e);
}

/* ---- its Secrets ---- */

static int read_secret(const struct app_sources *from, const char *dir, const char *ns, const char *name,
                       struct secrets *out, struct error *e)
{
    int rc;

    if (dir && access(dir, R_OK) == 0)
        rc = secrets_read_dir(out, dir, e);
    else if (from->fetch)
        rc = from->fetch(from->ctx, ns, name, out, e);
    else
        rc = error_set(e, ERR_NOTFOUND, "it is not mounted");
    return rc < 0 ? error_wrap(e, rc, "Secret %s/%s", ns, name) : 0;
}

struct more {
    const struct app_sources *from;
    const char *ns;
    struct secrets last;
};

static struct secrets *read_more(void *ctx, size_t n, const json_t *ref, struct error *e)
{
    struct more *m = ctx;
    AUTO_FREE char *dir = m->from->extra_dir ? mem_printf("%s%zu", m->from->extra_dir, n) : NULL;

    /* Always beside the AppBinding: who writes one may not name the Secrets of others (multitenancy.md 3.2). */
    secrets_done(&m->last);
    if (read_secret(m->from, dir, m->ns, json_text(ref, "name"), &m->last, e) < 0)
        return NULL;
    return &m->last;
}

static int read_login(struct app *a, const json_t *o, const struct app_sources *from, struct error *e)
{
    const char *name = json_text(o, "spec.secret.name");
    struct more m = {.from = from, .ns = a->ns};
    int rc;

    if (!*name)
        return error_set(e, ERR_INVALID, "AppBinding %s/%s names no Secret (spec.secret)", a->ns, a->name);
    rc = read_secret(from, from->app_dir, a->ns, name, &a->secrets, e);
    if (rc == 0)
        rc = secrets_transform(&a->secrets, json_at(o, "spec.secretTransforms"), read_more, &m, e);
    secrets_done(&m.last);
    if (rc < 0)
        return rc;
    if (!secrets_get(&a->secrets, "username").n)
        return error_set(e, ERR_INVALID, "Secret %s/%s has no key username", a->ns, name);
    if (!secrets_get(&a->secrets, "password").p)
        return error_set(e, ERR_INVALID, "Secret %s/%s has no key password", a->ns, name);
    return 0;
}

static int read_tls(struct app *a, const json_t *o, const struct app_sources *from, struct error *e)
{
    const char *name = json_text(o, "spec.tlsSecret.name"), *bundle = json_text(o, "spec.clientConfig.caBundle");
    struct secrets tls = {0};
    struct buf ca;
    int rc = 0;

    buf_init(&ca, SECRETS_VALUE_MAX);
    if (*name)
        rc = read_secret(from, from->tls_dir, a->ns, name, &tls, e);
    secret_set(&a->cert_pem, secrets_get(&tls, "tls.crt"));
    secret_set(&a->key_pem, secrets_get(&tls, "tls.key"));
    if (rc == 0 && *bundle && !base64_decode(&ca, str_of(bundle)))
        rc = error_set(e, ERR_INVALID, "the AppBinding's caBundle is no base64");
    else if (*bundle)
        secret_set(&a->ca_pem, buf_str(&ca));
    else if (secrets_get(&tls, "ca.crt").n)
        secret_set(&a->ca_pem, secrets_get(&tls, "ca.crt"));
    else
        secret_set(&a->ca_pem, secrets_get(&a->secrets, "ca.crt"));
    buf_done(&ca);
    secrets_done(&tls);
    return rc;
}

int app_init(struct app *a, const json_t *o, const struct app_sources *from, struct error *e)
{
    int rc = app_init_plain(a, o, e);

    if (rc == 0)
        rc = read_login(a, o, from, e);
    if (rc == 0)
        rc = read_tls(a, o, from, e);
    return rc;
}

void app_done(struct app *a)
{
    mem_free(a->host);
    mem_free(a->address);
    mem_free(a->group);
    mem_free(a->sst_method);
    mem_free(a->server_name);
    secrets_done(&a->secrets);
    secret_done(&a->ca_pem);
    secret_done(&a->cert_pem);
    secret_done(&a->key_pem);
    *a = (struct app){0};
}

void app_each_secret(const struct app *a, void (*fn)(void *ctx, struct str value), void *ctx)
{
    fn(ctx, secrets_get((struct secrets *)(uintptr_t)&a->secrets, "password"));
    fn(ctx, secret_str(&a->key_pem));
}

/* ---- the option file ---- */

/* In double quotes, with the escapes that the clients' reader undoes. */
static void put_option(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];

        if (c == '\\' || c == '"')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_puts(out, "\\n");
        else if (c == '\r')
            buf_puts(out, "\\r");
        else if (c == '\t')
            buf_puts(out, "\\t");
        else
            buf_putc(out, c);
    }
    buf_puts(out, "\"\n");
}

static void put_tls(const struct app *a, enum app_client client, bool names_match, const char *ca_path, struct buf *out)
{
    /* MariaDB's clients check the chain whenever ssl-ca is there, and from 11.4 on by themselves the name too. */
    if (client == APP_CLIENT_MARIADB) {
        if (ca_path || a->insecure_skip_verify)
            buf_printf(out, "ssl\nssl-verify-server-cert=%d\n", ca_path && names_match);
        return;
    }
    if (ca_path)
        buf_printf(out, "ssl-mode=%s\n", names_match ? "VERIFY_IDENTITY" : "VERIFY_CA");
    else if (a->insecure_skip_verify)
        buf_puts(out, "ssl-mode=REQUIRED\n");
}

void app_option_file(const struct app *a, enum app_client client, const char *host, uint16_t port, const char *ca_path,
                     const char *cert_path, const char *key_path, struct buf *out)
{
    struct secrets *s = (struct secrets *)(uintptr_t)&a->secrets;

    buf_puts(out, "[client]\n");
    put_option(out, "user", secrets_get(s, "username"));
    put_option(out, "password", secrets_get(s, "password"));
    put_option(out, "host", str_of(host ? host : a->host));
    buf_puts(out, "protocol=tcp\n");
    if (host ? port : a->port)
        buf_printf(out, "port=%u\n", host ? port : a->port);
    if (a->insecure_skip_verify)
        ca_path = NULL; /* with a CA both families' clients verify, whatever else is said */
    if (ca_path)
        put_option(out, "ssl-ca", str_of(ca_path));
    if (cert_path && key_path) {
        put_option(out, "ssl-cert", str_of(cert_path));
        put_option(out, "ssl-key", str_of(key_path));
    }
    put_tls(a, client, *a->server_name && str_same(a->server_name, host ? host : a->host), ca_path, out);
}
