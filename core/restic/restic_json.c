/*
 * restic_json: see restic_json.h. restic prints one JSON value a line, but some versions put other text around it (a
 * progress line, a hint), so documents are looked for: the first line that begins like one.
 */
#include "core/restic/restic_json.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"

static void copy_text(char *out, size_t size, struct str s)
{
    size_t n = s.n < size ? s.n : size - 1;

    if (n)
        memcpy(out, s.p, n);
    out[n] = 0;
}

/* ---- lines of backup ---- */

static void parse_summary(const json_t *o, struct restic_summary *s)
{
    const json_t *duration = json_object_get(o, "total_duration");

    s->files_new = json_int(o, "files_new", -1);
    s->files_changed = json_int(o, "files_changed", -1);
    s->files_unmodified = json_int(o, "files_unmodified", -1);
    s->files_total = json_int(o, "total_files_processed", -1);
    s->bytes_added = json_int(o, "data_added", -1);
    s->bytes_added_packed = json_int(o, "data_added_packed", -1);
    s->bytes_processed = json_int(o, "total_bytes_processed", -1);
    s->duration_s = json_is_number(duration) ? json_number_value(duration) : 0;
    copy_text(s->snapshot_id, sizeof(s->snapshot_id), str_of(json_text(o, "snapshot_id")));
}

/* The text of an error: a string in new versions, Go's struct without its text in old ones ({"Op":"read","Err":{}}). */
static void parse_error(const json_t *o, struct restic_line *out)
{
    const char *text = json_text(o, "error.message"), *item = json_text(o, "item");

    if (!*text)
        text = json_text(o, "error.Op");
    (void)snprintf(out->message, sizeof(out->message), "%s %s%s%s", json_text(o, "during"), item,
                   *text ? ": " : "", text);
}

void restic_parse_line(struct str line, struct restic_line *out)
{
    struct str s = str_trim(line);
    json_t *o = s.n && s.p[0] == '{' ? json_loadb(s.p, s.n, 0, NULL) : NULL;
    struct str type = str_of(json_text(o, "message_type"));

    memset(out, 0, sizeof(*out));
    if (str_is(type, "status")) {
        out->type = RESTIC_LINE_STATUS;
        out->bytes_done = json_int(o, "bytes_done", 0);
        out->bytes_total = json_int(o, "total_bytes", 0);
    } else if (str_is(type, "summary")) {
        out->type = RESTIC_LINE_SUMMARY;
        parse_summary(o, &out->summary);
    } else if (str_is(type, "error")) {
        out->type = RESTIC_LINE_ERROR;
        parse_error(o, out);
    } else if (str_is(type, "exit_error")) {
        out->type = RESTIC_LINE_EXIT;
        out->code = (int)json_int(o, "code", 1);
        copy_text(out->message, sizeof(out->message), str_of(json_text(o, "message")));
    }
    json_decref(o);
}

/* ---- documents ---- */

/* The value that begins on the first line starting with `open`; NULL when there is none. */
static json_t *find_document(struct str text, char open)
{
    struct str rest = text, line;

    while (str_cut(&rest, '\n', &line)) {
        struct str s = str_trim(line);

        if (s.n && s.p[0] == open)
            return json_loadb(s.p, (size_t)(text.p + text.n - s.p), JSON_DISABLE_EOF_CHECK, NULL);
    }
    return NULL;
}

static char **text_list(const json_t *list)
{
    size_t n = json_array_size(list);
    char **out = mem_zalloc((n + 1) * sizeof(*out));

    for (size_t i = 0, k = 0; i < n; i++)
        if (json_is_string(json_array_get(list, i)))
            out[k++] = mem_strdup(json_string_value(json_array_get(list, i)));
    return out;
}

static void parse_snapshot(const json_t *o, struct restic_snapshot *s)
{
    const char *bytes;

    s->id = mem_strdup(json_text(o, "id"));
    s->host = mem_strdup(json_text(o, "hostname"));
    s->time = mem_strdup(json_text(o, "time"));
    s->paths = text_list(json_object_get(o, "paths"));
    s->tags = text_list(json_object_get(o, "tags"));
    if (str_parse_time(str_of(s->time), &s->time_s) < 0)
        s->time_s = 0;
    s->bytes = json_int(o, "summary.total_bytes_processed", -1);
    bytes = restic_tag(s, "stash.bytes");
    if (s->bytes < 0 && bytes && str_to_i64(str_of(bytes), &s->bytes) < 0)
        s->bytes = -1;
}

int restic_parse_snapshots(struct str text, struct restic_snapshots *out, struct error *e)
{
    json_t *list = find_document(text, '['), *o;
    size_t i;

    *out = (struct restic_snapshots){0};
    if (!list && str_is(str_trim(text), "null"))
        return 0;
    if (!json_is_array(list)) {
        json_decref(list);
        return error_set(e, ERR_INVALID, "restic's list of snapshots is no JSON array");
    }
    out->items = mem_zalloc((json_array_size(list) + 1) * sizeof(*out->items));
    json_array_foreach (list, i, o)
        parse_snapshot(o, &out->items[out->n++]);
    json_decref(list);
    return 0;
}

static void free_list(char **list)
{
    for (char **p = list; p && *p; p++)
        mem_free(*p);
    mem_free(list);
}

void restic_snapshots_done(struct restic_snapshots *s)
{
    for (size_t i = 0; i < s->n; i++) {
        mem_free(s->items[i].id);
        mem_free(s->items[i].host);
        mem_free(s->items[i].time);
        free_list(s->items[i].paths);
        free_list(s->items[i].tags);
    }
    mem_free(s->items);
    *s = (struct restic_snapshots){0};
}

const char *restic_tag(const struct restic_snapshot *s, const char *name)
{
    size_t n = strlen(name);

    for (char **t = s->tags; *t; t++)
        if (strncmp(*t, name, n) == 0 && (*t)[n] == '=')
            return *t + n + 1;
    return NULL;
}

int restic_parse_forget(struct str text, int64_t *ret_kept, int64_t *ret_removed, struct error *e)
{
    json_t *list, *group;
    int64_t kept = 0, removed = 0;
    size_t i;

    if (str_trim(text).n && !memchr(text.p, '[', text.n) && memchr(text.p, '{', text.n))
        return error_set(e, ERR_INVALID, "restic forget printed no list of groups");
    list = find_document(text, '[');
    json_array_foreach (list, i, group) {
        kept += (int64_t)json_array_size(json_object_get(group, "keep"));
        removed += (int64_t)json_array_size(json_object_get(group, "remove"));
    }
    json_decref(list);
    *ret_kept = kept;
    *ret_removed = removed;
    return 0;
}

int restic_parse_stats(struct str text, int64_t *ret_bytes, struct error *e)
{
    json_t *o = find_document(text, '{');
    int64_t bytes = json_int(o, "total_size", -1);

    json_decref(o);
    if (bytes < 0)
        return error_set(e, ERR_INVALID, "restic stats told no total_size");
    *ret_bytes = bytes;
    return 0;
}

static bool has_text(struct str s, const char *part)
{
    return s.n && memmem(s.p, s.n, part, strlen(part));
}

enum restic_check restic_parse_check(int status, struct str out, struct str err)
{
    json_t *o = find_document(out, '{');
    int64_t errors = str_same(json_text(o, "message_type"), "summary") ? json_int(o, "num_errors", 0) : -1;

    json_decref(o);
    if (status == 0)
        return RESTIC_CHECK_GOOD;
    if (errors > 0)
        return RESTIC_CHECK_DAMAGED;
    /* Text of versions without --json here: the last line of a check that ran to its end (0.14 to 0.18). */
    if (has_text(err, "repository contains errors"))
        return RESTIC_CHECK_DAMAGED;
    return RESTIC_CHECK_FAILED;
}

void restic_parse_locks(struct str text, void (*on_id)(void *ctx, struct str id), void *ctx)
{
    struct str line;

    while (str_cut(&text, '\n', &line)) {
        size_t n = 0;

        while (n < 64 && n < line.n && strchr("0123456789abcdef", line.p[n]) && line.p[n])
            n++;
        if (n == 64)
            on_id(ctx, (struct str){line.p, 64});
    }
}

int restic_parse_lock(struct str text, struct restic_lock *out, struct error *e)
{
    json_t *o = find_document(text, '{');

    *out = (struct restic_lock){0};
    if (!json_is_object(o) || !json_is_string(json_object_get(o, "hostname"))) {
        json_decref(o);
        return error_set(e, ERR_INVALID, "restic's lock is no JSON object with a hostname");
    }
    copy_text(out->host, sizeof(out->host), str_of(json_text(o, "hostname")));
    if (str_parse_time(str_of(json_text(o, "time")), &out->time_s) < 0)
        out->time_s = 0;
    out->pid = json_int(o, "pid", 0);
    out->exclusive = json_flag(o, "exclusive", false);
    json_decref(o);
    return 0;
}
