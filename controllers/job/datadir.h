/*
 * datadir: a data directory that is empty, whole as it was, restored, or visibly none of these. A restore works in a
 * folder ".stash-restore" of the same volume; only what is whole is moved into place:
 *
 *   - the last thing to appear is the system tablespace. Until then a folder stands in its place, so that no server can
 *     start on, or initialise, what is there;
 *   - the swap of folder and file is one system call where the file system has it;
 *   - data that were there before move, in the same way, into "stash_kept/data" and stay there until a person removes
 *     them. A restore that cannot be finished brings them back.
 *
 * A state file says how far an attempt came. The same attempt, killed anywhere, goes on from there: it begins anew
 * until its stage is ready, and from then on only finishes the move. Another attempt takes back what a move left half
 * done.
 */
#ifndef STASHD_DATADIR_H
#define STASHD_DATADIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/error.h"

/* To the server this is a database without tables. Not with a dot: mariadb-backup takes any folder for a database, and
 * mbstream refuses to extract one that begins so. */
#define DATADIR_KEPT "stash_kept"
#define DATADIR_MARK "stash_restored.json" /* of a restored directory: which attempt and which snapshot */

enum datadir_progress {
    DATADIR_EMPTY,    /* the stage is empty: fill it */
    DATADIR_READY,    /* an earlier try of this attempt made the stage ready: commit it */
    DATADIR_COMPLETE, /* an earlier try of this attempt had all in place */
};

struct datadir_options {
    const char *path;     /* "/var/lib/mysql" */
    const char *attempt;  /* a name that is the same for repetitions of one restore */
    const char *snapshot; /* that is restored */
    bool keep;            /* data that are there may be kept aside; else they are an error */
};

struct datadir {
    char *path;  /* "/var/lib/mysql" */
    char *own;   /* "<path>/.stash-restore" */
    char *stage; /* "<path>/.stash-restore/data": extract and prepare here */
    char *kept;  /* "<path>/stash_kept/data" */
    char *attempt, *snapshot;
    bool has_kept; /* after the commit: data of before are in kept */
    /* private */
    int lock_fd;
    bool begun, keep;
    char phase[16], guard[64];
};

/*
 * Makes an empty stage, unless *ret says that there is more. ERR_INVALID: no such folder, or not empty (without keep),
 * or an earlier restore's data are kept already; ERR_CONFLICT: another restore is at work here, or a server is.
 * datadir_done in either case.
 */
int datadir_open(struct datadir *d, const struct datadir_options *o, enum datadir_progress *ret,
                 struct error *e) NODISCARD;
/* The snapshot that an earlier try of this attempt took; NULL: there was none. Freed with mem_free. */
char *datadir_snapshot(const char *path, const char *attempt);
/* The stage is a whole data directory; guard: its system tablespace. It is on disk, and this is known, when it returns
 * 0. */
int datadir_ready(struct datadir *d, const char *guard, struct error *e) NODISCARD;
/* Moves the stage into place, once it is ready. All of it is on disk when this returns 0. Errors as of datadir_open, of
 * what came there since. */
int datadir_commit(struct datadir *d, struct error *e) NODISCARD;
/* The restore failed: takes everything of it away but the state file, which says why, and brings back what was kept. */
void datadir_abandon(struct datadir *d, const char *why);
void datadir_done(struct datadir *d);

/* ---- volumes ---- */

/* Is it the root of a mount? */
bool datadir_is_mount(const char *path);
/* Owner for the files: as given when >= 0, else that of the folder if not root, else 1001. Without root: ourselves. */
void datadir_owner(const struct datadir *d, int64_t uid, int64_t gid, uid_t *ret_uid, gid_t *ret_gid);
/* Gives all of the stage, and the folder itself if it is root's, to the owner; skips what is right. */
int datadir_chown(const struct datadir *d, uid_t uid, gid_t gid, struct error *e) NODISCARD;
/* Bytes free for us on the volume; UINT64_MAX: not known. */
uint64_t datadir_free_bytes(const struct datadir *d);

#endif
