/*
 * plan: the effects of one pass, in order (controller.h has the functions that add them). Memory is the pass's arena:
 * a plan is initialised, filled, settled, run by the engine and forgotten; nothing is freed singly.
 */
#ifndef STASHD_PLAN_H
#define STASHD_PLAN_H

#include "controllers/controller.h"
#include "core/base/list.h"

enum effect_type {
    EFFECT_CREATE,
    EFFECT_STATUS, /* merge patch of the pass's object's status */
    EFFECT_PATCH,
    EFFECT_APPLY,
    EFFECT_DELETE,
    EFFECT_EVENT,
    EFFECT_COUNT,
    EFFECT_PUSH, /* family: the job, label: the target or NULL, message: the text */
    EFFECT_WAKE, /* another key */
};

struct effect {
    struct list link;
    enum effect_type type;
    const struct kind *kind;
    const char *ns, *name;
    const char *subresource, *rv; /* patches */
    const char *uid, *propagation; /* deletes */
    const char *stays, *stays_uid; /* deletes: who has to be there, of the pass's kind and namespace; NULL: nobody */
    json_t *body;                  /* object or patch */
    const char *event_type, *reason, *message;
    const char *family, *label;
    double by;
};

struct plan {
    struct arena *arena;
    const struct kobj *self;
    struct list effects;
    int64_t now_s;     /* for plan_print's "wake 10s" */
    int64_t wake_at_s; /* INT64_MAX: not asked for */
};

void plan_init(struct plan *p, struct arena *a, const struct kobj *self, int64_t now_s);

/*
 * Once all effects are in: takes out of status patches what self_doc (NULL: not known) holds already, and patches that
 * are empty then; gives each status patch the resourceVersion of self_doc, else of the record. The engine replaces it
 * by the answer's when a plan has several.
 */
void plan_settle(struct plan *p, const json_t *self_doc);

/* True when applying the merge patch to target would change nothing. */
bool plan_patch_is_empty(const json_t *target, const json_t *patch);

#endif
