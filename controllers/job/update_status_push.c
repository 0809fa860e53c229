/*
 * update_status_push: metrics of hosts and of the repository to a Pushgateway (metrics.md 1.3 to 1.5, 2, 3). Raw
 * numbers of output.json are preferred to the formatted texts beside them.
 */
#include <ctype.h>
#include <stdio.h>

#include "controllers/job/post.h"
#include "controllers/job/update_status_parts.h"
#include "core/base/http.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "metrics/lines.h"
#include "metrics/push.h"

enum { BODY_MAX = 1024 * 1024, TIMEOUT_MS = 5000, TRIES = 3, PAUSE_MS = 1000 };

/* ---- labels ---- */

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
            lines_label(l, key, value);
        }
    }
}

static void put_session_labels(struct lines *l, const struct update *u, const char *ns)
{
    put_user_labels(l, &u->flags->labels);
    lines_label(l, "invoker_kind", json_text(u->invoker, "kind"));
    lines_label(l, "invoker_name", json_text(u->invoker, "metadata.name"));
    lines_label(l, "namespace", ns);
    lines_label(l, "driver", "Restic");
    lines_label(l, "repository", u->repository_name);
}

static void put_target_labels(struct lines *l, const struct update *u, const json_t *app)
{
    lines_target(l, u->target.kind, u->target.name, app ? json_text(app, "spec.type") : NULL,
                 json_text(app, "apiVersion"));
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

#define BACKUP(tail, help) {"stash_appscode_com_backupsession_host_" tail, "stash_backup_host_" tail, help}
#define RESTORE(tail, help) {"stash_appscode_com_restoresession_host_" tail, "stash_restore_host_" tail, help}
#define REPOSITORY(tail, help) {"stash_appscode_com_repository_" tail, "stash_repository_" tail, help}

/* Of a cluster that gave its data by a state transfer. */
static void put_donor(struct lines *l, const json_t *donor)
{
    const struct {
        struct lines_metric metric;
        double value;
    } rows[] = {
        {BACKUP("donor_seconds", "How long the donor served the backup."), (double)json_int(donor, "seconds", 0)},
        {BACKUP("donor_flow_control_seconds", "Time of it in which flow control held the cluster back."),
         (double)json_int(donor, "flowControlMilliseconds", 0) / 1000},
        {BACKUP("donor_receive_queue_max", "Write sets that waited on another node, at most."),
         (double)json_int(donor, "receiveQueueMax", 0)},
        {BACKUP("donor_stream_bytes", "Bytes that the donor sent."), (double)json_int(donor, "streamBytes", 0)},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        lines_gauge(l, &rows[i].metric, rows[i].value);
}

static void put_backup(struct lines *l, const json_t *host)
{
    const json_t *s = json_object_get(host, "snapshots");
    bool good = str_same(json_text(host, "phase"), "Succeeded");
    const struct {
        struct lines_metric metric;
        double value;
    } rows[] = {
        {BACKUP("backup_success", "1 when the host's last backup succeeded."), good},
        {BACKUP("backup_duration_seconds", "How long the host's backup took."), duration_of(host)},
        {BACKUP("data_size_bytes", "Size of the host's data."), sum_sizes(s, "totalSizeBytes", "totalSize")},
        {BACKUP("data_uploaded_bytes", "Bytes that were new to the repository."),
         sum_sizes(s, "uploadedBytes", "uploaded")},
        {BACKUP("data_processing_time_seconds", "How long restic worked."), sum_times(s)},
        {BACKUP("files_total", "Files of the snapshot."), sum_counts(s, "fileStats.totalFiles")},
        {BACKUP("files_new", "Files that were new."), sum_counts(s, "fileStats.newFiles")},
        {BACKUP("files_modified", "Files that had changed."), sum_counts(s, "fileStats.modifiedFiles")},
        {BACKUP("files_unmodified", "Files that had not changed."), sum_counts(s, "fileStats.unmodifiedFiles")},
    };

    for (size_t i = 0; i < (good ? sizeof(rows) / sizeof(rows[0]) : 1); i++)
        lines_gauge(l, &rows[i].metric, rows[i].value);
    if (good && json_object_get(host, "donor"))
        put_donor(l, json_object_get(host, "donor"));
}

static void put_restore(struct lines *l, const json_t *host)
{
    static const struct lines_metric success = RESTORE("restore_success", "1 when the host's last restore succeeded."),
                                     duration =
                                         RESTORE("restore_duration_seconds", "How long the host's restore took.");
    bool good = str_same(json_text(host, "phase"), "Succeeded");

    lines_gauge(l, &success, good);
    if (good)
        lines_gauge(l, &duration, duration_of(host));
}

static void put_host(const struct update *u, const json_t *app, const json_t *host, struct buf *out)
{
    struct lines l;

    lines_init(&l, out);
    put_session_labels(&l, u, json_text(u->invoker, "metadata.namespace"));
    put_target_labels(&l, u, app);
    lines_label(&l, "hostname", json_text(host, "hostname"));
    if (u->session == u->invoker)
        put_restore(&l, host);
    else
        put_backup(&l, host);
    lines_done(&l);
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
    static const struct lines_metric
        integrity = REPOSITORY("integrity", "1 when the last check found the repository sound."),
        size = REPOSITORY("size_bytes", "Size of the repository."),
        count = REPOSITORY("snapshot_count", "Snapshots that are kept."),
        cleaned = REPOSITORY("snapshot_cleaned", "Snapshots that the last retention removed.");
    const struct status_repository *r = &u->repository;
    struct lines l;

    lines_init(&l, out);
    put_session_labels(&l, u, repository_ns);
    lines_label(&l, "name", repository);
    lines_label(&l, "backend", u->flags->repo.provider ? u->flags->repo.provider : "");
    lines_label(&l, "bucket", u->flags->repo.bucket ? u->flags->repo.bucket : "");
    lines_label(&l, "prefix", u->flags->repo.path ? u->flags->repo.path : "");
    if (r->integrity >= 0) /* else a Job of its own checks it, and the operator counts what it finds */
        lines_gauge(&l, &integrity, r->integrity == 1);
    if (r->size_bytes >= 0)
        lines_gauge(&l, &size, (double)r->size_bytes);
    if (r->snapshots >= 0)
        lines_gauge(&l, &count, (double)r->snapshots);
    if (r->removed >= 0)
        lines_gauge(&l, &cleaned, (double)r->removed);
    lines_done(&l);
}

/* ---- sending ---- */

static bool wants_push(const struct update *u)
{
    return u->flags->metrics && u->flags->push_url && *u->flags->push_url;
}

/* "/metrics/job/<kind>-<ns>-<name>/pusher_namespace/<ns>[/target/<kind>-<name>/hostname/<host>]": without the namespace
 * a-b/c and a/b-c were one group. */
static void put_path(const struct update *u, const char *host, struct buf *path)
{
    AUTO_FREE char *job =
        mem_printf("%s-%s-%s", json_text(u->invoker, "kind"), json_text(u->invoker, "metadata.namespace"),
                   json_text(u->invoker, "metadata.name"));
    AUTO_FREE char *target = mem_printf("%s-%s", u->target.kind, u->target.name);

    for (char *p = job; *p && *p != '-'; p++)
        *p = (char)tolower((unsigned char)*p);
    for (char *p = target; *p && *p != '-'; p++)
        *p = (char)tolower((unsigned char)*p);
    buf_puts(path, "/metrics/job/");
    http_escape(path, str_of(job));
    buf_puts(path, "/" PUSH_NAMESPACE "/");
    http_escape(path, str_of(json_text(u->invoker, "metadata.namespace")));
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
    const char *token_path = repo_flags_env(u->envp, "STASH_PUSH_TOKEN_FILE");
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
    if (token_path && *token_path && env_uv_read_file(token_path, &token, NULL) == 0 && token.len)
        r.bearer = token.data; /* the gateway inside the operator knows us by it; no other one is to see it */
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
