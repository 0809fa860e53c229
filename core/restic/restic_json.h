/*
 * restic_json: what restic prints, as values: the lines of backup --json, the documents of the other commands, and
 * which kind of failure an end was. Pure: text in, values out. Unknown keys and unknown lines are passed over, since
 * newer versions add some.
 */
#ifndef STASHD_RESTIC_JSON_H
#define STASHD_RESTIC_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

/* ---- lines of backup --json ---- */

struct restic_summary {
    int64_t files_new, files_changed, files_unmodified, files_total; /* -1: not told */
    int64_t bytes_added, bytes_added_packed, bytes_processed;        /* -1: not told (packed: before 0.16) */
    double duration_s;
    char snapshot_id[65]; /* as printed, 8 digits before 0.16; "": none was made */
};

enum restic_line_type {
    RESTIC_LINE_OTHER,  /* no JSON object, or a message we do not use */
    RESTIC_LINE_STATUS, /* bytes_done, bytes_total */
    RESTIC_LINE_SUMMARY,
    RESTIC_LINE_ERROR, /* one item could not be read: message */
    RESTIC_LINE_EXIT,  /* exit_error: the last word of a failed command: message, code */
};

struct restic_line {
    enum restic_line_type type;
    int64_t bytes_done, bytes_total; /* 0: not told */
    int code;
    char message[512];
    struct restic_summary summary;
};

void restic_parse_line(struct str line, struct restic_line *out);

/* ---- documents ---- */

struct restic_snapshot {
    char *id, *host, *time; /* never NULL */
    char **paths, **tags;   /* NULL-terminated lists, never NULL */
    int64_t time_s;         /* Unix seconds */
    int64_t bytes;          /* of its summary (from 0.17 on), or of our own tag; -1: not told */
};

struct restic_snapshots {
    struct restic_snapshot *items; /* as restic lists them: oldest first */
    size_t n;
};

/* snapshots --json. ERR_INVALID when it is no such list. */
int restic_parse_snapshots(struct str text, struct restic_snapshots *out, struct error *e) NODISCARD;
void restic_snapshots_done(struct restic_snapshots *s);
/* Value of the tag "<name>=<value>" of a snapshot; NULL when it has none. */
const char *restic_tag(const struct restic_snapshot *s, const char *name);

/* forget --json: sums over its groups. Nothing on stdout counts as zero and zero. */
int restic_parse_forget(struct str text, int64_t *ret_kept, int64_t *ret_removed, struct error *e) NODISCARD;
/* stats --json: total_size. */
int restic_parse_stats(struct str text, int64_t *ret_bytes, struct error *e) NODISCARD;

enum restic_check {
    RESTIC_CHECK_GOOD,
    RESTIC_CHECK_DAMAGED, /* it ran and found damage */
    RESTIC_CHECK_FAILED,  /* it could not run to its end */
};
/* check, with or without --json; out and err: all it printed. */
enum restic_check restic_parse_check(int status, struct str out, struct str err);

/* list locks: calls on_id for each whole id. */
void restic_parse_locks(struct str text, void (*on_id)(void *ctx, struct str id), void *ctx);

struct restic_lock {
    char host[256];
    int64_t time_s, pid;
    bool exclusive;
};
/* cat lock <id>. */
int restic_parse_lock(struct str text, struct restic_lock *out, struct error *e) NODISCARD;

/* ---- versions and failures ---- */

#define RESTIC_VERSION(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))

/* "restic 0.14.0 compiled with …" or version --json; 0: not understood. */
int restic_parse_version(struct str text);
static inline bool restic_has_exit_codes(int version)
{
    return version >= RESTIC_VERSION(0, 17, 1);
}
static inline bool restic_has_retry_lock(int version)
{
    return version >= RESTIC_VERSION(0, 16, 0);
}

enum restic_class {
    RESTIC_OK,
    RESTIC_FAILED,         /* any other failure */
    RESTIC_INCOMPLETE,     /* backup: a snapshot was made without some of its sources */
    RESTIC_ABSENT,         /* there is no repository */
    RESTIC_PRESENT,        /* init: there is one already */
    RESTIC_LOCKED,         /* a lock of somebody else is in the way */
    RESTIC_UNREADABLE,     /* its configuration does not open with its key: two made it at the same moment */
    RESTIC_WRONG_PASSWORD, /* never initialise then */
    RESTIC_DENIED,         /* the backend refuses our credentials */
    RESTIC_BUSY,           /* the network or the backend, worth another try */
    RESTIC_INTERRUPTED,    /* by a signal */
};

/* err: what it printed on stderr, or its last part. version as by restic_parse_version. */
enum restic_class restic_classify(int version, int status, int sig, struct str err);
/* What to show a person: the exit_error message if there is one, else the last lines of stderr, in one line, at most
 * `size` - 1 bytes. */
void restic_error_text(struct str err, char *out, size_t size);

#endif
