/*
 * jobspec: a target's Job (jobs.md 9): names, labels, limits around the pod of podspec.h. Also the claims that a
 * restore makes (controllers.md 7.3). Pure; documents come through a world.
 */
#ifndef STASHD_JOBSPEC_H
#define STASHD_JOBSPEC_H

#include "controllers/podspec.h"

/* "stash-backup-<session>-<i>", "stash-restore-<invoker>-<i>[-<ordinal>]": at most 63 characters, in the arena. */
const char *jobspec_name(const struct job_input *in, struct arena *a);

/* Name of the interim claim: "<owner>-<template>[-<ordinal>]"; NULL without a template. */
const char *jobspec_interim_name(const struct job_input *in, struct arena *a);
/* The claim itself, owned by the session; one reference. */
json_t *jobspec_interim_claim(const struct job_input *in, const char *name);

/* Template t (0 …) resolved for in->ordinal, labelled for its RestoreSession; one reference. NULL: e says why. */
json_t *jobspec_claim(const struct job_input *in, size_t t, struct arena *a, struct error *e);
/* The volume that a claim becomes in the pod: its name without "-<ordinal>". */
const char *jobspec_claim_volume(const char *claim, int ordinal, struct arena *a);

/* apiVersion, kind, name, uid of the Job's controller: the BackupSession or the RestoreSession. One reference. */
json_t *jobspec_owner(const struct job_input *in);

struct jobspec_options {
    const char *name;
    const json_t *task;      /* the Task's document */
    struct podspec_options pod; /* cluster: filled in here */
    int64_t left_s;          /* to the deadline; 0: none */
};

/*
 * The Job's object, one reference in *ret. Functions are asked for with world_doc: with world_waiting(w) afterwards the
 * result means nothing. ERR_INVALID: a message for the user; ERR_NOTFOUND: idem, a Function is not there.
 */
int jobspec_make(struct world *w, const struct job_input *in, const struct jobspec_options *o, json_t **ret,
                 struct error *e) NODISCARD;

/* The labels of what is made for an invoker: its own, component and managed-by (controllers.md 1). One reference. */
json_t *jobspec_labels(const json_t *invoker, enum direction d);

#endif
