/* sst: see sst.h. */
#include "controllers/job/sst.h"

#include <stdio.h>

#include "core/base/json.h"

void sst_format_request(const struct sst_request *r, struct buf *out)
{
    bool v6 = strchr(r->address, ':') != NULL;

    buf_printf(out, "%s:", r->method);
    if (r->secret)
        buf_printf(out, "%s:%s@", r->name && *r->name ? r->name : "stash", r->secret);
    /* The module's name is not used by donors; an empty version at the end makes them exit 93. */
    buf_printf(out, "%s%s%s:%u/xtrabackup_sst//1", v6 ? "[" : "", r->address, v6 ? "]" : "", r->port);
}

const char *sst_method_of(const char *wanted, enum xbstream_flavour flavour)
{
    if (flavour == XBSTREAM_MARIADB)
        return *wanted && !str_same(wanted, "xtrabackup-v2") ? wanted : "mariabackup";
    return *wanted ? wanted : "xtrabackup-v2";
}

enum xbstream_flavour sst_flavour_of(const char *version)
{
    uint64_t major = 0;
    struct str rest = str_of(version), part;

    if (strstr(version, "MariaDB"))
        return XBSTREAM_MARIADB;
    if (str_cut(&rest, '.', &part) && str_to_u64(part, &major) == 0 && major >= 8)
        return XBSTREAM_PERCONA_80;
    return XBSTREAM_PERCONA_57;
}

/* ---- garbd's log ---- */

static const char *find(struct str line, const char *part)
{
    return line.n ? memmem(line.p, line.n, part, strlen(part)) : NULL;
}

/* What stands in the first brackets between p and end. */
static bool in_brackets(const char *p, const char *end, char out[128])
{
    const char *open = memchr(p, '(', (size_t)(end - p));
    const char *close = open ? memchr(open, ')', (size_t)(end - open)) : NULL;

    if (!close || close - open > 128)
        return false;
    (void)snprintf(out, 128, "%.*s", (int)(close - open) - 1, open + 1);
    return true;
}

/* The second brackets after p: "(n2)(SYNCED)". */
static void read_state(const char *p, const char *end, char out[32])
{
    const char *first = memchr(p, ')', (size_t)(end - p));
    char state[128];

    if (first && in_brackets(first, end, state))
        (void)snprintf(out, 32, "%.31s", state);
}

/* A node without a name is called by what stands before the brackets, its number. */
static bool read_donor(const char *p, const char *end, char out[128])
{
    const char *open = memchr(p, '(', (size_t)(end - p));
    struct str number = {p, open ? (size_t)(open - p) : 0};

    if (!in_brackets(p, end, out))
        return false;
    number = str_trim(number);
    if (!*out)
        (void)snprintf(out, 128, "%.*s", (int)number.n, number.n ? number.p : "");
    return *out;
}

/* "Member 3.0 (garb) requested state transfer from 'n2'. Selected 1.0 (n2)(SYNCED) as donor." */
static bool parse_selected(struct str line, struct sst_log *out)
{
    const char *p = find(line, "Selected "), *member = find(line, "Member "), *end = line.p + line.n;

    if (!p || !find(line, "as donor") || !read_donor(p + strlen("Selected "), end, out->donor))
        return false;
    read_state(p, end, out->state);
    if (member && member < p)
        (void)in_brackets(member, p, out->joiner);
    return true;
}

/* "WARN: read_handler(): tlsv1 alert unknown ca (167773208: 'error:0A000418:SSL routines::tlsv1 alert unknown ca')",
 * or, when it is we who refuse, "Failed to establish connection: certificate verify failed: …". */
static bool parse_tls(struct str line, struct sst_log *out)
{
    static const char routines[] = "SSL routines::";
    const char *p = find(line, routines), *end = line.p + line.n, *quote;

    if (p)
        p += sizeof(routines) - 1;
    else if (!(p = find(line, "certificate verify failed")))
        return false;
    quote = memchr(p, '\'', (size_t)(end - p));
    (void)snprintf(out->text, sizeof(out->text), "%.*s", (int)((quote ? quote : end) - p), p);
    return true;
}

void sst_parse_log(struct str line, struct sst_log *out)
{
    *out = (struct sst_log){0};
    (void)snprintf(out->text, sizeof(out->text), "%.*s", (int)line.n, line.n ? line.p : "");
    if (parse_selected(line, out))
        out->type = SST_LOG_SELECTED;
    else if (parse_tls(line, out))
        out->type = SST_LOG_TLS;
    else if (find(line, "impossible to select State Transfer donor"))
        out->type = SST_LOG_BUSY;
    else if (find(line, "State transfer request failed") || find(line, "Invalid sst_request"))
        out->type = SST_LOG_REFUSED;
    else if (find(line, "Received NON-PRIMARY") || find(line, "failed to open gcomm backend connection") ||
             find(line, "Group requested gcs_proto_ver"))
        out->type = SST_LOG_NO_GROUP;
}

/* ---- connection 1 ---- */

static void copy(char *out, size_t size, struct str s)
{
    (void)snprintf(out, size, "%.*s", (int)s.n, s.n ? s.p : "");
}

/* An ini text: lines "key=value". */
static void read_ini(struct str text, struct sst_info *out)
{
    struct str line, key;

    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (!str_cut(&line, '=', &key))
            continue;
        if (str_is(key, "galera-gtid"))
            copy(out->position, sizeof(out->position), line);
        else if (str_is(key, "mysql-version"))
            copy(out->server_version, sizeof(out->server_version), line);
        else if (str_is(key, "transition-key"))
            copy(out->transition_key, sizeof(out->transition_key), line);
    }
}

/* "UUID:744 1" and, when the request had a secret, a line "secret s3cret". */
static void read_position(struct str text, struct sst_info *out)
{
    struct str line, word;

    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (str_starts(line, STR("secret "))) {
            line.p += 7;
            line.n -= 7;
            copy(out->secret, sizeof(out->secret), str_trim(line));
        } else if (line.n && !out->position[0] && str_cut(&line, ' ', &word)) {
            copy(out->position, sizeof(out->position), word);
        }
    }
}

int sst_read_info(struct xbstream *x, struct sst_info *out, struct error *e)
{
    struct str ini, position;
    int rc;

    *out = (struct sst_info){0};
    if ((rc = xbstream_end(x, e)) < 0)
        return rc;
    ini = xbstream_text(x, "sst_info");
    position = xbstream_text(x, "xtrabackup_galera_info");
    if (!position.p)
        position = xbstream_text(x, "donor_galera_info");
    if (!ini.p && !position.p)
        return error_set(e, ERR_INVALID, "it holds neither sst_info nor xtrabackup_galera_info");
    read_position(position, out);
    read_ini(ini, out);
    out->bypass = xbstream_text(x, "xtrabackup_ist").p != NULL;
    return 0;
}

/* "5.7.18-29.20" is 5, 7, 18; 0 for what is no number. */
static void read_version(const char *version, uint64_t out[3])
{
    struct str rest = str_of(version), part, number;

    for (int i = 0; i < 3; i++) {
        out[i] = 0;
        if (str_cut(&rest, '.', &part) && str_cut(&part, '-', &number) && str_to_u64(number, &out[i]) < 0)
            out[i] = 0;
    }
}

int sst_check_info(const struct sst_info *info, enum xbstream_flavour flavour, struct error *e)
{
    uint64_t v[3];

    if (flavour == XBSTREAM_MARIADB)
        return 0;
    read_version(info->server_version, v);
    if (v[0] < 5 || (v[0] == 5 && (v[1] < 7 || (v[1] == 7 && v[2] < 19))))
        return error_set(e, ERR_INVALID,
                         "the donor's version is '%s': donors before 5.7.19 do not tell what a restore needs; upgrade "
                         "the server, or dump it (an AppBinding without parameters.group)",
                         info->server_version);
    if (info->transition_key[0])
        return error_set(e, ERR_INVALID,
                         "the donor uses encrypted tables (a keyring): their transition key cannot be kept with the "
                         "snapshot yet, and without it the backup could not be restored; dump the server instead (an "
                         "AppBinding without parameters.group)");
    return 0;
}

/* Takes the next plugin off "name=library;…"; what is built into a server is named alone. */
static bool next_plugin(struct str *plugins, struct str *ret_name, struct str *ret_library)
{
    struct str one;

    while (str_cut(plugins, ';', &one)) {
        if (!str_cut(&one, '=', ret_name) || !ret_name->n)
            continue;
        *ret_library = one.n ? one : *ret_name;
        if (str_ends(*ret_library, STR(".so")))
            ret_library->n -= 3;
        return true;
    }
    return false;
}

/* Takes the text of backup-my.cnf to behind the next line "plugin_load=…". */
static bool next_plugins(struct str *cnf, struct str *ret_plugins)
{
    const struct str key = STR("plugin_load=");

    while (cnf->n && str_cut(cnf, '\n', ret_plugins))
        if (str_starts(*ret_plugins, key)) {
            *ret_plugins = (struct str){ret_plugins->p + key.n, ret_plugins->n - key.n};
            return true;
        }
    return false;
}

static bool is_provider(struct str name) /* of page compression; what else is told of encrypts */
{
    return str_starts(name, STR("provider_"));
}

int sst_check_plugins(const char *who, struct str plugins, bool (*has_library)(struct str library), struct error *e)
{
    struct str name, library;

    while (next_plugin(&plugins, &name, &library)) {
        if (!is_provider(name))
            return error_set(e, ERR_INVALID,
                             "%s encrypts data at rest (plugin %.*s): a restore would need the plugin and its keys, "
                             "which are not kept with the backup; dump the server instead (an AppBinding without "
                             "parameters.group)",
                             who, (int)name.n, name.p);
        if (!has_library(library))
            return error_set(e, ERR_INVALID,
                             "%s compresses pages by a plugin that a restore in this image would not have (%.*s, "
                             "library %.*s): remove it from the nodes if no table needs it, use an image that has it, "
                             "or dump the server instead (an AppBinding without parameters.group)",
                             who, (int)name.n, name.p, (int)library.n, library.p);
    }
    return 0;
}

int sst_check_prepare(struct str cnf, bool (*has_library)(struct str library), struct error *e)
{
    struct str plugins, name, library;

    while (next_plugins(&cnf, &plugins))
        while (next_plugin(&plugins, &name, &library))
            if (is_provider(name) && !has_library(library))
                return error_set(e, ERR_INVALID,
                                 "the server of the backup compresses pages by a plugin that this image has not (%.*s, "
                                 "library %.*s), without which changes to compressed tables would be lost: restore "
                                 "with an image that has it",
                                 (int)name.n, name.p, (int)library.n, library.p);
    return 0;
}

int sst_check_stream(const struct xbstream *x, enum xbstream_flavour flavour, bool (*has_library)(struct str library),
                     struct error *e)
{
    struct str cnf = xbstream_text(x, "backup-my.cnf"), plugins;

    if (xbstream_saw_suffix(x, ".xbcrypt"))
        return error_set(e, ERR_INVALID,
                         "the donor encrypts the files of its backup: remove encrypt from [xtrabackup] in the "
                         "configuration of the nodes");
    if (flavour != XBSTREAM_MARIADB)
        return 0;
    if (xbstream_saw_suffix(x, ".qp"))
        return error_set(e, ERR_INVALID,
                         "the donor compresses the files of its backup, and a restore has no qpress: remove compress "
                         "from [mariabackup] in the configuration of the nodes");
    while (next_plugins(&cnf, &plugins))
        if (sst_check_plugins("the donor", plugins, has_library, e) < 0)
            return e->code;
    return 0;
}

bool sst_is_info_file(const char *path)
{
    return str_same(path, "sst_info") || str_same(path, "xtrabackup_galera_info") ||
           str_same(path, "donor_galera_info") || str_same(path, "mariadb_backup_galera_info") ||
           str_same(path, "xtrabackup_ist");
}

enum sst_start sst_start_of(struct str bytes, const char **ret_what)
{
    static const struct {
        const char *bytes;
        size_t n;
        enum sst_start start;
        const char *what;
    } known[] = {
        {"XBSTCK01",         8, SST_START_XBSTREAM, "xbstream"                               },
        {"\x16\x03",         2, SST_START_TLS,      "TLS"                                    },
        {"Salted__",         8, SST_START_WRAPPED,  "encryption by the donor ([sst] encrypt)"},
        {"XBCRYP",           6, SST_START_WRAPPED,  "encryption by the donor (xbcrypt)"      },
        {"\x1f\x8b",         2, SST_START_WRAPPED,  "compression by the donor (gzip)"        },
        {"\x28\xb5\x2f\xfd", 4, SST_START_WRAPPED,  "compression by the donor (zstd)"        },
        {"\x04\x22\x4d\x18", 4, SST_START_WRAPPED,  "compression by the donor (lz4)"         },
    };
    bool may_be = false;

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        size_t n = bytes.n < known[i].n ? bytes.n : known[i].n;

        if (n && memcmp(bytes.p, known[i].bytes, n) != 0)
            continue;
        if (n == known[i].n) {
            *ret_what = known[i].what;
            return known[i].start;
        }
        may_be = true;
    }
    return may_be ? SST_START_SHORT : SST_START_OTHER;
}
