/*
 * guard: watches a cluster by SQL while one of its nodes gives its data, and says when that costs the others too much:
 * flow control, write sets that wait, nodes that are no longer Synced. One client program a node, asked each second.
 *
 * Life: a handle. guard_start once; free it after on_stopped, which follows guard_stop in a turn of its own.
 */
#ifndef STASHD_GUARD_H
#define STASHD_GUARD_H

#include "controllers/job/galera.h"

enum { GUARD_WINDOW = 11 }; /* samples in a judgement: ten seconds */

/* What a node said at one moment. */
struct guard_sample {
    uint64_t at_ns;     /* 0: none */
    uint64_t paused_ns; /* wsrep_flow_control_paused_ns: since the server's start */
    uint64_t queue;     /* wsrep_local_recv_queue */
    bool synced;        /* Synced part of a primary component */
};

/* One node over time. Pure. */
struct guard_view {
    char name[128];
    bool is_donor;
    struct guard_sample first, window[GUARD_WINDOW]; /* a ring */
    uint64_t n;         /* samples so far */
    uint64_t queue_max; /* of all of them */
    uint64_t paused_ns; /* since the first one */
};

/* Pure: a line of a node's answer into s; true when it was the last one of a sample. */
bool guard_parse(struct str line, struct guard_sample *s);
/* Pure: takes a sample in. */
void guard_note(struct guard_view *v, const struct guard_sample *s);
/* Pure: share of the window, in percent, in which flow control held the node back; -1: the window is not full. */
int guard_flow_control(const struct guard_view *v);
/* Pure: 0, or ERR_INVALID with the limit that is passed and by whom. A node whose last sample is older than the window
 * counts as not Synced, and so does one that never answered. */
int guard_judge(const struct guard_view *views, size_t n, const struct guard_settings *limits, uint64_t now_ns,
                struct error *e) NODISCARD;

struct guard_watch {
    struct guard *guard;
    struct guard_view view;
    struct guard_sample sample; /* under way */
    const struct galera_node *node;
    struct proc proc;
    char *option_file;
    uint64_t start_ns; /* next start, when it does not run */
    bool runs, asked;
};

struct guard {
    /* The caller's. */
    struct sql *sql;
    const struct galera *galera; /* its nodes stay where they are */
    const struct guard_settings *limits;
    void (*on_trouble)(struct guard *g, const struct error *e); /* a limit is passed; at most once */
    void (*on_stopped)(struct guard *g);
    void *data;

    /* Readable. */
    struct guard_watch watches[GALERA_NODES_MAX];
    size_t n;

    /* private */
    struct timer tick, closer;
    uint64_t begin_ns;
    bool stopping, told, armed;
};

void guard_start(struct guard *g);
/* The transfer runs: from now on limits count. donor: its name. */
void guard_arm(struct guard *g, const char *donor);
void guard_stop(struct guard *g);

/* For the report: the worst of the nodes, over the whole time. */
double guard_flow_control_percent(const struct guard *g);
uint64_t guard_queue_max(const struct guard *g);

#endif
