/*
 * cronjob: the controller of our CronJobs' Jobs: one that has succeeded is written down in its invoker and deleted
 * (controllers.md 5.1, 14). The CronJob itself is made by the invoker's controller (trigger.h).
 */
#ifndef STASHD_CRONJOB_H
#define STASHD_CRONJOB_H

#include "controllers/controller.h"

extern const struct controller cronjob_controller;

#endif
