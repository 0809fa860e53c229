/*
 * trigger_pod: what the program in a CronJob's pod does (create-backupsession), in one step of the simulation: the
 * program itself waits for answers, which nobody can here. Names and objects are made by the same code.
 */
#ifndef STASHD_SIM_TRIGGER_POD_H
#define STASHD_SIM_TRIGGER_POD_H

#include "k8s/model/model.h"

/* pod: its whole object. True: the session is there, and the invoker's. */
bool trigger_pod_run(struct model *m, const json_t *pod);

#endif
