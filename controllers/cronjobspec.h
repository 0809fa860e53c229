/*
 * cronjobspec: the CronJob of an invoker (controllers.md 5.1), whose pods run `stash-job create-backupsession`. Pure.
 */
#ifndef STASHD_CRONJOBSPEC_H
#define STASHD_CRONJOBSPEC_H

#include "controllers/controller.h"

/* Of a CronJob: what it was made from, so that a record tells whether it has to be made anew. */
#define CRONJOBSPEC_MADE_FROM STASH_GROUP "/made-from"
/* Of its Jobs: they go as soon as they have succeeded. */
#define CRONJOBSPEC_DELETE_LABEL STASH_GROUP "/delete-job-on-completion"

/* "stash-trigger-<invoker>", with the namespace before the invoker when the target is in another one; at most 52
 * characters, since its Jobs' names are longer. In the arena. */
const char *cronjobspec_name(struct arena *a, const struct kobj *invoker);

/* "<generation>-<hash of the settings>" of CRONJOBSPEC_MADE_FROM; in the arena. */
const char *cronjobspec_made_from(struct world *w, const struct kobj *invoker);

/* The object; account: of its pods. One reference. */
json_t *cronjobspec_make(struct world *w, const struct kobj *invoker, const json_t *doc, const char *account);

/* The schedule as the CronJob gets it; in the arena. */
const char *cronjobspec_schedule(struct arena *a, const char *schedule);
/* A schedule that the operator itself could serve and a CronJob can't: NULL, or why not, for the user. */
const char *cronjobspec_refuses(struct arena *a, const char *schedule);

#endif
