/*
 * update_status: `stash-job update-status`: the last step of a Job: output.json into the session's status, and after
 * the last target of a backup retention, check and size of the repository (worker.md 6).
 */
#ifndef STASHD_UPDATE_STATUS_H
#define STASHD_UPDATE_STATUS_H

struct job;
struct apiserver;

/* The whole sub-command; see restore_main. 1 when the status could not be written. */
int update_status_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

/* The same on a connection that is there (taken); NULL: by the flags. */
int update_status_with(struct job *j, struct apiserver *api_take, int argc, const char *const *argv,
                       const char *const *envp);

#endif
