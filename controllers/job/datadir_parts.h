/*
 * datadir_parts: private to datadir*.c: moving entries in and out of place (datadir_move.c). Each call may be repeated
 * after a kill in its middle. ERR_CONFLICT: a name is in place and where it moves to or comes from: nothing is lost.
 */
#ifndef STASHD_DATADIR_PARTS_H
#define STASHD_DATADIR_PARTS_H

#include "controllers/job/datadir.h"

/* "<what> <path>: <errno>" as ERR_DENIED or ERR_INVALID. */
int datadir_os_error(const char *what, const char *path, struct error *e);
int datadir_sync_folder(const char *path, struct error *e) NODISCARD;

/* A name in place that is not ours; "" when there is none. */
int datadir_find_foreign(const struct datadir *d, char out[256], struct error *e) NODISCARD;
/* ERR_CONFLICT: a process has locked one of the files in place, as servers do with theirs. */
int datadir_check_unused(const struct datadir *d, struct error *e) NODISCARD;

/* Is the system tablespace in place a file, a server's? */
bool datadir_guard_is_file(const struct datadir *d);
/* Did it come from the stage, as the last? */
bool datadir_all_in_place(const struct datadir *d);
/* All that is in place goes to kept, its system tablespace first: a folder stands there then. */
int datadir_move_out(const struct datadir *d, struct error *e) NODISCARD;
/* All of the stage goes into place, its system tablespace last. */
int datadir_move_in(const struct datadir *d, struct error *e) NODISCARD;
/* All that is in place came from a restore, and goes; the folder that keeps servers away stays. */
int datadir_remove_moved(const struct datadir *d, struct error *e) NODISCARD;
/* What is kept comes back, its system tablespace last; then nothing is kept. */
int datadir_take_back(const struct datadir *d, struct error *e) NODISCARD;

#endif
