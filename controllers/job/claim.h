/*
 * claim: who may make a repository that is not there yet. restic has no lock before there is a repository: of two
 * "restic init" at the same moment both succeed, and what they leave is two keys and the configuration of whoever came
 * last. As long as the first key in the backend's order is his, all is well; else nobody can open it.
 *
 * In one cluster whoever makes it says so first in the Repository's condition BackendRepositoryInitialized, by a write
 * that only one can win; the others wait. On a volume, which several clusters may have mounted, a file is locked. On
 * other backends there is nothing between clusters that could be locked. There it is made within a bounded time, and
 * nobody, neither who made it nor who found it for the first time, writes any data before that time is over for all: so
 * what is found then stays as it is. When it does not open, no data is lost, and the error says what to do.
 */
#ifndef STASHD_CLAIM_H
#define STASHD_CLAIM_H

#include "controllers/job/session.h"

/* Makes sure that the repository exists, and that it stays as it is; s: with its invoker. ERR_TIMEOUT after s->wait_s,
 * or when it could not be made in time. */
int claim_ensure(struct session *s, struct repo *repo, bool *ret_created, struct error *e) NODISCARD;

/* ---- parts ---- */

/* On a volume: *ret_fd is locked, for claim_unlock_folder; -1: files cannot be locked there. ERR_TIMEOUT: wait_s. */
int claim_lock_folder(struct job *j, const char *folder, uint64_t wait_s, int *ret_fd, struct error *e) NODISCARD;
void claim_unlock_folder(const char *folder, int fd);

#endif
