/*
 * restore_info: what the small files of an extracted backup say, and whether our tools fit it. Pure. Two files have the
 * version: xtrabackup_info (from MariaDB 11.1 on mariadb_backup_info), lines "key = value".
 */
#ifndef STASHD_RESTORE_INFO_H
#define STASHD_RESTORE_INFO_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct restore_info {
    char tool[64];    /* "mariadb-backup", "xtrabackup" */
    char version[64]; /* of the server: "10.11.8-MariaDB-log" */
};

/* ERR_INVALID when it names no server version. */
int restore_info_parse(struct str text, struct restore_info *out, struct error *e) NODISCARD;

/* "8.0.35-27.1" to 8 and 0; false: it begins with no such number. */
bool restore_info_series(const char *version, unsigned *ret_major, unsigned *ret_minor);
/* What `--version` of the backup tool printed, to the version of the tool itself ("8.0.35-30", "10.11.8"); "" when it
 * is not understood. out: 64 bytes. */
const char *restore_info_tool_version(struct str printed, char out[64]);

/* Does the tool prepare backups of that server? Same series;
 * xtrabackup 2.4 is 5.7's. ERR_INVALID says which is needed. */
int restore_info_check(const char *server, bool is_mariadb, const char *tool_version, struct error *e) NODISCARD;

/* Value of "backup_type = …" in xtrabackup_checkpoints; out: 64 bytes. */
const char *restore_info_backup_type(struct str checkpoints, char out[64]);

/* First data file of the system tablespace by backup-my.cnf: "ibdata1" when it does not say. out: 64 bytes. */
const char *restore_info_system_file(struct str backup_my_cnf, char out[64]);

#endif
