/*
 * replica: one process of the operator: started, killed at any moment, stopped for a while, with a clock of its own.
 * After a kill nothing of it is left, and nothing more of what it had begun goes out.
 */
#ifndef STASHD_SIM_REPLICA_H
#define STASHD_SIM_REPLICA_H

#include "controllers/operator.h"
#include "faults.h"
#include "k8s/model/model.h"
#include "process.h"

enum { REPLICA_EFFECTS = 25 };

struct replica;

/* The last writes of all replicas, for what a failure prints. */
struct effects {
    struct effect_note {
        uint64_t at_ns;
        int status;
        char text[200];
    } notes[REPLICA_EFFECTS];
    uint64_t n;
};

struct replica_options {
    struct sim_env *sim;
    struct model *model;
    struct fault_book *book;
    struct effects *effects;
    struct fault_nth *nth; /* see faults.h */
    unsigned concurrency;
    uint32_t watch_min_s;
    void (*on_death)(struct replica *r, void *ctx); /* killed by a fault of its own; it is gone */
    void (*on_act)(struct replica *r, const char *path, void *ctx); /* one that competes sends a write; NULL fine */
    void (*on_line)(void *ctx, struct str line); /* of its log; NULL fine */
    void *ctx;
};

struct replica {
    struct replica_options o;
    char identity[16];
    bool runs, competes;
    struct process process;
    struct http_peer *server;
    struct faults *faults;
    struct log log;
    struct kube kube;
    struct operator_settings settings;
    struct registry *registry;
    struct operator *operator;
    bool stopped;
    struct timer death;
    uint64_t lives, writes, idle_writes; /* in all its lives; those that changed nothing */
    char idle_write[160];         /* the last of them */
};

void replica_init(struct replica *r, unsigned number, const struct replica_options *o);
/* competes: by the Lease. */
void replica_start(struct replica *r, bool competes, uint64_t seed, unsigned fault_percent);
void replica_kill(struct replica *r); /* no-op when it does not run */

#endif
