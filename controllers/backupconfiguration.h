/*
 * backupconfiguration: the BackupConfiguration controller (controllers.md 4): is what it refers to there, is it well
 * formed, may it be triggered. Private to it: the check of the spec.
 */
#ifndef STASHD_BACKUPCONFIGURATION_H
#define STASHD_BACKUPCONFIGURATION_H

#include "controllers/controller.h"
#include "controllers/problems.h"

extern const struct controller backupconfiguration_controller;

/* What is wrong with the spec by itself. */
void backupconfiguration_check(const json_t *object, struct problems *out);

#endif
