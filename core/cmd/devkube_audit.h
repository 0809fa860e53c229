/* devkube_audit: requests as lines of JSON in a file, with the fields of Kubernetes' audit log at level Metadata. */
#ifndef STASHD_DEVKUBE_AUDIT_H
#define STASHD_DEVKUBE_AUDIT_H

#include "core/base/env.h"
#include "k8s/model/model.h"

struct devkube_audit; /* opaque */

/* Appends to the file; NULL and e when it can't be written. */
struct devkube_audit *devkube_audit_open(struct env *env, const char *path, struct error *e);
void devkube_audit_close(struct devkube_audit *a); /* NULL is fine */
/* One line, at once in the file. requestReceivedTimestamp is when the turn began that read the request. */
void devkube_audit_add(struct devkube_audit *a, const struct model_audit *told);

#endif
