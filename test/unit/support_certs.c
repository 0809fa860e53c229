/* support_certs: see support_certs.h. */
#include "test.h"

#include <time.h>

#include "test/unit/support_certs.h"

static void make(const char *cn, const char *o, const char *const *names, bool ca, int64_t age_s,
                 const struct cert *issuer, struct cert *ret)
{
    int64_t now = (int64_t)time(NULL);
    struct cert_spec spec = {.common_name = cn,
                             .organization = o,
                             .names = names,
                             .ca = ca,
                             .from_unix_s = now - 3600 - age_s,
                             .to_unix_s = now + 3600 - age_s};
    struct error e;

    assert_int_equal(cert_make(&spec, issuer, ret, &e), 0);
}

void support_certs_make(struct certs *c)
{
    const char *const names[] = {"localhost", "127.0.0.1", "::1", NULL};

    make("test CA", NULL, NULL, true, 0, NULL, &c->ca);
    make("server", NULL, names, false, 0, &c->ca, &c->server);
    make("admin", "system:masters", NULL, false, 0, &c->ca, &c->client);
    make("other CA", NULL, NULL, true, 0, NULL, &c->other_ca);
    make("admin", "system:masters", NULL, false, 0, &c->other_ca, &c->other_client);
    make("server", NULL, names, false, 7200, &c->ca, &c->expired);
}

void support_certs_done(struct certs *c)
{
    cert_done(&c->ca);
    cert_done(&c->server);
    cert_done(&c->client);
    cert_done(&c->other_ca);
    cert_done(&c->other_client);
    cert_done(&c->expired);
}

struct tls_context *support_server_context(const struct certs *c, const char *alpn, bool need_client)
{
    struct tls_options o = {.server = true,
                            .want_client_cert = true,
                            .need_client_cert = need_client,
                            .ca_pem = str_of(c->ca.cert_pem),
                            .cert_pem = str_of(c->server.cert_pem),
                            .key_pem = str_of(c->server.key_pem),
                            .alpn = alpn};
    struct error e;
    struct tls_context *t = tls_context_new(&o, &e);

    assert_non_null(t);
    return t;
}

struct tls_context *support_client_context(const struct certs *c, const char *alpn, bool with_cert)
{
    struct tls_options o = {.ca_pem = str_of(c->ca.cert_pem), .alpn = alpn, .server_name = "localhost"};
    struct error e;
    struct tls_context *t;

    if (with_cert) {
        o.cert_pem = str_of(c->client.cert_pem);
        o.key_pem = str_of(c->client.key_pem);
    }
    t = tls_context_new(&o, &e);
    assert_non_null(t);
    return t;
}
