/*
 * probe: `stash-job probe-storage-secret`: has the mounted storage Secret what its provider needs? It calls no API server
 * and reads no value but to see whether it is empty (controllers.md 3.2).
 */
#ifndef STASHD_PROBE_H
#define STASHD_PROBE_H

#include "core/base/error.h"

struct job;

enum { PROBE_EXIT_MISSING = 4 };

/* The whole sub-command; see restore_main. 4: a key is missing, said on stderr and in /dev/termination-log. */
int probe_main(struct job *j, int argc, const char *const *argv, const char *const *envp);

#endif
