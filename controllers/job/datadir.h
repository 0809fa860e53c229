/*
 * datadir: a data directory that is empty, restored, or visibly neither. A restore works in a folder ".stash-restore"
 * of the same volume; only what is whole is moved into place:
 *
 *   - the last thing to appear is the system tablespace. Until then a folder stands in its place, so that no server can
 *     start on, or initialise, what is there;
 *   - the swap of folder and file is one system call where the file system has it.
 *
 * A state file says how far an attempt came. A later attempt cleans up after one that was interrupted, and finishes one
 * that only lacked its tidying.
 */
#ifndef STASHD_DATADIR_H
#define STASHD_DATADIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/error.h"

struct datadir {
    char *path;  /* "/var/lib/mysql" */
    char *own;   /* "<path>/.stash-restore" */
    char *stage; /* "<path>/.stash-restore/data": extract and prepare here */
    char *attempt;
    /* private */
    int lock_fd;
    bool begun, moving;
    char guard[64];
};

/*
 * attempt: a name that is the same for repetitions of one restore. Makes an empty stage. *ret_complete: an earlier
 * attempt of this restore had all in place: nothing is left to do. ERR_INVALID: no such folder, not empty, or half
 * moved by another restore; ERR_CONFLICT: another restore is at work here. datadir_done in either case.
 */
int datadir_open(struct datadir *d, const char *path, const char *attempt, bool *ret_complete,
                 struct error *e) NODISCARD;
/* Moves all of the stage into place; guard: its system tablespace. All of it is on disk when this returns 0. */
int datadir_commit(struct datadir *d, const char *guard, struct error *e) NODISCARD;
/* The restore failed: takes everything away but the state file, which says why. */
void datadir_abandon(struct datadir *d, const char *why);
void datadir_done(struct datadir *d);

/* Is it the root of a mount? */
bool datadir_is_mount(const char *path);
/* Owner for the files: as given when >= 0, else that of the folder if not root, else 1001. Without root: ourselves. */
void datadir_owner(const struct datadir *d, int64_t uid, int64_t gid, uid_t *ret_uid, gid_t *ret_gid);
/* Gives all of the stage, and the folder itself if it is root's, to the owner; skips what is right. */
int datadir_chown(const struct datadir *d, uid_t uid, gid_t gid, struct error *e) NODISCARD;
/* Bytes free for us on the volume; UINT64_MAX: not known. */
uint64_t datadir_free_bytes(const struct datadir *d);

#endif
