/*
 * backup_main: `stash-job backup-percona-xtradb` (worker.md 3).
 */
#ifndef STASHD_BACKUP_MAIN_H
#define STASHD_BACKUP_MAIN_H

struct job;

/*
 * The whole sub-command. argv[0] is its name, then its flags; envp is the process's environment. j has its env, its
 * log and the SIGTERM handling; its folders are set here. Returns the exit status (worker.md 5): 0 also for a failed
 * backup whose output.json was written, 2 for wrong flags without a folder for it, 3 for a missing one, 143 after a
 * SIGTERM.
 */
int backup_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

#endif
