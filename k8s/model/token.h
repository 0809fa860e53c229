/*
 * token: ServiceAccount tokens: JWTs signed with HMAC-SHA-256. The key is a Secret in kube-system, so that tokens
 * outlive a restart.
 */
#ifndef STASHD_MODEL_TOKEN_H
#define STASHD_MODEL_TOKEN_H

#include "k8s/model/request.h"

/* NULL: not one of ours, expired, or its account is gone. Freed by authn_user_free. */
struct user *token_user(struct model *m, struct str token);
/* For account (a ServiceAccount object), valid until unix_s; audience and pod (name and uid) may be NULL. mem_free. */
char *token_make(struct model *m, const json_t *account, const char *audience, const char *pod, const char *pod_uid,
                 int64_t until_s);
void token_done(struct model *m);

#endif
