/*
 * check_install: `stash-job check-installation`: what `helm test` runs. It asks the API server for what a working
 * installation must do: accept a good Repository, refuse a bad one (both as dry runs), and show a leader that is alive.
 */
#ifndef STASHD_CHECK_INSTALL_H
#define STASHD_CHECK_INSTALL_H

#include "controllers/job/apiserver.h"

/* The whole sub-command: a line a check on stdout. 0: all is well; 1: something is not; 2: wrong flags. */
int check_install_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

/* Each check writes its good news into text, or fails with ERR_INVALID and what to do. */
int check_install_repository(struct apiserver *api, const char *ns, bool good, char text[256],
                             struct error *e) NODISCARD;
int check_install_leader(struct apiserver *api, const char *ns, const char *lease, int64_t now_s, char text[256],
                         struct error *e) NODISCARD;

/* Waits until the server serves Functions and Tasks: right after their kinds were made it does not yet. */
int check_install_kinds(struct job *j, struct apiserver *api, char text[256], struct error *e) NODISCARD;

#endif
