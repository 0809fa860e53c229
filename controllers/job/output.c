/* output: see output.h. Sizes are given twice: formatted as the reference product does, since dashboards parse that,
 * and as raw numbers beside them. */
#include "controllers/job/output.h"

#include <math.h>

#include "controllers/condition.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

/* Texts of programs may be cut inside a character or be in no known encoding: then what is not ASCII becomes '?'. */
static json_t *any_string(const char *text)
{
    size_t n = strlen(text);
    json_t *s = json_stringn(text, n);
    char *plain;

    if (s)
        return s;
    plain = mem_strndup(text, n);
    for (char *p = plain; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    s = json_string(plain);
    mem_free(plain);
    return s;
}

static void set_text(json_t *o, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(o, key, any_string(value));
}

static void set_count(json_t *o, const char *key, int64_t n)
{
    if (n >= 0)
        json_object_set_new(o, key, json_integer(n));
}

static void set_size(json_t *o, const char *key, const char *raw_key, int64_t bytes)
{
    char text[32];

    if (bytes < 0)
        return;
    set_text(o, key, str_format_size((uint64_t)bytes, text));
    json_object_set_new(o, raw_key, json_integer(bytes));
}

static json_t *make_snapshot(const char *path, const struct restic_summary *s)
{
    json_t *o = json_object(), *files = json_object();
    char text[32];

    set_text(o, "name", s->snapshot_id);
    set_text(o, "path", path);
    set_size(o, "totalSize", "totalSizeBytes", s->bytes_processed);
    set_size(o, "uploaded", "uploadedBytes", s->bytes_added);
    set_count(o, "uploadedPackedBytes", s->bytes_added_packed);
    set_text(o, "processingTime", str_format_clock((uint64_t)s->duration_s, text));
    json_object_set_new(o, "processingSeconds", json_integer((json_int_t)s->duration_s));
    set_count(files, "totalFiles", s->files_total);
    set_count(files, "newFiles", s->files_new);
    set_count(files, "modifiedFiles", s->files_changed);
    set_count(files, "unmodifiedFiles", s->files_unmodified);
    json_object_set_new(o, "fileStats", files);
    return o;
}

static json_t *make_donor(const struct output_donor *d)
{
    json_t *o = json_object();

    set_text(o, "name", d->name);
    json_object_set_new(o, "seconds", json_integer(llround(d->seconds)));
    json_object_set_new(o, "flowControlMilliseconds", json_integer(llround(d->seconds * d->flow_control_percent * 10)));
    json_object_set_new(o, "flowControlPercent", json_integer(llround(d->flow_control_percent)));
    json_object_set_new(o, "receiveQueueMax", json_integer(d->queue_max));
    json_object_set_new(o, "streamBytes", json_integer(d->stream_bytes));
    return o;
}

static json_t *make_host(const struct output_result *r)
{
    json_t *host = json_object(), *snapshots;
    char text[LIMIT_MESSAGE + 1];

    set_text(host, "hostname", r->hostname);
    set_text(host, "phase", r->error ? "Failed" : "Succeeded");
    if (r->error) {
        size_t n = strlen(r->error) < LIMIT_MESSAGE ? strlen(r->error) : LIMIT_MESSAGE;

        memcpy(text, r->error, n);
        text[n] = 0;
        set_text(host, "error", text);
        return host;
    }
    set_text(host, "duration", str_format_duration(r->duration_ns, text));
    if (r->snapshot) {
        snapshots = json_array();
        json_array_append_new(snapshots, make_snapshot(r->path, r->snapshot));
        json_object_set_new(host, "snapshots", snapshots);
    }
    if (r->donor)
        json_object_set_new(host, "donor", make_donor(r->donor));
    return host;
}

json_t *output_make(const struct output_ref *ref, const struct output_result *r)
{
    json_t *root = json_object(), *status = json_object(), *o = json_object(), *stats = json_array();

    set_text(o, "apiVersion", ref->api_version);
    set_text(o, "kind", ref->kind);
    set_text(o, "name", ref->name);
    set_text(o, "namespace", ref->ns);
    json_array_append_new(stats, make_host(r));
    json_object_set_new(status, "ref", o);
    json_object_set_new(status, "stats", stats);
    json_object_set_new(root, "targetStatus", status);
    return root;
}

void output_condition(json_t *output, int64_t now_s, const char *type, const char *status, const char *reason,
                      const char *message)
{
    json_t *target = json_object_get(output, "targetStatus"), *list = json_object_get(target, "conditions");

    if (!list)
        json_object_set_new(target, "conditions", list = json_array());
    condition_set(list, now_s, type, status, reason, "%s", message);
}

char *output_text(const json_t *output)
{
    return json_dumps(output, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
}

int output_parse(struct str text, json_t **ret, struct error *e)
{
    json_error_t error;
    json_t *o = json_loadb(text.n ? text.p : "", text.n, 0, &error);

    if (!o)
        return error_set(e, ERR_INVALID, "line %d: %s", error.line, error.text);
    if (!json_is_object(json_at(o, "targetStatus"))) {
        json_decref(o);
        return error_set(e, ERR_INVALID, "it has no targetStatus");
    }
    *ret = o;
    return 0;
}

bool output_succeeded(const json_t *output)
{
    json_t *stats = json_at(output, "targetStatus.stats"), *host;
    size_t i;

    json_array_foreach (stats, i, host)
        if (!str_same(json_text(host, "phase"), "Succeeded"))
            return false;
    return json_array_size(stats) > 0;
}
