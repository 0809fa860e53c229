/*
 * create_session: `stash-job create-backupsession`: what a CronJob's pod does (controllers.md 5.2): one BackupSession
 * for the second that its Job was scheduled for. So a pod that is tried again makes the same one, and so does the
 * operator when it takes the schedule over.
 */
#ifndef STASHD_CREATE_SESSION_H
#define STASHD_CREATE_SESSION_H

#include "controllers/job/apiserver.h"

/* The variable with the Job's name: from the pod's label batch.kubernetes.io/job-name. */
#define CREATE_SESSION_JOB_ENV "JOB_NAME"

/* The whole sub-command. 0: the session is there; 1: it is not; 2: wrong flags. */
int create_session_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

struct create_session {
    const char *ns;
    const char *invoker_kind, *invoker_name;
    const char *job; /* "" or NULL: run by hand, then the session is for now_s */
    int64_t now_s;
};

/*
 * Makes it, or finds that it is there and the same invoker's. *ret_name (mem_free) is its name, *ret_made false when it
 * was there. ERR_INVALID: no kind that is run, or a name is missing; ERR_NOTFOUND: no such invoker or Job; ERR_EXISTS:
 * another one's has the name.
 */
int create_session(struct apiserver *api, const struct create_session *c, char **ret_name, bool *ret_made,
                   struct error *e) NODISCARD;

#endif
