/*
 * backup: one backup of a database into a repository. The mode follows from the AppBinding: with a Galera group the
 * cluster gives its data by a state transfer (backup_cluster.c), else the server is dumped (backup_dump.c).
 *
 * No snapshot is made of bytes that are not known to be whole; one that became visible although a later step failed is
 * forgotten again, and the error says so.
 */
#ifndef STASHD_BACKUP_H
#define STASHD_BACKUP_H

#include "controllers/job/app.h"
#include "controllers/job/manifest.h"
#include "controllers/job/pipeline.h"
#include "controllers/job/receive.h"
#include "controllers/job/sql.h"

#define BACKUP_DUMP_FILE "dumpfile.sql"
#define BACKUP_STREAM_FILE "xtrabackup.stream"

struct backup_params {
    const char *hostname; /* restic host */
    const char *args;     /* more words for the dump program */
    uint64_t wait_s;      /* for the database */
    const char *ns, *invoker_kind, *invoker_name, *session; /* for tags; NULL or "": no tag */

    const char *own_address; /* as the donor reaches us; NULL or "": found by the route to the donor */
    uint16_t sst_port;       /* 4444; 0: any */
    uint16_t told_port;      /* where the donor finds us, when something stands in between; 0: sst_port */
    uint16_t group_port;     /* garbd's own; never the same as sst_port */
    uint32_t request_ms;     /* for garbd to find a donor */
    uint64_t synced_s;       /* for the donor to be Synced again */
    struct receive_limits limits;
    uint32_t stall_ms;       /* the backend may take nothing for so long */
    uint64_t lock_wait_s;
    uint32_t progress_ms;
    /* May take its time (an API call): the copying goes on. NULL: nobody. */
    void (*on_progress)(void *ctx, const struct pipeline_progress *now);
    void *ctx;
};
/* The limits of worker.md 3.6 and datapath.md 9. */
void backup_defaults(struct backup_params *p);

/* What a state transfer cost the cluster. */
struct backup_transfer {
    double donor_s; /* from the donor's selection until it was Synced again; 0: not known */
    double flow_control_percent; /* of that time, on the node that felt it most */
    uint64_t queue_max;          /* write sets that waited on another node, at most */
    int64_t tables_unreplicated; /* in engines that Galera does not replicate */
    char tables[512];            /* the first of them */
    char unsynced[256];          /* nodes that were not Synced again soon; "": all were */
};

struct backup_result {
    const char *path; /* file name in the snapshot */
    struct restic_summary summary;
    char donor[128], version[64]; /* of the server */
    uint64_t chunks, files, bytes; /* of the stream */
    struct backup_transfer transfer; /* of a cluster */
    struct manifest manifest;     /* what the snapshot's file says of itself */
};

int backup_run(struct job *j, struct repo *repo, const struct app *app, const struct backup_params *p,
               struct backup_result *out, struct error *e) NODISCARD;

/* ---- shared by the two modes ---- */

struct backup {
    struct job *job;
    struct repo *repo;
    const struct app *app;
    const struct backup_params *params;
    struct backup_result *result;
    struct sql sql;
    struct pipeline pipeline;
    struct manifest_hash *hash;    /* over what goes into the pipeline */
    struct restic_command command; /* restic backup */
    struct job_op op;
    void *mode;         /* struct of the mode: for callbacks */
    struct error error; /* the first failure; code 0: none */
    int64_t began_s;    /* Unix time */
    char id[17];        /* of this run, at random: the tag that only its own snapshot has */
    struct pipeline_progress progress; /* to be told */
    bool progress_due, wake;
};

/* Fills b->command and starts restic; on_writable etc. of the pipeline are the mode's. */
int backup_start_pipeline(struct backup *b, const char *method, uint64_t expected_bytes, struct error *e) NODISCARD;
/* The only way for bytes into the pipeline, since they are hashed; as pipeline_write. */
bool backup_write(struct backup *b, struct str bytes) NODISCARD;
/* All bytes were written and are known to be good: the manifest follows them, then the end of restic's input. The mode
 * has filled what it knows of result->manifest. */
void backup_commit(struct backup *b);
/* Notes the first failure. */
void backup_note(struct backup *b, const struct error *e);
/* Waits until *done; tells the progress meanwhile, from here and not from a callback, so that its receiver may wait. */
void backup_wait(struct backup *b, const bool *done);
/* *done may have changed. */
void backup_wake(struct backup *b);

int backup_cluster(struct backup *b, struct error *e) NODISCARD;
int backup_dump(struct backup *b, struct error *e) NODISCARD;

#endif
