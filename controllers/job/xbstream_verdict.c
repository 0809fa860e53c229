/*
 * xbstream_verdict: is what has passed a complete backup?
 *
 * Why no proper prefix of a backup can pass as complete: its last chunk is the only end chunk of the file that the
 * rules ask for as the last one (MariaDB), or one of the set (Percona: a donor that died wrote none of the tail).
 */
#include "controllers/job/xbstream_parts.h"

static int check_all_ended(struct xbstream *x)
{
    char name[128];
    struct str key;
    void *value;

    for (size_t it = 0; x->open_files && map_next(&x->files, &it, &key, &value);)
        if (!((struct file *)value)->ended)
            return xbstream_refuse(x, ERR_INVALID,
                                   "the stream ends on a chunk boundary, but '%s' (of %llu open files) has no end",
                                   xbstream_printable(key, name), (unsigned long long)x->open_files);
    return 0;
}

int xbstream_end(struct xbstream *x, struct error *e)
{
    int rc = x->failed.code;

    if (rc == 0 && x->at == 0)
        rc = xbstream_refuse(x, ERR_INVALID, "the stream is empty");
    if (rc == 0 && (x->part != PART_FIX || x->head.len))
        rc = xbstream_refuse(x, ERR_INVALID,
                             "the stream ends inside a chunk, after %llu bytes (the chunk began at %llu)",
                             (unsigned long long)x->at, (unsigned long long)x->chunk_at);
    if (rc == 0)
        rc = check_all_ended(x);
    return rc ? error_set(e, rc, "%s", x->failed.msg) : 0;
}

static bool has(const struct xbstream *x, const char *name)
{
    for (int i = 0; i < N_KEPT; i++)
        if (str_same(xbstream_kept[i], name))
            return x->kept_ended[i];
    return false;
}

static int require(struct xbstream *x, const char *name, const char *other)
{
    if (has(x, name) || (other && has(x, other)))
        return 0;
    return xbstream_refuse(x, ERR_INVALID, "the stream has no %s: the donor's backup did not finish", name);
}

/* mbstream extracts nothing from such a name on, and ends with status 0. mariadb-backup makes one of each folder in the
 * data directory, also of what a volume's snapshots or a person has put there. */
static int check_names(struct xbstream *x)
{
    char name[128];
    struct str key;
    void *value;

    for (size_t it = 0; map_next(&x->files, &it, &key, &value);)
        if (key.n && key.p[0] == '.')
            return xbstream_refuse(x, ERR_INVALID,
                                   "the stream has '%s', and mbstream extracts no name that begins with a dot: remove "
                                   "that folder from the donor's data directory",
                                   xbstream_printable(key, name));
    return 0;
}

static int check_tail(struct xbstream *x, const struct xbstream_options *o)
{
    bool mariadb = o->flavour == XBSTREAM_MARIADB;
    int rc = require(x, "xtrabackup_checkpoints", mariadb ? "mariadb_backup_checkpoints" : NULL);

    if (rc == 0)
        rc = require(x, "backup-my.cnf", NULL);
    if (rc == 0)
        rc = require(x, "xtrabackup_info", mariadb ? "mariadb_backup_info" : NULL);
    if (rc == 0 && mariadb && o->galera)
        rc = require(x, "xtrabackup_galera_info", "mariadb_backup_galera_info");
    if (rc == 0 && o->flavour == XBSTREAM_PERCONA_80)
        rc = require(x, "xtrabackup_tablespaces", NULL);
    if (rc == 0 && !mariadb && o->transition_key)
        rc = require(x, "xtrabackup_keys", NULL);
    return rc;
}

int xbstream_complete(struct xbstream *x, const struct xbstream_options *o, struct error *e)
{
    int rc = xbstream_end(x, e);
    struct str last = xbstream_base(x->last);
    char name[128];

    if (rc == 0 && o->flavour == XBSTREAM_MARIADB)
        rc = check_names(x);
    if (rc == 0 && (rc = check_tail(x, o)) == 0 && o->flavour == XBSTREAM_MARIADB && !str_is(last, "xtrabackup_info") &&
        !str_is(last, "mariadb_backup_info"))
        rc = xbstream_refuse(x, ERR_INVALID, "the stream's last file is '%s', not xtrabackup_info",
                             xbstream_printable(str_of(x->last), name));
    return rc ? error_set(e, rc, "%s", x->failed.msg) : 0;
}

uint64_t xbstream_bytes(const struct xbstream *x)
{
    return x->at;
}

uint64_t xbstream_chunks(const struct xbstream *x)
{
    return x->chunks;
}

uint64_t xbstream_files(const struct xbstream *x)
{
    return map_size(&x->files);
}

struct str xbstream_text(const struct xbstream *x, const char *name)
{
    for (int i = 0; i < N_KEPT; i++)
        if (str_same(xbstream_kept[i], name))
            return x->kept_ended[i] ? buf_str(&x->kept[i]) : STR_NONE;
    return STR_NONE;
}

const char *xbstream_first(const struct xbstream *x)
{
    return x->first;
}

const char *xbstream_last(const struct xbstream *x)
{
    return x->last;
}

bool xbstream_saw_suffix(const struct xbstream *x, const char *suffix)
{
    for (int i = 0; i < N_SUFFIXES; i++)
        if (str_same(xbstream_suffixes[i], suffix))
            return x->suffix_seen[i];
    return false;
}
