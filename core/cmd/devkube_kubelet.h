/*
 * devkube_kubelet: runs the pods of the model on this machine: volumes as folders, containers as processes in
 * bubblewrap sandboxes whose root is this machine's /usr, read-only. Claims are bound to folders. It speaks to the
 * model as system:node through model_do, so it needs nothing that a kubelet elsewhere would not have.
 *
 * What it is not: no cgroups (limits are not enforced), no network namespaces (pods share the host's network, each with
 * a loopback address of its own as podIP), no probes, no images: an image name stands for a program of this machine.
 */
#ifndef STASHD_DEVKUBE_KUBELET_H
#define STASHD_DEVKUBE_KUBELET_H

#include "core/base/config.h"
#include "core/base/log.h"
#include "k8s/model/model.h"

struct kubelet; /* opaque: a handle */

struct kubelet_options {
    struct env *env; /* env_uv's */
    const struct log *log;
    struct model *model;
    const char *state; /* folder: pods/, volumes/ */
    struct str ca_pem; /* for kube-root-ca.crt where a namespace has none yet */
    const char *api_host;
    uint16_t api_port;
    const struct config_list *images; /* "PATTERN=PROGRAM": '*' at the end of PATTERN fits any rest */
};

/* Containers of an earlier devkube are gone (they die with it):
 * their pods fail or start again by their restartPolicy. */
struct kubelet *kubelet_start(const struct kubelet_options *o, struct error *e);
/* Kills what runs, without touching the pods' status: they are taken up by the next start. */
void kubelet_stop(struct kubelet *k, void (*on_stopped)(void *ctx), void *ctx);

#endif
