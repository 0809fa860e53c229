/*
 * claim: who may make a repository that is not there yet. restic has no lock before there is a repository: of two
 * "restic init" at the same moment both succeed, and nobody can read what they made (two keys, one config). So whoever
 * makes it says so first in the Repository's condition BackendRepositoryInitialized, by a write that only one can win;
 * the others wait until it is there. Between clusters there is nothing to write to: one of
 * them has to make its first backup before the other begins.
 */
#ifndef STASHD_CLAIM_H
#define STASHD_CLAIM_H

#include "controllers/job/session.h"

/* Makes sure that the repository exists; s: with its invoker. ERR_TIMEOUT after s->wait_s. */
int claim_ensure(struct session *s, struct repo *repo, bool *ret_created, struct error *e) NODISCARD;

#endif
