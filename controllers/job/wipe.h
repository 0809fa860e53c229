/*
 * wipe: `stash-job wipe-repository`: takes all data out of a restic repository, by restic: forgets each snapshot and
 * prunes. What is left is a repository without content (its config and keys), as with REST servers that nobody may
 * list. The operator's Job runs it when a Repository with wipeOut is deleted; it calls no API server.
 */
#ifndef STASHD_WIPE_H
#define STASHD_WIPE_H

struct job;

/*
 * The whole sub-command; see restore_main. 0: no data is left, or there never was a repository; 1: it failed; 4
 * (PROBE_EXIT_MISSING): the storage Secret or a key of it is missing. The reason is one line on stderr and in
 * /dev/termination-log.
 */
int wipe_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

#endif
