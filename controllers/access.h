/*
 * access: may an invoker look into another namespace? Its AppBinding is read by the operator, so what the operator says
 * of it must be no more than the account that the user named could see itself (multitenancy.md 3.2).
 */
#ifndef STASHD_ACCESS_H
#define STASHD_ACCESS_H

#include "controllers/controller.h"

enum { ACCESS_RETRY_S = 300 }; /* rights are not watched: when a denied one is looked at again */

/*
 * AppBinding ns/name for an invoker of own_ns: always in its own namespace, elsewhere if runtimeSettings.pod.
 * serviceAccountName of its unit may get it. False: *ret_why is the same whether it exists or not. Asks the API server:
 * with world_waiting(w) afterwards the answer means nothing.
 */
bool access_may_get_app(struct world *w, const char *own_ns, const json_t *unit, const char *ns, const char *name,
                        const char **ret_why);

#endif
