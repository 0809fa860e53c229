/*
 * cluster: what a world starts with: our CRDs from the chart, a catalogue, namespaces with configurations; and what
 * users put back when it was deleted.
 */
#ifndef STASHD_SIM_CLUSTER_H
#define STASHD_SIM_CLUSTER_H

#include <stdbool.h>

#include "k8s/model/model.h"

struct cluster_config {
    char ns[16], name[16], schedule[40];
    bool hurt;  /* something in its namespace was deleted */
    bool hasty; /* its schedule is of minutes, while somebody tries it */
};

struct cluster {
    struct cluster_config *configs; /* those of one namespace are neighbours */
    size_t n;
};

/* n configurations by seeded dice, most of them at night; n 0: six that are busy by day. */
void cluster_init(struct cluster *c, size_t n, uint64_t seed);
void cluster_done(struct cluster *c);
/* A schedule as cluster_init throws them; and one of minutes. */
void cluster_schedule(char *out, size_t size, uint64_t dice);
void cluster_schedule_hasty(char *out, size_t size, uint64_t dice);

/* Our CRDs, a list; chart: the folder with templates/crds. NULL and a line on stderr when one can't be read. */
json_t *cluster_read_crds(const char *chart);
/* False and a line on stderr when the model refuses something. */
bool cluster_fill(const struct cluster *c, struct model *m, const json_t *crds);
void cluster_hurt(struct cluster *c, const char *ns);
/* Makes what is missing where something was hurt. False: not all of it is there (a namespace is on its way out). */
bool cluster_restore(const struct cluster *c, struct model *m);

#endif
