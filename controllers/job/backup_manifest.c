/*
 * backup_manifest: see backup_manifest.h. The positions in a stream are newer than its data (datapath.md 4.1): they
 * are told for people who look for a binlog, a restore goes by what --prepare says.
 */
#include "controllers/job/backup_manifest.h"

#include <stdio.h>

/* The first of the files that came, as one line; a compressed one is no text and is left out. */
static void copy_line(const struct xbstream *x, const char *name, const char *newer_name, char *out, size_t size)
{
    struct str text = xbstream_text(x, name);

    text = str_trim(text.p ? text : xbstream_text(x, newer_name));
    *out = 0;
    for (size_t i = 0; i < text.n; i++)
        if (((unsigned char)text.p[i] < ' ' && text.p[i] != '\t') || (unsigned char)text.p[i] > '~')
            return;
    (void)snprintf(out, size, "%.*s", (int)(text.n < size ? text.n : size - 1), text.n ? text.p : "");
    for (; *out; out++)
        if (*out == '\t')
            *out = ' ';
}

/* "tool_name = x", "tool_version = y" of the file that describes a backup. */
static struct str info_value(struct str text, const char *key)
{
    struct str line, name;

    while (text.n && str_cut(&text, '\n', &line))
        if (str_cut(&line, '=', &name) && str_is(str_trim(name), key))
            return str_trim(line);
    return STR_NONE;
}

static void note_tools(struct backup *b, struct str name, struct str version)
{
    struct manifest *m = &b->result->manifest;
    int restic = b->repo->version;

    (void)snprintf(m->tools, sizeof(m->tools), "stash-job " STASHD_VERSION ", restic %d.%d.%d%s%.*s%s%.*s",
                   restic / 1000000, restic / 1000 % 1000, restic % 1000, name.n ? ", " : "",
                   (int)(name.n < 64 ? name.n : 64), name.n ? name.p : "", version.n ? " " : "",
                   (int)(version.n < 64 ? version.n : 64), version.n ? version.p : "");
}

void backup_manifest_info(struct backup *b, const struct sst_info *info)
{
    struct manifest *m = &b->result->manifest;

    (void)snprintf(m->requested, sizeof(m->requested), "%s", info->position);
}

void backup_manifest_stream(struct backup *b, const struct xbstream *stream)
{
    struct manifest *m = &b->result->manifest;
    struct str info = xbstream_text(stream, "xtrabackup_info");

    if (!info.p)
        info = xbstream_text(stream, "mariadb_backup_info");
    copy_line(stream, "xtrabackup_galera_info", "mariadb_backup_galera_info", m->position, sizeof(m->position));
    copy_line(stream, "xtrabackup_binlog_info", "mariadb_backup_binlog_info", m->binlog, sizeof(m->binlog));
    note_tools(b, info_value(info, "tool_name"), info_value(info, "tool_version"));
}

void backup_manifest_tool(struct backup *b, const char *program)
{
    note_tools(b, str_of(program), str_of(b->result->version));
}
