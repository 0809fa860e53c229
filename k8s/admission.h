/*
 * admission: AdmissionReview in and out (admission.k8s.io/v1; v1beta1, which has the same fields, is taken too). Pure:
 * a request's text to its parts, a verdict to the answer's text.
 */
#ifndef STASHD_ADMISSION_H
#define STASHD_ADMISSION_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"

struct admission_request {
    json_t *root; /* private: what the rest borrows from */
    /* Never NULL. */
    const char *api_version, *uid;
    const char *group, *version, *kind; /* of the object, as this webhook is registered for it */
    const char *subresource, *operation; /* "CREATE", "UPDATE", "DELETE", "CONNECT" */
    const char *ns, *name;               /* name "" with generateName */
    const char *user;
    const json_t *object, *old; /* NULL where the operation has none */
};

/* ERR_INVALID: no AdmissionReview with a request. kube_admission_done frees what ret has. */
int kube_admission_parse(struct str text, struct admission_request *ret, struct error *e) NODISCARD;
void kube_admission_done(struct admission_request *r);

struct admission_verdict {
    const char *refusal; /* why not; NULL: allowed */
    /* Borrowed lists, or NULL: {reason, message, field}; texts that kubectl shows as warnings. */
    json_t *causes, *warnings;
};

/* The whole answer for the request, appended to out. A refusal is 403 Forbidden. */
void kube_admission_answer(const struct admission_request *r, const struct admission_verdict *v, struct buf *out);

#endif
