/*
 * refusal: what it means that a server or a donor refuses us, and which field of the AppBinding cures it. Pure.
 */
#ifndef STASHD_REFUSAL_H
#define STASHD_REFUSAL_H

#include "controllers/job/app.h"

/*
 * e: a failure of the database's client program. When waiting cannot cure it (a wrong password, a certificate that is
 * not accepted, TLS that one side demands and the other does not speak), e names AppBinding, field and remedy and the
 * code is ERR_DENIED; else e stays as it is. Returns e->code.
 */
int refusal_of_client(const struct app *app, struct error *e);

/* A failed TLS handshake with a donor, by TLS's own words: who refuses whose certificate, and what to do. */
void refusal_of_donor(const char *reason, char *out, size_t size);
/* The same for garbd and a member of the group. */
void refusal_of_group(const char *reason, char *out, size_t size);

#endif
