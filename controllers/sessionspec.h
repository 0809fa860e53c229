/*
 * sessionspec: the BackupSession that a trigger makes (controllers.md 5.2, api.md 4.3). Its name comes from the
 * invoker and the second it is for, so that two triggers of one second make one session.
 */
#ifndef STASHD_SESSIONSPEC_H
#define STASHD_SESSIONSPEC_H

#include <jansson.h>

#include "core/base/arena.h"

/* "<invoker>-<unix seconds>", at most 63 characters: a longer invoker is cut with a hash. In the arena. */
const char *sessionspec_name(struct arena *a, const char *invoker, int64_t unix_s);
/* Of the session that tries a failed one again: "<invoker>-<unix seconds>-retry". No due time has that name, so that a
 * retry never stands in the place of a backup that is due in the same second. */
const char *sessionspec_retry_name(struct arena *a, const char *invoker, int64_t unix_s);

/* Annotation of a retry: the name of the session that failed. */
#define SESSIONSPEC_RETRY_OF STASH_GROUP "/retry-of"

/* metadata.ownerReferences of a session of this invoker. */
json_t *sessionspec_owners(const json_t *invoker);
/* The object for an invoker's whole document, owned by it and with the hash; one reference. retry_left < 0: as its
 * retryConfig says. */
json_t *sessionspec_make(struct arena *a, const json_t *invoker, const char *name, int64_t retry_left);

/* A session's annotation that says which spec of its invoker it runs with. The trigger writes it, so that it costs no
 * request of its own; a session that was made by hand, or before an edit, gets it when it is accepted. */
#define SESSIONSPEC_HASH "stash.appscode.com/invoker-hash"
/* Its value: SHA-256 in hex over the invoker's spec with sorted keys. In the arena. */
const char *sessionspec_invoker_hash(struct arena *a, const json_t *invoker);

#endif
