/*
 * stashd_memory: what a burst has needed goes back to the kernel. A lead that begins, or a list that comes again, works
 * with megabytes for a second; malloc would keep their pages for ever, in holes between what stays.
 *
 * Every STASHD_MEMORY_LOOK_MS the anonymous resident memory is looked at, which costs one read of /proc; when it has
 * grown by STASHD_MEMORY_GROWN_KIB since the last time, malloc gives back its free pages.
 */
#ifndef STASHD_STASHD_MEMORY_H
#define STASHD_STASHD_MEMORY_H

#include "core/base/env.h"

enum { STASHD_MEMORY_LOOK_MS = 10000, STASHD_MEMORY_GROWN_KIB = 256 };

struct stashd_memory {
    struct env *env;
    /* private */
    struct timer look;
    long least_kib; /* after the last time, or less since */
};

/* Of the whole process, before its first thread: one heap for all, which does not learn to keep more. */
void stashd_memory_set_up(void);
void stashd_memory_start(struct stashd_memory *m, struct env *env);
void stashd_memory_stop(struct stashd_memory *m);

#endif
