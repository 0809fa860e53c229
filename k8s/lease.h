/*
 * lease: leader election by a coordination.k8s.io/v1 Lease (multitenancy.md 8.1): duration 15 s, renew deadline 10 s,
 * retry 2 s with jitter. Expiry is judged by our own monotonic clock since the record was last seen to change.
 * A Lease that is missing is made, and who made it leads 15 s later: it may have been taken from one who leads. So the
 * first start of an installation waits for so long. Who led goes on when it can make it again in time.
 *
 * Life: a handle. Embed it zeroed; start once; free it only after on_stopped. Callbacks may stop it.
 * Writes are merge patches with the resourceVersion as precondition: labels that others set stay.
 */
#ifndef STASHD_LEASE_H
#define STASHD_LEASE_H

#include "k8s/client.h"

struct kube_lease {
    /* The caller's, set before start. */
    struct kube *kube;
    const char *ns, *name, *identity;
    const char *address; /* where the others reach us while we lead, "10.1.2.3:8080"; NULL: not written down */
    /* In the same loop turn in which leadership is lost, also inside kube_lease_stop. */
    void (*on_change)(struct kube_lease *l, bool is_leader);
    void (*on_stopped)(struct kube_lease *l);
    void *data;

    bool is_leader;          /* readable */
    char holder_address[72]; /* readable: of another who holds it, as last read; "" unknown */

    /* private */
    struct kube_call call;
    struct timer timer;
    char rv[64], holder[256]; /* of the record as last read or written; rv "": read it first */
    char seen[64];            /* resourceVersion that seen_ns belongs to */
    uint64_t seen_ns, sent_ns, renewed_ns, next_ns;
    uint64_t leads_from_ns; /* not before; UINT64_MAX: made by us, and no answer has said so yet */
    bool is_ahead; /* the record says that its holder did not lead yet */
    bool calling, releasing, stopping;
    int64_t transitions;
};

void kube_lease_start(struct kube_lease *l);
/* Ours, and renewed less than 10 s ago: may be false before on_change has said so, in a process that was stopped. */
bool kube_lease_holds(const struct kube_lease *l);
/* Gives the lease back (holderIdentity "") when it is ours, then on_stopped. */
void kube_lease_stop(struct kube_lease *l);

#endif
