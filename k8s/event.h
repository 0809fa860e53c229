/*
 * event: Kubernetes Events (v1) that aggregate: the same object, reason and message within 10 minutes is count + 1 on
 * one Event (controllers.md 15). Fire and forget: a failure is a debug line and a counter. Rates (multitenancy.md 9):
 * an object 5 at once, then 1 a minute; a namespace 1 a second, this process 20 a second, both with a minute's worth
 * and a second's worth ahead. Over them a repetition is counted and told with the next one; a new Event is dropped.
 */
#ifndef STASHD_EVENT_H
#define STASHD_EVENT_H

#include "k8s/client.h"

struct kube_events; /* opaque */

struct kube_event {
    const char *component; /* "BackupConfiguration Controller" */
    const char *type;      /* "Normal", "Warning" */
    const char *reason;    /* "BackupSession Created" */
    const char *message;   /* cut at LIMIT_MESSAGE */
    /* The object it is about. */
    const char *api_version, *kind, *ns, *name, *uid;
};

struct kube_events *kube_events_new(struct kube *k);
/* Running requests are canceled and end in later turns: the peers must live on until they have. */
void kube_events_free(struct kube_events *ev);
void kube_event_send(struct kube_events *ev, const struct kube_event *event);
/* How many were dropped for good, and how many requests are running. */
uint64_t kube_events_dropped(const struct kube_events *ev);
unsigned kube_events_running(const struct kube_events *ev);

#endif
