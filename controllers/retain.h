/* retain: which finished sessions of an invoker stay (controllers.md 6.7). Pure. */
#ifndef STASHD_RETAIN_H
#define STASHD_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum retain_result {
    RETAIN_OPEN, /* not final: never dropped */
    RETAIN_SUCCEEDED,
    RETAIN_FAILED,
    RETAIN_SKIPPED,
};

struct retain_item {
    const char *name;
    int64_t created_s;
    enum retain_result result;
    bool is_awaited; /* its retry has not been made yet: never dropped */
    bool drop;       /* the answer */
    const void *data; /* the caller's */
};

/* Sorts the items, newest first, and marks those to be deleted: all final ones beyond the first `limit`, but the newest
 * success and the newest failure, so that a row of skipped sessions does not hide the last real results. */
void retain_mark(struct retain_item *items, size_t n, int64_t limit);

#endif
