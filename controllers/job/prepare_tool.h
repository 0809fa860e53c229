/*
 * prepare_tool: the program of this image that makes a data directory of a physical backup.
 */
#ifndef STASHD_PREPARE_TOOL_H
#define STASHD_PREPARE_TOOL_H

#include "controllers/job/job.h"

/* The server's plugins in this image. mariadb-backup must be told: without a configuration of the server it looks for
 * them in the root folder. */
#define PREPARE_TOOL_PLUGIN_DIR "/usr/lib/mysql/plugin"

/* MariaDB's or Percona's; NULL: this image has none. */
const char *prepare_tool_find(bool is_mariadb);
/* "10.11.8-MariaDB", "8.0.35-30"; "" when what it prints is not understood. */
int prepare_tool_version(struct job *j, const char *program, char out[64], struct error *e) NODISCARD;
/* Would mariadb-backup find that library ("provider_lz4")? True where there is no mariadb-backup: then another image
 * restores. */
bool prepare_tool_finds_plugin(struct str library);

#endif
