/*
 * tether: children that die with us. A process that is killed (SIGKILL, no memory) ends the pipes to its children in
 * order, and restic would take that for the end of its input and make a snapshot of half a backup. So such a child
 * begins as our own program, asks the kernel for SIGKILL at our death, and only then becomes what was asked for. The
 * kernel closes our pipes a moment before it sends that: should restic, which has an index and a snapshot to write
 * first, be faster, the snapshot lacks the manifest that is the end of each (docs/restore.md).
 */
#ifndef STASHD_TETHER_H
#define STASHD_TETHER_H

#include <stdbool.h>

/* First thing in main of a program that starts tethered children: in such a child it does not return. */
void tether_init(int argc, char **argv);
/* tether_init was called: we may start some. */
bool tether_ready(void);
/* argv for a child that is to run `file` with argv: { a mark, our pid, file, argv… }; to be freed with mem_free. The
 * program to start is /proc/self/exe. pid: room for its text. */
const char **tether_argv(const char *file, const char *const *argv, char pid[16]);

#endif
