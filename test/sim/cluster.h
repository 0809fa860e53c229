/* cluster: what a simulated run starts with: our CRDs from the chart, a catalogue, namespaces with configurations. */
#ifndef STASHD_SIM_CLUSTER_H
#define STASHD_SIM_CLUSTER_H

#include "k8s/model/model.h"

struct cluster_config {
    const char *ns, *name, *schedule;
};

extern const struct cluster_config cluster_configs[];
extern const size_t cluster_n_configs;

/* False and a line on stderr when the model refuses something. chart: the folder with templates/crds. */
bool cluster_fill(struct model *m, const char *chart);
/* One object, as a user would: false when refused. yaml in flow style, see cluster.c. */
bool cluster_apply(struct model *m, const char *path, const char *yaml);

#endif
