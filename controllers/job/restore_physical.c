/*
 * restore_physical: a stream of mariadb-backup or xtrabackup into a data directory that a server can start on, as a
 * member of its Galera cluster without a state transfer. Everything happens in the stage (datadir.h): extract and check
 * the stream, decompress, compare versions, prepare, write Galera's position, set owners; then all of it moves into
 * place. Killed before it is prepared, all is done again (a --prepare that was interrupted is nothing to build on);
 * killed after, only the move goes on.
 */
#include "controllers/job/restore_parts.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controllers/job/backup.h"
#include "controllers/job/datadir.h"
#include "controllers/job/grastate.h"
#include "controllers/job/prepare_tool.h"
#include "controllers/job/restore_info.h"
#include "controllers/job/restore_pump.h"
#include "controllers/job/sst.h"
#include "controllers/job/unpack.h"
#include "controllers/job/words.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum {
    PROGRESS_MS = 10000,
    TEXT_MAX = 1024 * 1024,
    OUT_MAX = 16 * 1024 * 1024,
    MEMORY_DEFAULT_MB = 512, /* without a limit of the container */
    MEMORY_MIN_MB = 64,
};

struct physical {
    struct restore *r;
    struct datadir dir;
    const char *extract, *prepare; /* programs; extract NULL: we do it */
    bool is_mariadb;
    char tool_version[64];
};

/* ---- tools ---- */

static int find_tools(struct physical *p, struct error *e)
{
    static const char *const p_extract[] = {"xbstream", NULL};
    const char *server = p->r->server;

    p->is_mariadb = *server ? strstr(server, "MariaDB") != NULL : prepare_tool_find(true) != NULL;
    p->extract = p->is_mariadb ? NULL : job_find_program(p_extract);
    p->prepare = prepare_tool_find(p->is_mariadb);
    if (p->prepare && (p->is_mariadb || p->extract))
        return 0;
    return error_set(e, ERR_NOTFOUND,
                     "the snapshot holds a physical backup of %s, but this image has no %s: use the Task of that "
                     "database",
                     *server ? server : "a database", p->is_mariadb ? "mariadb-backup" : "xtrabackup and xbstream");
}

/* ---- files of the stage ---- */

static char *in_stage(const struct physical *p, const char *name)
{
    return mem_printf("%s/%s", p->dir.stage, name);
}

static int read_stage(const struct physical *p, const char *name, struct buf *out, struct error *e)
{
    AUTO_FREE char *path = in_stage(p, name);

    buf_init(out, TEXT_MAX);
    return env_uv_read_file(path, out, e);
}

static void drop(const struct physical *p, const char *name)
{
    AUTO_FREE char *path = in_stage(p, name);

    job_remove(path);
}

/* ---- steps ---- */

static uint64_t n_extracted; /* nftw has no argument of ours */

static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path;
    (void)st;
    (void)ftw;
    n_extracted += type == FTW_F;
    return 0;
}

/* Programs that extract have ended well without doing so: at a name that they do not like, at a full disk. */
static int count_extracted(struct physical *p, const struct xbstream *x, struct error *e)
{
    uint64_t wanted = xbstream_files(x);

    drop(p, MANIFEST_FILE); /* it has done its work, and is no file of the backup */
    n_extracted = 0;
    if (nftw(p->dir.stage, count_file, 16, FTW_PHYS) == 0 && n_extracted == wanted)
        return 0;
    return error_set(e, ERR_INVALID, "%s extracted %llu files of %llu, and ended well", p->extract,
                     (unsigned long long)n_extracted, (unsigned long long)wanted);
}

static int extract(struct physical *p, struct xbstream *x, struct error *e)
{
    struct xbstream_options options = {.flavour = p->is_mariadb                           ? XBSTREAM_MARIADB
                                                  : str_starts(str_of(p->tool_version), STR("2.")) ? XBSTREAM_PERCONA_57
                                                                                          : XBSTREAM_PERCONA_80};
    const char *argv[] = {p->extract, "-x", "-C", p->dir.stage, NULL};
    struct unpack *unpack = NULL;
    struct restore_pump pump = {.repo = &p->r->repo,
                                .snapshot = p->r->snapshot,
                                .file = "/" BACKUP_STREAM_FILE,
                                .argv = p->extract ? argv : NULL,
                                .envp = job_environment(p->r->job),
                                .program = p->extract,
                                .check = x,
                                .options = &options,
                                .progress_every_ms = PROGRESS_MS,
                                .manifest_required = p->r->has_manifest,
                                .expected_bytes = p->r->bytes > 0 ? (uint64_t)p->r->bytes : 0};
    int rc = p->extract ? 0 : unpack_new(p->dir.stage, &unpack, e);

    if (rc < 0)
        return rc;
    if (unpack)
        xbstream_set_sink(x, unpack_sink(unpack));
    log_info(&p->r->job->log, "the backup is fetched", F_STR("snapshot", p->r->snapshot));
    rc = restore_pump_run(&pump, e);
    unpack_free(unpack);
    p->r->bytes = (int64_t)pump.bytes;
    if (rc == 0 && p->extract)
        rc = count_extracted(p, x, e);
    if (rc == 0)
        log_info(&p->r->job->log, "the backup is extracted", F_INT("bytes", pump.bytes),
                 F_INT("files", xbstream_files(x)));
    return rc;
}

static int run_tool(struct physical *p, const struct words *w, struct job_result *result, struct error *e)
{
    struct job_command c = {.argv = words_argv(w), .envp = job_environment(p->r->job), .out_max = OUT_MAX};

    return job_run_ok(p->r->job, &c, result, e);
}

static int decompress(struct physical *p, const struct xbstream *x, struct error *e)
{
    struct words w = {0};
    struct job_result result;
    int rc;

    if (xbstream_saw_suffix(x, ".xbcrypt"))
        return error_set(e, ERR_INVALID, "the backup's files are encrypted (xbcrypt): that is not supported");
    if (!xbstream_saw_suffix(x, ".qp") && !xbstream_saw_suffix(x, ".zst") && !xbstream_saw_suffix(x, ".lz4"))
        return 0;
    words_add(&w, p->prepare);
    words_add(&w, "--no-defaults");
    words_add(&w, "--decompress");
    words_add(&w, "--remove-original");
    words_addf(&w, "--target-dir=%s", p->dir.stage);
    rc = run_tool(p, &w, &result, e);
    job_result_done(&result);
    words_done(&w);
    return rc < 0 ? error_wrap(e, rc, "decompressing the backup") : 0;
}

static int check_info(struct physical *p, struct error *e)
{
    AUTO_FREE char *keys = in_stage(p, "xtrabackup_keys");
    struct restore_info info = {0};
    struct buf text;
    int rc = read_stage(p, "xtrabackup_info", &text, e);

    if (access(keys, F_OK) == 0) {
        buf_done(&text);
        return error_set(e, ERR_INVALID, "the backup has encrypted tables, whose transition key is not kept with it");
    }
    if (rc == ERR_NOTFOUND) { /* MariaDB from 11.1 on */
        buf_done(&text);
        rc = read_stage(p, "mariadb_backup_info", &text, e);
    }
    if (rc == 0)
        rc = restore_info_parse(buf_str(&text), &info, e);
    buf_done(&text);
    if (rc < 0)
        return rc;
    if (strstr(info.tool, p->is_mariadb ? "xtrabackup" : "maria"))
        return error_set(e, ERR_INVALID, "the backup was made by %s, which %s does not read", info.tool, p->prepare);
    return restore_info_check(info.version, p->is_mariadb, p->tool_version, e);
}

/* Half of the container's memory, in MB. */
static uint64_t memory_mb(void)
{
    static const char *const files[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};

    for (size_t i = 0; i < 2; i++) {
        struct buf text;
        uint64_t bytes = 0, half;
        bool known;

        buf_init(&text, 256);
        known = env_uv_read_file(files[i], &text, NULL) == 0 && str_to_u64(str_trim(buf_str(&text)), &bytes) == 0;
        buf_done(&text);
        half = bytes / 2 >> 20;
        if (known && half < 1024 * 1024) /* version 1 writes a huge number for "none" */
            return half < MEMORY_MIN_MB ? MEMORY_MIN_MB : half;
    }
    return MEMORY_DEFAULT_MB;
}

/* The stream's position is newer than its data. What is there after --prepare must be what that has found: there are
 * versions that write no file where one is. */
static void drop_position(struct physical *p)
{
    static const char *const names[] = {"xtrabackup_galera_info", "mariadb_backup_galera_info"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        AUTO_FREE char *path = in_stage(p, names[i]);

        job_remove(path);
    }
}

static int check_plugins(struct physical *p, struct error *e)
{
    struct buf text;
    int rc = read_stage(p, "backup-my.cnf", &text, e);

    if (rc == 0 && p->is_mariadb)
        rc = sst_check_prepare(buf_str(&text), prepare_tool_finds_plugin, e);
    buf_done(&text);
    return rc == ERR_NOTFOUND ? 0 : rc;
}

static int prepare(struct physical *p, struct error *e)
{
    const char *memory = p->r->flags->use_memory;
    struct words w = {0};
    struct job_result result;
    struct str err;
    int rc;

    drop_position(p);
    words_add(&w, p->prepare);
    words_add(&w, "--no-defaults");
    words_add(&w, "--prepare");
    words_addf(&w, "--target-dir=%s", p->dir.stage);
    if (p->is_mariadb)
        words_add(&w, "--plugin-dir=" PREPARE_TOOL_PLUGIN_DIR);
    if (memory && *memory)
        words_addf(&w, "--use-memory=%s", memory);
    else
        words_addf(&w, "--use-memory=%lluM", (unsigned long long)memory_mb());
    rc = run_tool(p, &w, &result, e);
    err = buf_str(&result.err.text);
    if (rc == 0 && !memmem(err.n ? err.p : "", err.n, "completed OK!", 13))
        rc = error_set(e, ERR_INVALID, "it ended without \"completed OK!\"");
    job_result_done(&result);
    words_done(&w);
    return rc < 0 ? error_wrap(e, rc, "%s --prepare", p->prepare) : 0;
}

/* What --prepare leaves when it was whole: the two tools have different words for it. */
static int check_prepared(struct physical *p, struct error *e)
{
    const char *wanted = p->is_mariadb ? "log-applied" : "full-prepared";
    struct buf text;
    char type[64];
    int rc = read_stage(p, "xtrabackup_checkpoints", &text, e);

    if (rc == ERR_NOTFOUND) {
        buf_done(&text);
        rc = read_stage(p, "mariadb_backup_checkpoints", &text, e);
    }
    if (rc == 0 && !str_same(restore_info_backup_type(buf_str(&text), type), wanted))
        rc = error_set(e, ERR_INVALID, "the backup is not prepared: backup_type is \"%s\"", type);
    buf_done(&text);
    return rc;
}

static int write_position(struct physical *p, struct error *e)
{
    const char *ordinal = repo_flags_env(p->r->envp, "POD_ORDINAL");
    bool first = !ordinal || !*ordinal || str_same(ordinal, "0");
    AUTO_FREE char *path = in_stage(p, "grastate.dat");
    struct grastate g;
    struct buf text;
    int rc = read_stage(p, "xtrabackup_galera_info", &text, e);

    if (rc == ERR_NOTFOUND) {
        buf_done(&text);
        rc = read_stage(p, "mariadb_backup_galera_info", &text, e);
    }
    if (rc == ERR_NOTFOUND) {
        buf_done(&text);
        log_warn(&p->r->job->log, "the backup has no Galera position: the server starts as none of a cluster");
        return 0;
    }
    if (rc == 0)
        rc = grastate_parse(buf_str(&text), &g, e);
    buf_done(&text);
    if (rc < 0)
        return rc;
    buf_init(&text, 1024);
    grastate_format(&g, first, &text);
    rc = env_uv_write_file(path, buf_str(&text), 0640, true, e);
    buf_done(&text);
    if (rc == 0)
        log_info(&p->r->job->log, "Galera's position is written", F_STR("uuid", g.uuid), F_INT("seqno", g.seqno),
                 F_BOOL("safe_to_bootstrap", first));
    return rc;
}

/* Identity and state of the node the backup is of: they must not come to life on another. */
static int tidy(struct physical *p, struct error *e)
{
    static const char *const stale[] = {"gvwstate.dat", "auto.cnf", "galera.cache", "xtrabackup_galera_info_SST"};
    uid_t uid;
    gid_t gid;

    for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++)
        drop(p, stale[i]);
    datadir_owner(&p->dir, p->r->flags->data_uid, p->r->flags->data_gid, &uid, &gid);
    return datadir_chown(&p->dir, uid, gid, e);
}

static int ready(struct physical *p, struct error *e)
{
    struct buf text;
    char file[64];
    int rc = read_stage(p, "backup-my.cnf", &text, e);

    (void)restore_info_system_file(buf_str(&text), file); /* its default without the file */
    buf_done(&text);
    return rc < 0 && rc != ERR_NOTFOUND ? rc : datadir_ready(&p->dir, file, e);
}

static int fill(struct physical *p, struct error *e)
{
    struct xbstream *x = xbstream_new();
    int rc = extract(p, x, e);

    if (rc == 0)
        rc = decompress(p, x, e);
    xbstream_free(x);
    if (rc < 0 || (rc = check_info(p, e)) < 0)
        return rc;
    if ((rc = check_plugins(p, e)) < 0 || (rc = prepare(p, e)) < 0 || (rc = check_prepared(p, e)) < 0 ||
        (rc = write_position(p, e)) < 0 || (rc = tidy(p, e)) < 0)
        return rc;
    return ready(p, e);
}

/* ---- before and after ---- */

static int check_space(struct physical *p, struct error *e)
{
    uint64_t have = datadir_free_bytes(&p->dir);
    char need[32], left[32];

    if (p->r->bytes <= 0 || (uint64_t)p->r->bytes <= have)
        return 0;
    return error_set(e, ERR_INVALID, "the backup has %s, but only %s are free in %s",
                     str_format_size((uint64_t)p->r->bytes, need), str_format_size(have, left), p->dir.path);
}

static int check_first(struct physical *p, struct error *e)
{
    const struct restore_flags *f = p->r->flags;
    int rc;

    if (!f->data_dir_given && !datadir_is_mount(f->data_dir))
        return error_set(e, ERR_INVALID, "the snapshot holds a physical backup, but no volume is mounted at %s: the "
                         "RestoreSession needs volumeClaimTemplates and a volumeMount there", f->data_dir);
    rc = find_tools(p, e);
    if (rc == 0 && !p->is_mariadb && str_same(f->existing_data, "keep"))
        return error_set(e, ERR_INVALID, "--existing-data=keep is for MariaDB: a server of MySQL's kind finds the same "
                         "tablespaces in the kept folder and does not start; remove the data, or use another claim");
    if (rc < 0 || (rc = prepare_tool_version(p->r->job, p->prepare, p->tool_version, e)) < 0)
        return rc;
    /* Of the snapshot's tag: found before hours of extracting; the file in the backup decides in the end. */
    return *p->r->server ? restore_info_check(p->r->server, p->is_mariadb, p->tool_version, e) : 0;
}

static int fill_and_commit(struct physical *p, enum datadir_progress progress, struct error *e)
{
    bool is_ready = progress == DATADIR_READY;
    int rc = 0;

    if (is_ready)
        log_info(&p->r->job->log, "an earlier try prepared the backup: only the move is left",
                 F_STR("snapshot", p->dir.snapshot));
    else if ((rc = check_space(p, e)) == 0 && (rc = fill(p, e)) == 0)
        is_ready = true;
    if (rc == 0)
        rc = job_check(p->r->job, e);
    if (rc == 0)
        rc = datadir_commit(&p->dir, e);
    if (rc < 0 && !(is_ready && p->r->job->canceled)) /* then as after a kill: the next try goes on from here */
        datadir_abandon(&p->dir, e->msg);
    return rc;
}

int restore_physical(struct restore *r, struct error *e)
{
    struct physical p = {.r = r, .dir.lock_fd = -1};
    struct datadir_options options = {.path = r->flags->data_dir,
                                      .attempt = r->attempt,
                                      .snapshot = r->snapshot,
                                      .keep = str_same(r->flags->existing_data, "keep")};
    enum datadir_progress progress = DATADIR_EMPTY;
    int rc = check_first(&p, e);

    if (rc < 0)
        return rc;
    rc = datadir_open(&p.dir, &options, &progress, e);
    if (rc == 0 && progress == DATADIR_COMPLETE)
        log_info(&r->job->log, "an earlier try had all in place");
    else if (rc == 0)
        rc = fill_and_commit(&p, progress, e);
    if (rc == 0 && p.dir.has_kept)
        log_warn(&r->job->log, "the data of before are kept: remove them when the server has started on the new ones",
                 F_STR("folder", p.dir.kept));
    datadir_done(&p.dir);
    return rc;
}
