/* restore_info: see restore_info.h. */
#include "controllers/job/restore_info.h"

#include <ctype.h>
#include <stdio.h>

/* "key = value" or "key=value"; false: there is no such line. */
static bool find_value(struct str text, const char *key, struct str *ret)
{
    struct str line, name;

    while (text.n && str_cut(&text, '\n', &line)) {
        if (!str_cut(&line, '=', &name) || !str_is(str_trim(name), key))
            continue;
        *ret = str_trim(line);
        return true;
    }
    return false;
}

static const char *copy_value(struct str text, const char *key, char out[64])
{
    struct str value = STR_NONE;

    (void)find_value(text, key, &value); /* then it stays empty */
    (void)snprintf(out, 64, "%.*s", (int)(value.n < 63 ? value.n : 63), value.n ? value.p : "");
    return out;
}

int restore_info_parse(struct str text, struct restore_info *out, struct error *e)
{
    (void)copy_value(text, "tool_name", out->tool);
    (void)copy_value(text, "server_version", out->version);
    return *out->version ? 0 : error_set(e, ERR_INVALID, "the backup does not say which server it is of");
}

bool restore_info_series(const char *version, unsigned *ret_major, unsigned *ret_minor)
{
    int n = 0;

    if (!isdigit((unsigned char)*version) || sscanf(version, "%3u.%3u%n", ret_major, ret_minor, &n) != 2)
        return false;
    return n > 0 && !isdigit((unsigned char)version[n]);
}

const char *restore_info_tool_version(struct str printed, char out[64])
{
    /* "… based on MariaDB server 10.11.8-MariaDB …": its own version; "xtrabackup version 2.4.29 based on MySQL server
     * 5.7.44": the first one. */
    static const struct str marks[] = {{"based on MariaDB server ", 24}, {"xtrabackup version ", 19}};

    out[0] = 0;
    for (size_t i = 0; i < 2 && !*out; i++) {
        const char *at = printed.n ? memmem(printed.p, printed.n, marks[i].p, marks[i].n) : NULL;
        size_t left = at ? printed.n - (size_t)(at - printed.p) - marks[i].n : 0, n = 0;

        if (!at)
            continue;
        at += marks[i].n;
        while (n < left && n < 63 && !isspace((unsigned char)at[n]))
            n++;
        memcpy(out, at, n);
        out[n] = 0;
    }
    return out;
}

int restore_info_check(const char *server, bool is_mariadb, const char *tool_version, struct error *e)
{
    const char *tool = is_mariadb ? "mariadb-backup" : "xtrabackup";
    unsigned major, minor, have_major, have_minor;

    if (!restore_info_series(server, &major, &minor))
        return error_set(e, ERR_INVALID, "the backup's server version \"%s\" is not understood", server);
    if (!restore_info_series(tool_version, &have_major, &have_minor))
        return error_set(e, ERR_INVALID, "the version of %s, \"%s\", is not understood", tool, tool_version);
    if (!is_mariadb && major == 5) {
        major = 2; /* xtrabackup 2.4 is for the servers 5.6 and 5.7 */
        minor = 4;
    }
    if (major == have_major && minor == have_minor)
        return 0;
    return error_set(e, ERR_INVALID,
                     "the backup is of server %s and needs %s %u.%u, but this image has %s: use the Task of "
                     "the backup's version",
                     server, tool, major, minor, tool_version);
}

const char *restore_info_backup_type(struct str checkpoints, char out[64])
{
    return copy_value(checkpoints, "backup_type", out);
}

const char *restore_info_system_file(struct str text, char out[64])
{
    (void)copy_value(text, "innodb_data_file_path", out);
    out[strcspn(out, ":;")] = 0;
    if (!*out || strchr(out, '/'))
        (void)snprintf(out, 64, "ibdata1");
    return out;
}
