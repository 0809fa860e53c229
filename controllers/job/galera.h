/*
 * galera: the state of a cluster by SQL, and which node shall give the data.
 */
#ifndef STASHD_GALERA_H
#define STASHD_GALERA_H

#include "controllers/job/guard_settings.h"
#include "controllers/job/sql.h"
#include "controllers/job/xbstream.h"

enum { GALERA_NODES_MAX = 16 };

struct galera_node {
    char name[128]; /* wsrep_node_name */
    char host[256]; /* its client address; "": that of the AppBinding */
    uint16_t port;
    char state[64];    /* "Synced", "Donor/Desynced", … */
    char status[64];   /* "Primary" */
    char evs_state[32]; /* "OPERATIONAL"; else members come or go (wsrep_evs_state). "": not told */
    char version[64];
    char incoming[1024]; /* wsrep_incoming_addresses */
    char provider[64]; /* wsrep_provider_version: "26.4.23(r…)" */
    char plugins[512]; /* that encrypt data at rest or compress pages: "name=library;…"; "": none */
    bool ready, connected, group_tls;
    bool replicates_aria, replicates_myisam; /* by wsrep_mode */
    uint64_t local_commits; /* how much clients wrote here */
    uint64_t writes;        /* of these in the last second before the choice */
    uint64_t segment;       /* gmcast.segment: Galera's word for a zone */
    uint64_t cluster_size;
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
/* Pure: could its backup be prepared with what this image has (see sst_check_plugins)? ERR_INVALID: no. */
int galera_check_plugins(const struct galera_node *n, bool (*has_library)(struct str library),
                         struct error *e) NODISCARD;
/* Pure: do all nodes agree who is a member? ERR_INVALID names one that is still finding out. */
int galera_check_rest(const struct galera *g, struct error *e) NODISCARD;
/* Pure: the fittest donor: synced; of these the one on which clients write least; of these one of our segment (-1: of
 * any). With a wanted name only that node. -1: none. */
int galera_choose(const struct galera_node *nodes, size_t n, const char *name, int64_t segment);
/* Pure: how many nodes but the donor are Synced. Where the members can't be asked one by one: how many the group has.
 */
size_t galera_synced_others(const struct galera *g);
/* Pure: may a garbd that prints this version talk to a provider of that version? ERR_INVALID: it is of an older series.
 * A text without a version says nothing. */
int galera_check_garbd(struct str garbd, const char *provider, struct error *e) NODISCARD;
/* Pure: takes "a:3306,[::1]:3307" apart; false at the end. */
bool galera_next_address(struct str *rest, char host[256], uint16_t *port);

/* Asks the node behind the AppBinding and the members that it names until there is a donor and enough others are
 * Synced, at most wait_s. */
int galera_look(struct galera *g, struct sql *s, const struct guard_settings *settings, uint64_t wait_s,
                struct error *e) NODISCARD;
/* Waits until that node is Synced again. ERR_TIMEOUT with its last state; ERR_NET: it no longer answers.
 * ERR_NOTFOUND: its address is a Service, and only other nodes answered there. */
int galera_wait_synced(struct galera_node *n, struct sql *s, uint64_t wait_s, struct error *e) NODISCARD;
/* Waits until all members are Synced. ERR_TIMEOUT names those that are not. */
int galera_wait_all(struct galera *g, struct sql *s, uint64_t wait_s, struct error *e) NODISCARD;
/* User tables in engines that Galera does not replicate, whose rows may be missing on a donor: how many, and the first
 * names, as "shop.log (Aria), …"; "" when there is none. */
int galera_find_unreplicated(struct galera *g, struct sql *s, int64_t *ret, struct buf *names,
                             struct error *e) NODISCARD;

#endif
