/*
 * sst: the texts of a state transfer (datapath.md 1, 2, 8; datapath-percona.md 1, 2): the request that garbd carries,
 * what garbd's log says about it, and what the donor's first connection holds. Pure.
 */
#ifndef STASHD_SST_H
#define STASHD_SST_H

#include "controllers/job/xbstream.h"
#include "core/base/buf.h"
#include "core/base/str.h"

struct sst_request {
    const char *method;  /* "mariabackup", "xtrabackup-v2" */
    const char *address; /* ours, as the donor reaches it; IPv6 without brackets */
    uint16_t port;
    const char *name;   /* the name that our certificate has; "" or NULL: "stash" */
    const char *secret; /* NULL: none (Percona's servers refuse characters beyond an address) */
};
/* "mariabackup:stash:s3cret@10.0.0.7:4444/xtrabackup_sst//1" */
void sst_format_request(const struct sst_request *r, struct buf *out);

/* The method for a server when the AppBinding names none, or names the other family's: a MariaDB node has no script
 * xtrabackup-v2 unless somebody made one. */
const char *sst_method_of(const char *wanted, enum xbstream_flavour flavour);
/* "10.11.19-MariaDB-log", "8.0.36-28.1" */
enum xbstream_flavour sst_flavour_of(const char *server_version);

enum sst_log_type {
    SST_LOG_OTHER,
    SST_LOG_SELECTED, /* a donor was found: name in donor */
    SST_LOG_BUSY,     /* none is free now; garbd asks again each second */
    SST_LOG_REFUSED,  /* the request failed for good: text */
    SST_LOG_NO_GROUP, /* the group is not primary or has another name: text */
    SST_LOG_TLS,      /* a member and we do not take each other's certificates: text is OpenSSL's reason */
};
struct sst_log {
    enum sst_log_type type;
    char joiner[128]; /* who asked: each member logs the requests of all; "": not told */
    char donor[128];
    char state[32]; /* of that donor: "SYNCED" */
    char text[256];
};
void sst_parse_log(struct str line, struct sst_log *out);

/* What connection 1 told. */
struct sst_info {
    char position[64];       /* "UUID:seqno": at the request, not the backup's */
    char server_version[64]; /* Percona: mysql-version; "" */
    char transition_key[64]; /* Percona with a keyring; a credential; "" */
    char secret[64];         /* MariaDB: the line "secret …"; "" */
    bool bypass;             /* the donor would send no data: a fault */
};
/* x: all of the connection, at its end. ERR_INVALID: it is not what a donor sends first. */
int sst_read_info(struct xbstream *x, struct sst_info *out, struct error *e) NODISCARD;

/* May a backup be taken of what a donor of this family announces? ERR_INVALID says why not. */
int sst_check_info(const struct sst_info *info, enum xbstream_flavour flavour, struct error *e) NODISCARD;

/* May a backup of who ("node n1") be restored, whose plugins for data at rest are these ("name=library;…")?
 * ERR_INVALID: one encrypts; or it compresses pages (provider_…), and this image has not its library. has_library is
 * asked for a name without ".so". */
int sst_check_plugins(const char *who, struct str plugins, bool (*has_library)(struct str library),
                      struct error *e) NODISCARD;
/* May what has passed so far of a donor's data be restored? ERR_INVALID says why not. */
int sst_check_stream(const struct xbstream *x, enum xbstream_flavour flavour, bool (*has_library)(struct str library),
                     struct error *e) NODISCARD;

/* May a backup with this backup-my.cnf be prepared? ERR_INVALID: its server had providers whose library is not here.
 * mariadb-backup may end well all the same, and has then left out what changed in compressed pages. */
int sst_check_prepare(struct str cnf, bool (*has_library)(struct str library), struct error *e) NODISCARD;

/* What a stream's first bytes say. */
enum sst_start {
    SST_START_XBSTREAM,
    SST_START_TLS,
    SST_START_OTHER, /* a stranger, or nothing known */
    SST_START_WRAPPED, /* a donor's encryption or compression around the stream, which hides its end */
    SST_START_SHORT, /* can't be told yet */
};
enum sst_start sst_start_of(struct str bytes, const char **ret_what);

/* True for the name of a file that connection 1 may hold. */
bool sst_is_info_file(const char *path);

#endif
