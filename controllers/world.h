/*
 * world: what a pass may look at (controller.h has the functions that read it): the cache, the clock, the settings,
 * whole documents asked for, refusals remembered. The engine makes one a pass; tests make one from YAML
 * (test/unit/support_world.h).
 */
#ifndef STASHD_WORLD_H
#define STASHD_WORLD_H

#include "controllers/controller.h"
#include "controllers/unseen_jobs.h"
#include "core/base/list.h"

/* A document, a list or a review that observe or act asked for. */
struct world_doc {
    struct list link;
    const struct kind *kind;
    const char *ns, *name; /* ns NULL: cluster-scoped */
    const char *query;     /* a list of such objects, name tells it from others; NULL: a document or a review */
    const json_t *body;    /* a review: it is made, not read, and the answer is the object; NULL: it is none */
    bool known;            /* fetched: object, or NULL when there is none */
    const json_t *object;
};

/* A refusal that this key has met; in the engine they hang on the queue's key. */
struct world_refusal {
    struct list link;
    const struct kind *kind;
    char *ns, *name;
    struct refusal refusal;
    char *message;
};

struct world {
    const struct operator_settings *settings;
    const struct cache *cache;
    struct arena *arena;
    int64_t now_ms, asked_ms;
    struct list docs;            /* of struct world_doc */
    const struct list *refusals; /* of struct world_refusal; NULL: none */
    const struct unseen_jobs *unseen; /* NULL: none */
    uint32_t failures;           /* of the passes before this one, in a row */
    int64_t catalog_until_s;     /* what world_catalog_until_s says while it is to come */
    bool waiting;                /* a document was asked for that is not known yet */
    /* Asked when a document is first wanted: true when it was at hand and has been given (world_give), so that the pass
     * goes straight on. NULL: nothing is at hand. */
    bool (*at_hand)(void *ctx, struct world_doc *d);
    void *ctx;
};

void world_init(struct world *w, const struct operator_settings *s, const struct cache *c, struct arena *a,
                int64_t now_ms, int64_t asked_ms);

/* A document alone is one object as it is stored: it may be at hand, and others may want it too. */
bool world_is_document(const struct world_doc *d);
/* First document that is not known yet; NULL when all are. */
struct world_doc *world_wanted(struct world *w);
/* object_take NULL: there is none. */
void world_give(struct world *w, struct world_doc *d, json_t *object_take);
/* The pass starts over with what it knows. */
void world_rerun(struct world *w);
/* A document if it is known by now; never asks for it. */
const json_t *world_peek(const struct world *w, const struct kind *k, const char *ns, const char *name);

/* ---- refusals ---- */

/* What a failed write means; N_REFUSALS when it is no refusal but a failure to be tried again (net, 5xx, 429,
 * conflict). rc as of kube_call; status, reason and cause as the server said, message its text. */
enum refusal_kind refusal_classify(int rc, int status, const char *reason, const char *cause, const char *message);
/* The condition's reason for it; "" for REFUSAL_INVALID. */
const char *refusal_reason(enum refusal_kind why);
/* Seconds until the next try, by kind and times in a row; random spreads (full jitter). */
int64_t refusal_delay_s(enum refusal_kind why, const char *message, uint32_t times, uint64_t random);

/* Adds or renews in a list. */
void refusals_note(struct list *refusals, const struct kind *k, const char *ns, const char *name,
                   enum refusal_kind why, const char *message, int64_t now_s, uint64_t random);
/* That object was accepted. */
void refusals_clear(struct list *refusals, const struct kind *k, const char *ns, const char *name);
void refusals_free(struct list *refusals);

#endif
