/*
 * maintain: `stash-job prune-repository`: frees what no snapshot needs any more, apart from the backups, since it takes
 * long and needs the repository for itself; `stash-job check-repository`: whether it is whole, apart from them for the
 * same reason; and `stash-job unlock-repository`: removes the locks that an ended pod left.
 *
 * restic removes a lock without waiting half an hour only when it is of its own host and the process is gone there. So
 * the operator, which knows that a pod has ended, gives the pod of unlock-repository that pod's name as its host name:
 * exactly the ended pod's locks are removed, by restic's own rule, and nobody else's. A pod can have one name only;
 * whose other locks there are is its last words, by which the operator knows whether another ended pod needs the like.
 */
#ifndef STASHD_MAINTAIN_H
#define STASHD_MAINTAIN_H

struct job;

/* Whole sub-commands; exit codes as wipe_main's. */
int maintain_prune_main(struct job *j, int argc, const char *const *argv, const char *const *envp);
int maintain_check_main(struct job *j, int argc, const char *const *argv, const char *const *envp);
int maintain_unlock_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

#endif
