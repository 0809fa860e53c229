/*
 * devkube_log: the cluster's state on disk: one line a change, "<rv> <crc> <key> <json or ->", appended before the
 * answer goes out. A line cut short by a kill is dropped at the next start; a log that is mostly dead lines is written
 * anew.
 */
#ifndef STASHD_DEVKUBE_LOG_H
#define STASHD_DEVKUBE_LOG_H

#include <jansson.h>

#include "core/base/error.h"

struct devkube_log; /* opaque */

/* Called for each live object in the order of its resourceVersion, then once with key NULL and the last version. */
typedef void devkube_log_fn(void *ctx, uint64_t rv, const char *key, json_t *object_take);

/* Opens (or makes) <state>/objects.log and replays it. NULL and e when it can't be read or written. */
struct devkube_log *devkube_log_open(const char *state, devkube_log_fn *fn, void *ctx, struct error *e);
void devkube_log_close(struct devkube_log *l);

/* A model_commit_fn; ctx is the log. A write that fails ends the process: a change must not be answered unsaved. */
void devkube_log_append(void *log, uint64_t rv, const char *key, const json_t *object);

#endif
