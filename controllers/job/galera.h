/*
 * galera: the state of a cluster by SQL, and which node shall give the data.
 */
#ifndef STASHD_GALERA_H
#define STASHD_GALERA_H

#include "controllers/job/sql.h"
#include "controllers/job/xbstream.h"

enum { GALERA_NODES_MAX = 16 };

struct galera_node {
    char name[128]; /* wsrep_node_name */
    char host[256]; /* its client address; "": that of the AppBinding */
    uint16_t port;
    char state[64];    /* "Synced", "Donor/Desynced", … */
    char status[64];   /* "Primary" */
    char version[64];
    char incoming[1024]; /* wsrep_incoming_addresses */
    bool ready, connected, group_tls;
    uint64_t local_commits; /* how much clients wrote here */
};

struct galera {
    enum xbstream_flavour flavour;
    struct galera_node nodes[GALERA_NODES_MAX]; /* [0]: the one that answers at the AppBinding's address */
    size_t n;
    int donor; /* place in nodes; -1: left to the cluster */
};

/* Pure: rows "name\tvalue" of status and variables into a node. */
void galera_parse_node(struct str rows, struct galera_node *out);
/* Pure: is it able to give its data? ERR_INVALID says why not. */
int galera_check_node(const struct galera_node *n, struct error *e) NODISCARD;
/* Pure: the fittest donor: synced, and of these the one on which clients write least; -1: none. */
int galera_choose(const struct galera_node *nodes, size_t n);
/* Pure: takes "a:3306,[::1]:3307" apart; false at the end. */
bool galera_next_address(struct str *rest, char host[256], uint16_t *port);

/* Asks the node behind the AppBinding until it is a synced part of a primary component, at most wait_s, then the other
 * members that it names. */
int galera_look(struct galera *g, struct sql *s, uint64_t wait_s, struct error *e) NODISCARD;
/* Waits until that node is Synced again. ERR_TIMEOUT with its last state; ERR_NET: it no longer answers.
 * ERR_NOTFOUND: its address is a Service, and only other nodes answered there. */
int galera_wait_synced(struct galera_node *n, struct sql *s, uint64_t wait_s, struct error *e) NODISCARD;
/* How many user tables are in engines that Galera does not replicate: their rows may be missing on a donor. */
int galera_count_unreplicated(struct sql *s, int64_t *ret, struct error *e) NODISCARD;

#endif
