/*
 * probe: `stash-job probe-storage-secret`: has the mounted storage Secret what its provider needs? It calls no API
 * server, and of a value it only sees whether it is empty.
 */
#ifndef STASHD_PROBE_H
#define STASHD_PROBE_H

#include "controllers/job/secrets.h"

struct job;

enum { PROBE_EXIT_MISSING = 4 };

/* The whole sub-command; see restore_main. 4: something is missing, said in one line on stderr and in
 * /dev/termination-log. */
int probe_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

/* Pure: 0, or ERR_INVALID with that line: what is missing and how to add it. n == 0 keys: there is no such Secret. */
int probe_check(struct secrets *s, const char *provider, const char *ns, const char *name, struct error *e) NODISCARD;

/* A line on stderr and, inside a pod, as its termination message. */
void probe_last_words(const char *line);

#endif
