/*
 * target_lock: two things never write one database at once (controllers.md 6.4). A target is held by what can still
 * touch it: a Job of ours that has not ended, or a pod of one that has not, whatever became of the session and the
 * invoker that it was made for. Each carries its target in an annotation, so nothing else is written down, a restart of
 * the operator forgets nothing, and the lock is given back by the end of the last process. Who of those that wait comes
 * next is for the sessions (backupsession_others.c, restoresession_others.c).
 */
#ifndef STASHD_TARGET_LOCK_H
#define STASHD_TARGET_LOCK_H

#include "controllers/target.h"

/* On Jobs and their pods: "<group>/<kind>/<namespace>/<name>". */
#define TARGET_LOCK_ANNOTATION STASH_GROUP "/job-target"

/* Its value; NULL: a target that nobody can meet in (no target, or claims of the session's own). */
const char *target_lock_value(struct arena *a, const struct target_ref *ref);

/* "<kind> <namespace>/<name>", as those that wait say whom they wait for. In the arena. */
const char *target_lock_name(struct arena *a, const struct kobj *o);

/*
 * A Job or pod, not of the session `self`, that holds the target, by its name (target_lock_name); NULL: it is free. May
 * leave world_waiting: then the answer means nothing. Of Jobs that the cache does not show (unseen_jobs.h) the API
 * server is asked. A pod holds it until all containers of its Job have ended; one whose node does not answer until
 * it is given up (outcome.h), as its session does.
 * One of another namespace counts if its account may read the target: else anybody could hold it up.
 */
const char *target_lock_holder(struct world *w, const struct kobj *self, const struct target_ref *ref);

/* Is a Job or a pod over? */
bool target_lock_has_ended(const struct kobj *o);
/* For watches: of all changes of a Job or a pod the one by which it gives its target back. */
bool target_lock_ends(const struct kobj *old, const struct kobj *now);
/* For maps of watches: false unless `changed`, a Job or a pod, has just given its target back. Views into it. */
bool target_lock_given_back(const struct cache *c, const struct kobj *changed, struct arena *a,
                            struct target_ref *ret);

/*
 * The order of those that wait: who came to us first, of one list the oldest, then by name and namespace. Not by
 * creation alone: of two made in one second the one that came first may have started before the other was known.
 */
bool target_lock_is_before(const struct cache *c, const struct kobj *a, const struct kobj *b);

/* Do two references name one thing? Versions of a group count as one. */
bool target_lock_same(const struct target_ref *a, const struct target_ref *b);
/* What a BackupConfiguration or a RestoreSession names; its own namespace where it names none. */
void target_lock_ref(const struct kobj *invoker, struct target_ref *ret);
/*
 * Does it name this target? One of another namespace counts once its condition `found` is True, so it may read the
 * target: else anybody could hold up the backups of a database that he may not read.
 */
bool target_lock_is_claimed_by(const struct kobj *invoker, const struct target_ref *ref, const char *found);

#endif
