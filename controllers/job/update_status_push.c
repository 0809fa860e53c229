/*
 * update_status_push: metrics of hosts and of the repository to a Pushgateway (metrics.md 1.3 to 1.5, 2, 3). Each
 * metric goes out under its name and under the name that older releases of the reference product used: dashboards know
 * either. Raw numbers of output.json are preferred to the formatted texts beside them.
 */
#include <ctype.h>
#include <stdio.h>

#include "controllers/job/post.h"
#include "controllers/job/update_status_parts.h"
#include "core/base/http.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum { BODY_MAX = 1024 * 1024, TIMEOUT_MS = 5000, TRIES = 3, PAUSE_MS = 1000 };

static const char token_path[] = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/* ---- lines ---- */

struct lines {
    struct buf labels, *out;
};

static void put_value(struct buf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_putc(out, '\\');
        if (*value == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *value);
    }
}

static void put_label(struct lines *l, const char *name, const char *value)
{
    if (!*value)
        return; /* an empty label is none */
    buf_printf(&l->labels, "%s%s=\"", l->labels.len ? "," : "", name);
    put_value(&l->labels, value);
    buf_putc(&l->labels, '"');
}

static void put_metric(struct lines *l, const char *name, const char *legacy, double value)
{
    const char *names[] = {name, legacy};

    for (int i = 0; i < 2; i++)
        buf_printf(l->out, "# TYPE %s gauge\n%s{%s} %.17g\n", names[i], names[i], l->labels.data, value);
}

static bool is_label_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalpha((unsigned char)s.p[i]) && s.p[i] != '_' && (i == 0 || !isdigit((unsigned char)s.p[i])))
            return false;
    return s.n > 0;
}

/* --metrics-labels: "k=v" items; others are dropped. */
static void put_user_labels(struct lines *l, const struct config_list *items)
{
    for (size_t i = 0; i < items->n; i++) {
        struct str rest = str_of(items->items[i]), item, name;

        while (rest.n && str_cut(&rest, ',', &item)) {
            AUTO_FREE char *key = NULL, *value = NULL;

            if (!str_cut(&item, '=', &name) || !item.p || memchr(item.p, '=', item.n) || !is_label_name(name))
                continue;
            key = mem_strndup(name.p, name.n);
            value = mem_strndup(item.p, item.n);
            put_label(l, key, value);
        }
    }
}

static void put_session_labels(struct lines *l, const struct update *u, const char *ns)
{
    put_user_labels(l, &u->flags->labels);
    put_label(l, "invoker_kind", json_text(u->invoker, "kind"));
    put_label(l, "invoker_name", json_text(u->invoker, "metadata.name"));
    put_label(l, "namespace", ns);
    put_label(l, "driver", "Restic");
    put_label(l, "repository", json_text(u->invoker, "spec.repository.name"));
}

/* kind and group: of the AppBinding's type ("kubedb.com/perconaxtradb"); without the object they are left out. */
static void put_target_labels(struct lines *l, const struct update *u, const json_t *app)
{
    struct str group = str_of(json_text(app, "spec.type")), kind = group, version;
    const char *slash = group.n ? strrchr(group.p, '/') : NULL;
    AUTO_FREE char *own = NULL;

    if (!str_same(u->target.kind, "AppBinding")) {
        put_label(l, "kind", u->target.kind);
    } else if (app) {
        if (slash) {
            kind = str_of(slash + 1);
            group.n = (size_t)(slash - group.p);
        } else {
            kind = kind.n ? kind : STR("appbindings");
            group = str_of(json_text(app, "apiVersion"));
            group = str_cut(&group, '/', &version) ? version : STR_NONE;
        }
        own = mem_strndup(kind.p, kind.n);
        put_label(l, "kind", own);
        mem_free(own);
        own = mem_strndup(group.n ? group.p : "", group.n);
        put_label(l, "group", own);
    }
    put_label(l, "name", u->target.name);
}

/* ---- values ---- */

static double sum_sizes(const json_t *snapshots, const char *raw, const char *text)
{
    const json_t *s;
    double sum = 0;
    size_t i;

    json_array_foreach (snapshots, i, s) {
        uint64_t bytes = 0;
        int64_t number = json_int(s, raw, -1);

        if (number < 0 && str_parse_size(str_of(json_text(s, text)), &bytes) == 0)
            number = (int64_t)bytes;
        sum += number > 0 ? (double)number : 0;
    }
    return sum;
}

static double sum_counts(const json_t *snapshots, const char *path)
{
    const json_t *s;
    double sum = 0;
    size_t i;

    json_array_foreach (snapshots, i, s)
        sum += (double)json_int(s, path, 0);
    return sum;
}

/* "h:m:s", "m:s" or "s" */
static int64_t parse_clock(const char *text)
{
    struct str rest = str_of(text), part;
    int64_t sum = 0;
    uint64_t n;

    while (rest.n && str_cut(&rest, ':', &part))
        sum = sum * 60 + (str_to_u64(part, &n) == 0 && n < 1000000 ? (int64_t)n : 0);
    return sum;
}

static double sum_times(const json_t *snapshots)
{
    const json_t *s;
    double sum = 0;
    size_t i;

    json_array_foreach (snapshots, i, s)
        sum += (double)json_int(s, "processingSeconds", parse_clock(json_text(s, "processingTime")));
    return sum;
}

static double duration_of(const json_t *host)
{
    int64_t ns = 0;

    if (str_parse_duration_ns(str_of(json_text(host, "duration")), &ns, NULL) < 0)
        return 0;
    return (double)ns / 1e9;
}

static void put_backup(struct lines *l, const json_t *host)
{
    const json_t *s = json_object_get(host, "snapshots");
    bool good = str_same(json_text(host, "phase"), "Succeeded");
    const struct {
        const char *tail;
        double value;
    } rows[] = {
        {"backup_success", good},
        {"backup_duration_seconds", duration_of(host)},
        {"data_size_bytes", sum_sizes(s, "totalSizeBytes", "totalSize")},
        {"data_uploaded_bytes", sum_sizes(s, "uploadedBytes", "uploaded")},
        {"data_processing_time_seconds", sum_times(s)},
        {"files_total", sum_counts(s, "fileStats.totalFiles")},
        {"files_new", sum_counts(s, "fileStats.newFiles")},
        {"files_modified", sum_counts(s, "fileStats.modifiedFiles")},
        {"files_unmodified", sum_counts(s, "fileStats.unmodifiedFiles")},
    };

    for (size_t i = 0; i < (good ? sizeof(rows) / sizeof(rows[0]) : 1); i++) {
        AUTO_FREE char *name = mem_printf("stash_appscode_com_backupsession_host_%s", rows[i].tail);
        AUTO_FREE char *legacy = mem_printf("stash_backup_host_%s", rows[i].tail);

        put_metric(l, name, legacy, rows[i].value);
    }
}

static void put_restore(struct lines *l, const json_t *host)
{
    bool good = str_same(json_text(host, "phase"), "Succeeded");

    put_metric(l, "stash_appscode_com_restoresession_host_restore_success", "stash_restore_host_restore_success", good);
    if (good)
        put_metric(l, "stash_appscode_com_restoresession_host_restore_duration_seconds",
                   "stash_restore_host_restore_duration_seconds", duration_of(host));
}

static void put_host(const struct update *u, const json_t *app, const json_t *host, struct buf *out)
{
    struct lines l = {.out = out};

    buf_init(&l.labels, 64 * 1024);
    put_session_labels(&l, u, json_text(u->invoker, "metadata.namespace"));
    put_target_labels(&l, u, app);
    put_label(&l, "hostname", json_text(host, "hostname"));
    if (u->session == u->invoker)
        put_restore(&l, host);
    else
        put_backup(&l, host);
    buf_done(&l.labels);
}

void update_status_text_hosts(const struct update *u, const json_t *app, struct buf *out)
{
    const json_t *host;
    size_t i;

    json_array_foreach (json_object_get(u->reported, "stats"), i, host)
        put_host(u, app, host, out);
}

void update_status_text_repository(const struct update *u, const char *repository, const char *repository_ns,
                                   struct buf *out)
{
    const struct status_repository *r = &u->repository;
    struct lines l = {.out = out};

    buf_init(&l.labels, 64 * 1024);
    put_session_labels(&l, u, repository_ns);
    put_label(&l, "name", repository);
    put_label(&l, "backend", u->flags->repo.provider ? u->flags->repo.provider : "");
    put_label(&l, "bucket", u->flags->repo.bucket ? u->flags->repo.bucket : "");
    put_label(&l, "prefix", u->flags->repo.path ? u->flags->repo.path : "");
    put_metric(&l, "stash_appscode_com_repository_integrity", "stash_repository_integrity", r->integrity == 1);
    if (r->size_bytes >= 0)
        put_metric(&l, "stash_appscode_com_repository_size_bytes", "stash_repository_size_bytes", (double)r->size_bytes);
    if (r->snapshots >= 0)
        put_metric(&l, "stash_appscode_com_repository_snapshot_count", "stash_repository_snapshot_count",
                   (double)r->snapshots);
    if (r->removed >= 0)
        put_metric(&l, "stash_appscode_com_repository_snapshot_cleaned", "stash_repository_snapshot_cleaned",
                   (double)r->removed);
    buf_done(&l.labels);
}

/* ---- sending ---- */

static bool wants_push(const struct update *u)
{
    return u->flags->metrics && u->flags->push_url && *u->flags->push_url;
}

/* "/metrics/job/<kind>-<ns>-<name>[/target/<kind>-<name>/hostname/<host>]" */
static void put_path(const struct update *u, const char *host, struct buf *path)
{
    AUTO_FREE char *job = mem_printf("%s-%s-%s", json_text(u->invoker, "kind"), json_text(u->invoker, "metadata.namespace"),
                                     json_text(u->invoker, "metadata.name"));
    AUTO_FREE char *target = mem_printf("%s-%s", u->target.kind, u->target.name);

    for (char *p = job; *p && *p != '-'; p++)
        *p = (char)tolower((unsigned char)*p);
    for (char *p = target; *p && *p != '-'; p++)
        *p = (char)tolower((unsigned char)*p);
    buf_puts(path, "/metrics/job/");
    http_escape(path, str_of(job));
    if (!host)
        return;
    buf_puts(path, "/target/");
    http_escape(path, str_of(target));
    if (!*host)
        return;
    buf_puts(path, "/hostname/");
    http_escape(path, str_of(host));
}

static int send_body(struct update *u, const char *host, struct str body, struct error *e)
{
    struct buf path, token;
    struct post_request r = {.url = u->flags->push_url,
                             .content_type = "text/plain; version=0.0.4",
                             .body = body,
                             .timeout_ms = TIMEOUT_MS};
    int rc;

    buf_init(&path, 4096);
    buf_init(&token, 64 * 1024);
    put_path(u, host, &path);
    r.path = path.data;
    if (env_uv_read_file(token_path, &token, NULL) == 0 && token.len)
        r.bearer = token.data; /* the gateway inside the operator knows us by it */
    for (int try = 1;; try++) {
        rc = post_send(u->job, &r, e);
        if ((rc != ERR_NET && rc != ERR_TIMEOUT) || try == TRIES)
            break;
        if (job_sleep(u->job, PAUSE_MS, e) < 0)
            break;
    }
    mem_wipe(token.data, token.len);
    buf_done(&token);
    buf_done(&path);
    return rc < 0 ? error_wrap(e, rc, "push to %s", u->flags->push_url) : 0;
}

void update_status_push_hosts(struct update *u)
{
    json_t *app = NULL;
    const json_t *host;
    struct error e;
    size_t i;

    if (!wants_push(u))
        return;
    if (str_same(u->target.kind, "AppBinding") &&
        apiserver_get(u->api, kind_get(KIND_APPBINDING), u->target.ns, u->target.name, &app, &e) < 0)
        app = NULL; /* of a restore it may not exist yet */
    json_array_foreach (json_object_get(u->reported, "stats"), i, host) {
        struct buf body;

        buf_init(&body, BODY_MAX);
        put_host(u, app, host, &body);
        if (send_body(u, json_text(host, "hostname"), buf_str(&body), &e) < 0)
            log_warn(&u->job->log, "metrics could not be pushed", F_ERR(&e));
        buf_done(&body);
    }
    json_decref(app);
}

int update_status_push_repository(struct update *u, const char *repository, const char *repository_ns, struct error *e)
{
    struct buf body;
    int rc;

    if (!wants_push(u))
        return 0; /* nothing to push to is no failure */
    buf_init(&body, BODY_MAX);
    update_status_text_repository(u, repository, repository_ns, &body);
    rc = send_body(u, NULL, buf_str(&body), e);
    buf_done(&body);
    return rc;
}
