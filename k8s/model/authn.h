/*
 * authn: who asks: a client certificate's subject (CN the name, each O a group), a bearer token (of model_add_token or
 * of a ServiceAccount), or nobody (system:anonymous); and impersonation.
 */
#ifndef STASHD_MODEL_AUTHN_H
#define STASHD_MODEL_AUTHN_H

#include "k8s/model/request.h"

/* groups separated by ','; system:authenticated and a ServiceAccount's groups are added. */
struct user *authn_user_new(const char *name, const char *uid, const char *groups);
void authn_user_free(struct user *u);

/* The user of the request's exchange; NULL: bad credentials (401). Freed by the caller. */
struct user *authn_user(struct request *q);
/* Somebody of the same process, in system:masters. Stays the model's. */
const struct user *authn_trusted(struct model *m, const char *name);
/* Whose token it is; NULL: nobody's. Freed by the caller. */
struct user *authn_token(struct model *m, struct str token);
/* Impersonate-User and -Group: q->user becomes another (freed by model_serve). 0, or the refusal. */
int authn_impersonate(struct request *q);

/* Users that the model keeps are freed with it. */
void authn_done(struct model *m);

#endif
