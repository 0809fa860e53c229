/*
 * request: one API request on its way through the model: parsed from method and path, its user known, its answer being
 * made. It lives on the stack of model_serve or model_do; a watch or a log takes over the exchange and outlives it.
 *
 * A verb returns the HTTP status and leaves the answer in q->answer, or in q->list; request_fail and request_invalid
 * do both for a refusal.
 */
#ifndef STASHD_MODEL_REQUEST_H
#define STASHD_MODEL_REQUEST_H

#include "core/base/buf.h"
#include "core/base/http.h"
#include "k8s/model/internal.h"

struct user {
    char *name, *uid; /* uid "" when there is none */
    json_t *groups;   /* array of strings */
};

enum shape {
    SHAPE_OBJECT,   /* as stored */
    SHAPE_TABLE,    /* Accept …;as=Table */
    SHAPE_METADATA, /* Accept …;as=PartialObjectMetadata(List) */
};

struct request {
    struct model *m;
    struct http_serve *serve; /* NULL: model_do */
    const struct user *user;
    const struct user *real_user; /* who asked, when user is impersonated; else the same */

    const char *method;
    char *path;             /* owned, percent-decoded; the words below point into a cut copy of it */
    char *words;
    struct str query;
    const char *verb;       /* "get", "list", "deletecollection", … as RBAC calls it */
    const char *group, *version, *plural; /* "" when the path names none */
    const char *ns, *name, *sub;
    bool is_resource;       /* /api/v1/… or /apis/g/v/… with a plural */
    const struct resource *r; /* NULL: not a resource we serve */

    struct str content_type; /* without parameters */
    struct str body_text;
    json_t *body;            /* parsed when first asked for (request_body); one reference */
    bool dry_run;
    bool applied;            /* the object written comes from apply_run and carries its managedFields */
    enum shape shape;
    struct buf warnings;     /* one a line */

    /* The answer. */
    json_t *answer;          /* one reference */
    struct stored *stored;   /* what the answer shows is this, whole: its text is used again; one reference or NULL */
    struct store_list list;  /* with is_list: its items; answer holds the list without items */
    bool is_list;
    const char *answer_type; /* content-type; NULL: application/json */
    bool taken;              /* a watch or a log has the exchange */
    uint32_t retry_after_s;
};

void request_done(struct request *q);

/* Parses path and query into q; false when it is malformed (answered by the caller with 400). */
bool request_route(struct request *q);
/* Whole life of an answer: authorization, the verb. Returns the HTTP status. */
int request_run(struct request *q);

/* The body as an object, borrowed; NULL and *ret_status (400, 415) when there is none. */
json_t *request_body(struct request *q, int *ret_status);
/* Value of a query key; "" when absent. */
const char *request_query(const struct request *q, const char *key, char *out, size_t size);
bool request_query_flag(const struct request *q, const char *key);

int request_fail(struct request *q, int code, const char *reason, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Adds a cause to the refusal just made. */
void request_cause(struct request *q, const char *reason, const char *message, const char *field);
/* 422 with these causes, named for an object of q->r. */
int request_invalid(struct request *q, const char *name, json_t *causes_take);
/* The same for what the query or a DELETE's body asks: "CreateOptions", "ListOptions", … */
int request_invalid_options(struct request *q, const char *kind, json_t *causes_take);
int request_not_found(struct request *q, const char *name);
/* An object as the answer; object is borrowed. */
int request_answer(struct request *q, int code, const json_t *object);
void request_drop_answer(struct request *q);
int request_answer_stored(struct request *q, int code, struct stored *o);
/* "backupsessions.stash.appscode.com", "pods" */
const char *request_what(const struct request *q, char out[256]);
void request_warn(struct request *q, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The object as that version of its kind shows it: a new reference (the same tree when nothing differs). */
json_t *request_as(const struct resource *r, const json_t *object);

#endif
