/* support_certs: a CA and certificates under it, made once per test program. */
#ifndef STASHD_SUPPORT_CERTS_H
#define STASHD_SUPPORT_CERTS_H

#include "core/net/cert.h"
#include "core/net/tls.h"

struct certs {
    struct cert ca, server, client; /* server: localhost, 127.0.0.1; client: CN=admin, O=system:masters */
    struct cert other_ca, other_client; /* of a CA that nobody trusts */
    struct cert expired;                /* a server's, of ca */
};

void support_certs_make(struct certs *c);
void support_certs_done(struct certs *c);

/* Contexts, alpn as given. need_client: the server refuses clients without a certificate. */
struct tls_context *support_server_context(const struct certs *c, const char *alpn, bool need_client);
struct tls_context *support_client_context(const struct certs *c, const char *alpn, bool with_cert);

#endif
