/*
 * cert: makes certificates: a CA of one's own and what it signs, for the embedded cluster, webhooks and tests.
 * Keys are EC P-256. No clock: the caller says from when to when.
 */
#ifndef STASHD_CERT_H
#define STASHD_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct cert { /* both PEM */
    char *cert_pem, *key_pem;
};

struct cert_spec {
    const char *common_name;
    const char *organization; /* Kubernetes: the user's group; NULL */
    const char *const *names; /* subjectAltName: DNS names and addresses, NULL-terminated; NULL: none */
    bool ca;                  /* may sign others */
    int64_t from_unix_s, to_unix_s;
};

/* issuer NULL: signed by itself. ERR_INVALID for a name or an issuer that OpenSSL refuses. cert_done frees *ret. */
int cert_make(const struct cert_spec *spec, const struct cert *issuer, struct cert *ret, struct error *e) NODISCARD;
/* From when to when the first certificate of a PEM text is valid, in Unix seconds. ERR_INVALID: there is none in it. */
int cert_times(const char *pem, int64_t *ret_from_s, int64_t *ret_to_s, struct error *e) NODISCARD;
void cert_done(struct cert *c); /* wipes the key */

#endif
