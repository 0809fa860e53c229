/*
 * repo_check: whether a repository is whole, and how big it is: after a backup (update_status_post.c) and in a Job of
 * its own (maintain.c).
 */
#ifndef STASHD_REPO_CHECK_H
#define STASHD_REPO_CHECK_H

#include "controllers/job/repo.h"

/*
 * restic check, first without a lock; what looks like damage then counts only when it is found again with one, alone
 * with the repository. wait_s: as for repo_wait_unlocked. 0: it ran; with *ret_whole false e says what is
 * wrong. Else it could not be told.
 */
int repo_check_run(struct repo *r, uint64_t wait_s, bool *ret_whole, struct error *e) NODISCARD;

/* Bytes of all its data. tries: 1, or 2: once more with a lock when it failed without. */
int repo_check_size(struct repo *r, int tries, uint64_t wait_s, int64_t *ret_bytes, struct error *e) NODISCARD;

#endif
