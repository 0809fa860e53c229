/*
 * devkube_pki: a certificate authority of its own for one devkube, made at its first start and kept in the state
 * folder: ca, the server's certificate, and the administrator's client certificate (O=system:masters).
 */
#ifndef STASHD_DEVKUBE_PKI_H
#define STASHD_DEVKUBE_PKI_H

#include "core/base/buf.h"
#include "core/base/error.h"

struct devkube_pki {
    struct buf ca, server_cert, server_key, admin_cert, admin_key; /* PEM */
};

/* Reads <state>/pki/…, making what is absent. address: an IP
 * that goes into the server's certificate beside localhost. */
int devkube_pki_load(struct devkube_pki *p, const char *state, const char *address, struct error *e) NODISCARD;
void devkube_pki_done(struct devkube_pki *p); /* wipes the keys */

#endif
