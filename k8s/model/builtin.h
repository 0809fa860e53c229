/*
 * builtin: what an API server knows of its own kinds: defaults and checks. Only what users and controllers notice.
 */
#ifndef STASHD_MODEL_BUILTIN_H
#define STASHD_MODEL_BUILTIN_H

#include "k8s/model/resource.h"

/*
 * Fills in what the server fills in (restartPolicy, terminationMessagePath, Job's parallelism, selector and labels from
 * its uid, Service's clusterIP, Secret's type, status.phase of pods, claims and namespaces, …). On create metadata
 * (name, namespace, uid, creationTimestamp) is set already and old is NULL; on update old is the stored object and
 * fields the server allocated are carried over where the new one leaves them out.
 */
void builtin_default(const struct resource *r, json_t *object, const json_t *old);

/*
 * Appends causes {"reason","message","field"} in the API server's words and returns how many: required fields
 * (containers, image, name …), DNS names, enums, and what may not change (Job's spec.template and selector, Pod's spec
 * but image …, PVC's spec, RoleBinding's roleRef, Secret's and ConfigMap's immutable data). old NULL on create.
 * Metadata's own checks (name, labels, annotations, ownerReferences, finalizers) are not here.
 */
int builtin_validate(const struct resource *r, const json_t *object, const json_t *old, json_t *ret_causes);

/* OpenAPI v3 schema of a built-in kind (metadata as {"$ref": …ObjectMeta}), a new reference; NULL: we have none. It is
 * what explain shows; unknown-field checks of built-in kinds use it when schema_compile takes it. */
json_t *builtin_open_api(const struct resource *r);

#endif
