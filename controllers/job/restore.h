/*
 * restore: `stash-job restore-percona-xtradb`: what a snapshot holds, back into a database: a dump through the client,
 * a physical backup into a data directory (worker.md 4).
 */
#ifndef STASHD_RESTORE_H
#define STASHD_RESTORE_H

struct job;

/*
 * The whole sub-command. argv[0] is its name, then its flags; envp is the process's environment. j has its env, its log
 * and the SIGTERM handling; scratch_dir and credential_dir are set here from the flags. Returns the exit status
 * (worker.md 5): 0 also for a failed restore whose output.json was written, 2 for wrong flags without a folder
 * for it.
 */
int restore_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

#endif
