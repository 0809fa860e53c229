/*
 * probe: `stash-job probe-storage-secret`: has the mounted storage Secret what its provider needs? It calls no API
 * server, and of a value it only sees whether it is empty.
 */
#ifndef STASHD_PROBE_H
#define STASHD_PROBE_H

#include "controllers/job/secrets.h"

struct job;

enum { PROBE_EXIT_MISSING = 4 };

/* The whole sub-command. 0: all is there; 1: the folder cannot be read; 2: wrong flags; 4: something is missing. Why is
 * one line on stderr and in /dev/termination-log. */
int probe_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

/* Pure: 0, or ERR_INVALID with that line: what is missing and how to add it. n == 0 keys: there is no such Secret. ns
 * or name "": not known, and not in the line. */
int probe_check(struct secrets *s, const char *provider, const char *ns, const char *name, struct error *e) NODISCARD;

/* A line on stderr and, inside a pod, as its termination message. */
void probe_last_words(const char *line);

#endif
