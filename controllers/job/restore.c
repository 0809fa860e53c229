/*
 * restore: see restore.h. What is done follows from what the snapshot holds, not from the number of replicas as in the
 * reference product: its flag is only a hint that we do not need.
 */
#include "controllers/job/restore.h"

#include <stdio.h>

#include "controllers/job/backup.h"
#include "controllers/job/datadir.h"
#include "controllers/job/manifest.h"
#include "controllers/job/output.h"
#include "controllers/job/restore_parts.h"
#include "controllers/job/session.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

#define TARGET_TAG "stash.target"

enum { EXIT_SIGNAL = 143 };

#define F(member) offsetof(struct restore_flags, member)

static const struct config_item items[] = {
    REPO_FLAGS(struct restore_flags, repo),
    {"appbinding", CFG_STRING, F(app), NULL, 0, 0, "AppBinding of the database (required)"},
    {"appbinding-namespace", CFG_STRING, F(app_ns), NULL, 0, 0, "its namespace"},
    {"namespace", CFG_STRING, F(ns), "default", 0, 0, "namespace of the RestoreSession"},
    {"hostname", CFG_STRING, F(hostname), "host-0", 0, 0, "host that is restored"},
    {"source-hostname", CFG_STRING, F(source_hostname), NULL, 0, 0, "host in the repository; empty: the same"},
    {"snapshot", CFG_STRING, F(snapshot), "latest", 0, 0, "id of one snapshot, or latest"},
    {"xtradb-args", CFG_STRING, F(args), "", 0, 0, "more words for the client of a logical restore"},
    {"target-app-replicas", CFG_INT, F(replicas), "0", 0, 0, "ignored: the snapshot decides"},
    {"wait-timeout", CFG_UINT, F(wait_s), "300", 0, 86400, "seconds to wait for the database"},
    {"data-dir", CFG_STRING, F(data_dir), "/var/lib/mysql", 0, 0, "data directory of a physical restore"},
    {"existing-data", CFG_STRING, F(existing_data), "refuse", 0, 0, "data that are there: refuse, or keep them aside"},
    {"data-uid", CFG_INT, F(data_uid), "-1", -1, 4294967294, "owner of its files; -1: that of the folder, else 1001"},
    {"data-gid", CFG_INT, F(data_gid), "-1", -1, 4294967294, "group of its files; -1: likewise"},
    {"use-memory", CFG_STRING, F(use_memory), NULL, 0, 0, "for --prepare; empty: half of the container's limit"},
    {"output-dir", CFG_STRING, F(output_dir), NULL, 0, 0, "folder for output.json"},
    {"master", CFG_STRING, F(master), NULL, 0, 0, "address of the API server"},
    {"kubeconfig", CFG_STRING, F(kubeconfig), NULL, 0, 0, "file that says how to reach it"},
    {"license-apiservice", CFG_STRING, F(license), NULL, 0, 0, NULL}, /* of older Functions */
    {"help", CFG_BOOL, F(help), NULL, 0, 0, "this text"},
};

static const struct config_spec spec = {
    .program = "stash-job restore-percona-xtradb",
    .usage = "--appbinding=NAME --provider=PROVIDER --storage-secret-name=NAME [flags]",
    .about =
        "Restores a snapshot: a dump through the database's client, a physical backup into a data directory.",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

int restore_api(struct restore *r, struct error *e)
{
    return r->api ? 0 : apiserver_open(r->job, r->flags->kubeconfig, r->flags->master, r->envp, &r->api, e);
}

/* ---- which snapshot ---- */

static bool has_path(const struct restic_snapshot *s, const char *path)
{
    for (char **p = s->paths; *p; p++)
        if (strcmp(*p, path) == 0)
            return true;
    return false;
}

static char *target_of(const struct restore *r)
{
    return mem_printf("AppBinding/%s/%s", r->flags->app_ns, r->flags->app);
}

static int take_snapshot(struct restore *r, const struct restic_snapshot *s, struct error *e)
{
    const char *server = restic_tag(s, "stash.server"), *cluster = restic_tag(s, REPO_CLUSTER_TAG);
    const char *target = restic_tag(s, TARGET_TAG);
    AUTO_FREE char *ours = target_of(r);
    bool dump = has_path(s, "/" BACKUP_DUMP_FILE);

    r->is_physical = has_path(s, "/" BACKUP_STREAM_FILE);
    if (!r->is_physical && !dump)
        return error_set(e, ERR_INVALID, "snapshot %.8s holds neither %s nor %s, but %s", s->id, BACKUP_DUMP_FILE,
                         BACKUP_STREAM_FILE, s->paths[0] ? s->paths[0] : "nothing");
    r->snapshot = mem_strdup(s->id);
    r->server = mem_strdup(server ? server : "");
    r->bytes = s->bytes;
    r->has_manifest = restic_tag(s, MANIFEST_TAG) != NULL;
    log_info(&r->job->log, "snapshot found", F_STR("snapshot", s->id), F_STR("host", s->host), F_STR("time", s->time),
             F_STR("target", target ? target : ""), F_STR("cluster", cluster ? cluster : ""),
             F_BOOL("physical", r->is_physical));
    if (target && !str_same(target, ours)) /* which is meant where one database is made from another */
        log_warn(&r->job->log, "the snapshot is another database's", F_STR("target", target), F_STR("restored", ours));
    return 0;
}

/* Whose the snapshots of a host are, as far as their tags say; and the newest of each kind. */
struct owners {
    const struct restic_snapshot *any, *target, *own; /* of the host, of our target, of it in our cluster; or NULL */
    const char *targets[2];  /* the first, and another one; NULL: none */
    const char *clusters[2]; /* likewise, of all */
    const char *of_target[2]; /* likewise, of those of our target */
};

static void note_owner(const char *names[2], const char *name)
{
    if (!names[0])
        names[0] = name;
    else if (name && !str_same(name, names[0]))
        names[1] = name;
}

static void take_newer(const struct restic_snapshot **newest, const struct restic_snapshot *s)
{
    if (!*newest || s->time_s >= (*newest)->time_s)
        *newest = s;
}

static void look_for_owners(const struct restore *r, const struct restic_snapshots *list, struct owners *o)
{
    AUTO_FREE char *ours = target_of(r);

    *o = (struct owners){0};
    for (size_t i = 0; i < list->n; i++) {
        const struct restic_snapshot *s = &list->items[i];
        const char *target = restic_tag(s, TARGET_TAG), *cluster = restic_tag(s, REPO_CLUSTER_TAG);

        take_newer(&o->any, s);
        note_owner(o->targets, target);
        note_owner(o->clusters, cluster);
        if (!target || !str_same(target, ours))
            continue;
        take_newer(&o->target, s);
        note_owner(o->of_target, cluster);
        if (repo_is_own(&r->repo, s))
            take_newer(&o->own, s);
    }
}

/*
 * The newest of a host. Databases have the host "host-0" unless they are given an alias, so that in a shared repository
 * it may hold several, and the same one of several clusters. Then only our own will do, our cluster's first; without
 * one of our cluster, that of the only other: a cluster that was lost is restored into a new one.
 */
static const struct restic_snapshot *newest(struct restore *r, const struct restic_snapshots *list, struct error *e)
{
    struct owners o;

    look_for_owners(r, list, &o);
    if (!o.targets[1] && !o.clusters[1])
        return o.any;
    if (o.own)
        return o.own;
    if (o.target && !o.of_target[1])
        return o.target;
    if (o.targets[1] && !o.target)
        (void)error_set(e, ERR_INVALID,
                        "several databases have the same host in this repository (%s, %s): name a snapshot in the "
                        "RestoreSession's rules", o.targets[0], o.targets[1]);
    else
        (void)error_set(e, ERR_INVALID,
                        "several clusters, and not this one, have snapshots of this host in this repository (%s, %s): "
                        "name a snapshot in the RestoreSession's rules", o.clusters[0], o.clusters[1]);
    return NULL;
}

static const struct restic_snapshot *find_id(const struct restic_snapshots *list, const char *id)
{
    for (size_t i = 0; id && i < list->n; i++)
        if (str_same(list->items[i].id, id))
            return &list->items[i];
    return NULL;
}

static int choose_named(struct restore *r, const struct restic_snapshots *list, const char *id, struct error *e)
{
    const struct restic_snapshot *found = NULL;

    for (size_t i = 0; i < list->n; i++) {
        const struct restic_snapshot *s = &list->items[i];

        if (strncmp(s->id, id, strlen(id)) != 0)
            continue;
        if (found)
            return error_set(e, ERR_INVALID, "several snapshots begin with %s: give more of the id", id);
        found = s;
    }
    if (!found)
        return error_set(e, ERR_NOTFOUND, "the repository has no snapshot %s", id);
    return take_snapshot(r, found, e);
}

/* agreed: with the other hosts; NULL: not yet. A repetition takes the snapshot of its first try, though a newer one may
 * have come. ERR_EXISTS: another host has chosen meanwhile. */
static int choose_latest(struct restore *r, const struct restic_snapshots *list, const char *host, const char *agreed,
                         struct error *e)
{
    const struct restic_snapshot *found;
    int rc;

    if (agreed) {
        found = find_id(list, agreed);
        return found ? take_snapshot(r, found, e)
                     : error_set(e, ERR_NOTFOUND, "the repository has no snapshot %s of host %s any more, which this "
                                 "restore began with", agreed, host);
    }
    if (!list->n)
        return error_set(e, ERR_NOTFOUND, "the repository has no snapshot of host %s", host);
    if (!(found = find_id(list, r->pinned)) && !(found = newest(r, list, e)))
        return ERR_INVALID;
    rc = restore_agree(r, host, found->id, e);
    return rc < 0 ? rc : take_snapshot(r, found, e);
}

static int find_latest(struct restore *r, const char *host, struct error *e)
{
    struct restic_snapshots list;
    int rc;

    do { /* again: the other's choice may be newer than the list */
        AUTO_FREE char *agreed = NULL;

        if ((rc = restore_agreed(r, host, &agreed, e)) < 0 ||
            (rc = repo_snapshots(&r->repo, host, NULL, false, &list, e)) < 0)
            return rc;
        rc = choose_latest(r, &list, host, agreed, e);
        restic_snapshots_done(&list);
    } while (rc == ERR_EXISTS);
    return rc;
}

int restore_find_snapshot(struct restore *r, struct error *e)
{
    const struct restore_flags *f = r->flags;
    const char *host = f->source_hostname && *f->source_hostname ? f->source_hostname : f->hostname;
    const char *id = f->snapshot;
    struct restic_snapshots list;
    int rc;

    if ((rc = restore_flags_check_snapshot(id, e)) < 0)
        return rc;
    if (str_same(id, "latest"))
        return find_latest(r, host, e);
    rc = repo_snapshots(&r->repo, NULL, NULL, false, &list, e);
    if (rc < 0)
        return rc;
    rc = choose_named(r, &list, id, e);
    restic_snapshots_done(&list);
    return rc;
}

/* ---- all of it ---- */

/* The Job's name, which is the pod's without its random end, and the UID of its RestoreSession: another one of the same
 * name is another restore. */
static char *attempt_name(const struct restore *r)
{
    const char *pod = repo_flags_env(r->envp, "POD_NAME"), *dash = pod ? strrchr(pod, '-') : NULL;
    const char *uid = repo_flags_env(r->envp, "STASH_RESTORE_UID");

    if (!pod || !dash)
        return mem_printf("%s/%s/%s", r->flags->ns, pod && *pod ? pod : r->flags->hostname, uid ? uid : "");
    return mem_printf("%s/%.*s/%s", r->flags->ns, (int)(dash - pod), pod, uid ? uid : "");
}

/* Both ask the API server, which a restore by hand may not have: then nothing is known, and nobody told. */
static bool holder_gone(void *ctx, const char *host)
{
    struct restore *r = ctx;
    struct error e;

    return restore_api(r, &e) == 0 && session_pod_ended(r->api, host);
}

static void tell_wait(void *ctx, const char *host)
{
    struct restore *r = ctx;
    const char *name = repo_flags_env(r->envp, "STASH_RESTORE_NAME");
    const char *uid = repo_flags_env(r->envp, "STASH_RESTORE_UID");
    struct error e;
    json_t *session;

    if (!name || !uid || restore_api(r, &e) < 0)
        return;
    session = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "apiVersion", "stash.appscode.com/v1beta1", "kind",
                        "RestoreSession", "metadata", "namespace", r->flags->ns, "name", name, "uid", uid);
    session_tell_lock(r->api, session, host);
    json_decref(session);
}

static int restore(struct restore *r, struct error *e)
{
    const char *dir = repo_flags_env(r->envp, "STASH_STORAGE_SECRET_DIR");
    int rc = job_set_priority(r->job, e);

    if (rc == 0 && (!dir || !*dir))
        rc = restore_api(r, e); /* the storage Secret comes from there */
    if (rc == 0)
        rc = repo_flags_open(&r->flags->repo, r->job, r->envp, r->api, &r->key, &r->repo, e);
    if (rc == 0)
        rc = restore_find_snapshot(r, e);
    r->repo.holder_gone = holder_gone;
    r->repo.on_wait = tell_wait;
    r->repo.wait_ctx = r;
    if (rc == 0)
        rc = repo_wait_unlocked(&r->repo, false, REPO_LOCK_WAIT_S, e);
    if (rc == 0)
        rc = r->is_physical ? restore_physical(r, e) : restore_logical(r, e);
    return rc;
}

static int write_output(struct restore *r, int64_t duration_ns, const char *failure, struct error *e)
{
    const struct restore_flags *f = r->flags;
    struct output_ref ref = {
        .api_version = "appcatalog.appscode.com/v1alpha1", .kind = "AppBinding", .name = f->app, .ns = f->app_ns};
    struct output_result result = {.hostname = f->hostname, .error = failure, .duration_ns = duration_ns};
    AUTO_FREE char *path = mem_printf("%s/output.json", f->output_dir), *text = NULL;
    json_t *o = output_make(&ref, &result);
    int rc = job_make_dir(f->output_dir, 0777, e);

    text = output_text(o);
    json_decref(o);
    return rc < 0 ? rc : env_uv_write_file(path, str_of(text), 0666, true, e);
}

static int report(struct restore *r, int rc, struct error *e, int64_t duration_ns)
{
    const char *dir = r->flags->output_dir;
    char failure[sizeof(e->msg)];

    if (rc < 0) {
        redact_message(&r->job->redact, e->msg, sizeof(e->msg));
        log_error(&r->job->log, "restore failed", F_ERR(e));
        (void)snprintf(failure, sizeof(failure), "%s", e->msg);
    } else {
        log_info(&r->job->log, "restore succeeded", F_INT("seconds", duration_ns / 1000000000),
                 F_INT("bytes", r->bytes));
    }
    if (dir && *dir && write_output(r, duration_ns, rc < 0 ? failure : NULL, e) < 0) {
        log_error(&r->job->log, "the result could not be written", F_ERR(e));
        return 1;
    }
    if (r->job->canceled)
        return EXIT_SIGNAL;
    return rc < 0 && !(dir && *dir) ? 1 : 0; /* with a file update-status tells it */
}

/* wrong: what is wrong with the flags; NULL: nothing is. */
static int run(struct restore *r, const struct error *wrong)
{
    uint64_t began = env_now_ns(r->job->env);
    struct error e = wrong ? *wrong : (struct error){0};
    int rc = wrong ? (int)wrong->code : repo_flags_dirs(&r->flags->repo, r->job, r->envp, &e);

    r->attempt = attempt_name(r);
    r->pinned = datadir_snapshot(r->flags->data_dir, r->attempt);
    if (rc == 0)
        rc = restore(r, &e);
    rc = report(r, rc, &e, (int64_t)(env_now_ns(r->job->env) - began));
    repo_done(&r->repo);
    secrets_done(&r->key);
    apiserver_free(r->api);
    mem_free(r->attempt);
    mem_free(r->pinned);
    mem_free(r->snapshot);
    mem_free(r->server);
    return rc;
}

int restore_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    bool given[sizeof(items) / sizeof(items[0])] = {false};
    struct restore_flags flags;
    struct restore r = {.job = j, .flags = &flags, .envp = envp, .repo.job = j};
    struct error e;
    bool is_wrong = false;
    int n, rc;
    const char **words = repo_flags_argv(argc, argv, &n);

    rc = config_parse(&spec, n, words, envp, &flags, NULL, given, &e);
    if (rc == 0 && !flags.help && (!flags.app || !*flags.app))
        rc = error_set(&e, ERR_INVALID, "--appbinding is missing: give the name of the database's AppBinding");
    else if (rc == 0 && !flags.help && restore_flags_check(&flags, envp, &e) < 0)
        is_wrong = true;
    flags.data_dir_given = false;
    for (size_t i = 0; i < spec.n_items; i++)
        flags.data_dir_given |= given[i] && strcmp(items[i].name, "data-dir") == 0;
    if (rc < 0 || (is_wrong && (!flags.output_dir || !*flags.output_dir))) {
        (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
        rc = 2;
    } else if (flags.help) {
        config_help(&spec, stdout);
    } else { /* with a folder update-status publishes what is wrong */
        if (!flags.app_ns || !*flags.app_ns)
            flags.app_ns = flags.ns;
        rc = run(&r, is_wrong ? &e : NULL);
    }
    config_done(&spec, &flags);
    mem_free(words);
    return rc;
}
