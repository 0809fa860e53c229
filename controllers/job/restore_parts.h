/* restore_parts: what the files of a restore share. */
#ifndef STASHD_RESTORE_PARTS_H
#define STASHD_RESTORE_PARTS_H

#include "controllers/job/apiserver.h"
#include "controllers/job/repo_flags.h"

struct restore_flags {
    struct repo_flags repo;
    const char *app, *app_ns, *ns, *hostname, *source_hostname, *args, *snapshot, *output_dir, *master, *kubeconfig;
    const char *data_dir, *existing_data, *use_memory, *license;
    uint64_t wait_s;
    int64_t replicas, data_uid, data_gid;
    bool help;
    bool data_dir_given; /* by a flag: then it need not be a mount */
};

struct restore {
    struct job *job;
    const struct restore_flags *flags;
    const char *const *envp;
    struct apiserver *api; /* NULL until somebody asks: restore_api */
    struct repo repo;
    struct secrets key;
    char *attempt;          /* the same for repetitions of one restore */
    char *pinned;           /* the snapshot that an earlier try chose as the latest; NULL: none */
    char *snapshot;         /* its whole id */
    char *server;           /* version of the server it is of, by its tag; "": not known */
    int64_t bytes;          /* of the snapshot, then what was restored; < 0: not known */
    bool is_physical;
    bool has_manifest;      /* by its tag */
};

/* Before anything is connected (restore_flags.c): ERR_INVALID names the flag and the remedy. */
int restore_flags_check(const struct restore_flags *f, const char *const *envp, struct error *e) NODISCARD;
int restore_flags_check_snapshot(const char *id, struct error *e) NODISCARD; /* "latest", or an id */

int restore_api(struct restore *r, struct error *e) NODISCARD;
/* Which snapshot, and what it holds: r->snapshot … is_physical. */
int restore_find_snapshot(struct restore *r, struct error *e) NODISCARD;
/* ---- the latest of a host, the same for all volumes of one RestoreSession (restore_agree.c) ---- */

/* *ret: the id that is agreed on, freed with mem_free; NULL: none yet, or there is nobody to agree with. */
int restore_agreed(struct restore *r, const char *host, char **ret, struct error *e) NODISCARD;
/* From now on it is that id. ERR_EXISTS: it is another one already, which restore_agreed says. */
int restore_agree(struct restore *r, const char *host, const char *id, struct error *e) NODISCARD;

int restore_physical(struct restore *r, struct error *e) NODISCARD;
int restore_logical(struct restore *r, struct error *e) NODISCARD;

#endif
