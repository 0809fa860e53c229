/*
 * backup_cluster: private to backup_cluster.c and backup_cluster_prepare.c: one state transfer.
 */
#ifndef STASHD_BACKUP_CLUSTER_H
#define STASHD_BACKUP_CLUSTER_H

#include "controllers/job/backup.h"
#include "controllers/job/galera.h"
#include "controllers/job/guard.h"
#include "controllers/job/words.h"

enum { SECRET_BYTES = 16 };

struct cluster {
    struct backup *b;
    struct galera galera;
    struct receive receive;
    struct guard guard;
    struct proc garbd;
    struct timer request, again, kill, forget, donor_limit;
    unsigned tries; /* of garbd */
    uint64_t selected_ns; /* when the donor was selected */
    struct job_tail garbd_err;
    struct words garbd_argv; /* garbd, --address, ITS VALUE, … */
    struct tls_context *tls;
    const char *method;
    char address[64], secret[2 * SECRET_BYTES + 1];
    char garbd_name[32]; /* in the group */
    char selected[128]; /* the donor that the group chose for us */
    char trouble[400];  /* what garbd said went wrong */
    enum sst_log_type trouble_type; /* SST_LOG_TLS, _REFUSED, _NO_GROUP, the one that tells most; _OTHER: nothing */
    char tool_version[64]; /* of what prepares a backup in this image; "": there is none */
    char own_name[64];  /* of our certificate: a donor that encrypts asks for it */
    uint64_t expected_bytes;
    bool garbd_runs, receiving, piping, guarding;
    bool missed; /* garbd died without leaving its group, which is given time to give it up */
    bool complete;  /* the stream has ended and is a whole backup */
    bool turn_over; /* complete, or all has ended: the sequence goes on */
};

/* Looks at the cluster, chooses the donor, and makes all that is needed. */
int backup_cluster_prepare(struct cluster *c, struct error *e) NODISCARD;
/* Can this image restore what a server of that version gives? ERR_INVALID says why not. */
int backup_cluster_fits(const struct cluster *c, const char *server, struct error *e) NODISCARD;
/* The node that is to give its data; the one behind the AppBinding when the cluster chooses. Never NULL. */
struct galera_node *backup_cluster_donor(struct cluster *c);
/* Where that node comes from; NULL or one without an address of its own: any member. */
void backup_cluster_addresses(struct cluster *c, const struct galera_node *donor, struct receive_addresses *out);
/* Fills garbd_argv; the receiver listens already. */
void backup_cluster_garbd(struct cluster *c);

#endif
