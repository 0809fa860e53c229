/*
 * wipe: see wipe.h. Nothing is touched where there is no restic repository. Snapshots are listed again until none is
 * left, so that one made by a backup that ended meanwhile goes too; the prune comes last, and always: an attempt that
 * was killed may have forgotten all snapshots and freed nothing.
 */
#include "controllers/job/wipe.h"

#include <stdio.h>
#include <unistd.h>

#include "controllers/job/probe.h"
#include "controllers/job/repo_flags.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/restic/location.h"

enum { IDS_MAX = 500, ROUNDS_MAX = 1000, LOCK_WAIT_S = 600, EXIT_SIGNAL = 143 };

struct wipe_flags {
    const char *backend, *secret_name, *secret_ns, *scratch_dir;
    bool help;
};

#define F(member) offsetof(struct wipe_flags, member)

static const struct config_item items[] = {
    {"backend", CFG_STRING, F(backend), NULL, 0, 0, "spec.backend of the Repository, as JSON (required)"},
    {"storage-secret-name", CFG_STRING, F(secret_name), "", 0, 0, "Secret with the backend's keys, for messages"},
    {"storage-secret-namespace", CFG_STRING, F(secret_ns), "", 0, 0, "its namespace"},
    {"scratch-dir", CFG_STRING, F(scratch_dir), "/stash-tmp", 0, 0, "folder for temporary files"},
    {"help", CFG_BOOL, F(help), NULL, 0, 0, "this text"},
};

static const struct config_spec spec = {
    .program = "stash-job wipe-repository",
    .usage = "--backend=JSON [flags]",
    .about = "Deletes all data of a restic repository. The storage Secret is mounted at STASH_STORAGE_SECRET_DIR.",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

struct wipe {
    struct job *job;
    const struct wipe_flags *flags;
    const char *const *envp;
    struct arena arena;
    struct location location;
    struct secrets key;
    struct repo repo;
    bool is_missing; /* the Secret, or a key */
};

/* ---- what there is ---- */

static int read_backend(struct wipe *w, struct error *e)
{
    json_t *backend = json_loads(w->flags->backend, 0, NULL);

    if (!backend)
        return error_set(e, ERR_INVALID, "--backend is no JSON");
    return location_of(arena_json(&w->arena, backend), &w->arena, &w->location, e);
}

static int read_key(struct wipe *w, struct error *e)
{
    const char *dir = repo_flags_env(w->envp, "STASH_STORAGE_SECRET_DIR");
    int rc;

    if (!dir || !*dir)
        return error_set(e, ERR_INVALID, "STASH_STORAGE_SECRET_DIR is not set");
    rc = secrets_read_dir(&w->key, dir, e);
    if (rc < 0 && rc != ERR_NOTFOUND)
        return rc;
    rc = probe_check(&w->key, w->location.provider, w->flags->secret_ns, w->flags->secret_name, e);
    w->is_missing = rc < 0;
    return rc;
}

static int open_repo(struct wipe *w, struct error *e)
{
    const struct location *l = &w->location;
    struct backend_params p = {.provider = l->provider,
                               .bucket = l->bucket,
                               .prefix = l->prefix,
                               .endpoint = l->endpoint,
                               .region = l->region,
                               .insecure_tls = l->insecure_tls,
                               .max_connections = l->max_connections,
                               .file_dir = w->job->credential_dir};

    if (str_same(l->provider, "local") && access(l->bucket, F_OK) < 0)
        return error_set(e, ERR_INVALID, "no volume is mounted at %s", l->bucket);
    return repo_init(&w->repo, w->job, &p, secrets_get, &w->key, e);
}

/* At the root of a bucket only a repository that is there is taken for ours. */
static int look(struct wipe *w, bool *ret_there, struct error *e)
{
    bool at_root = !*w->location.prefix && !str_same(w->location.provider, "local");
    enum restic_class class;
    int rc = repo_ask(&w->repo, &class, e);

    *ret_there = rc == 0 && class == RESTIC_OK;
    if (rc < 0 || class == RESTIC_OK)
        return rc;
    if (class != RESTIC_ABSENT)
        return ERR_INVALID;
    if (at_root)
        return error_set(e, ERR_INVALID, "there is no restic repository at the root of %s: nothing is deleted there",
                         w->location.bucket);
    log_info(&w->job->log, "there is no repository: nothing to wipe");
    return 0;
}

/* ---- taking it away ---- */

static int forget(struct wipe *w, const struct restic_snapshots *list, struct error *e)
{
    struct restic_command c;
    int rc;

    restic_begin(&c, &w->repo.backend, "forget");
    restic_add_retry_lock(&c, w->repo.version, w->repo.retry_lock_s);
    for (size_t i = 0; i < list->n && i < IDS_MAX; i++)
        restic_add(&c, list->items[i].id);
    rc = repo_run_waiting(&w->repo, &c, true, LOCK_WAIT_S, NULL, NULL, NULL, e);
    restic_done(&c);
    return rc;
}

static int forget_all(struct wipe *w, struct error *e)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct restic_snapshots list;
        size_t n;
        int rc = repo_snapshots(&w->repo, NULL, NULL, false, &list, e);

        if (rc < 0)
            return rc;
        n = list.n;
        if (n)
            rc = forget(w, &list, e);
        restic_snapshots_done(&list);
        if (rc < 0 || !n)
            return rc;
        log_info(&w->job->log, "snapshots are forgotten", F_INT("left", n > IDS_MAX ? n - IDS_MAX : 0));
    }
    return error_set(e, ERR_INVALID, "there are always more snapshots: is somebody making backups there?");
}

static int prune(struct wipe *w, struct error *e)
{
    struct restic_command c;
    int rc;

    restic_begin(&c, &w->repo.backend, "prune");
    restic_add_retry_lock(&c, w->repo.version, w->repo.retry_lock_s);
    rc = repo_run_waiting(&w->repo, &c, true, LOCK_WAIT_S, NULL, NULL, NULL, e);
    restic_done(&c);
    return rc;
}

static int wipe(struct wipe *w, struct error *e)
{
    bool is_there = false;
    int rc = read_backend(w, e);

    if (rc < 0 || (rc = read_key(w, e)) < 0 || (rc = open_repo(w, e)) < 0 || (rc = look(w, &is_there, e)) < 0 ||
        !is_there)
        return rc;
    if ((rc = repo_wait_unlocked(&w->repo, true, LOCK_WAIT_S, NULL, NULL, e)) < 0 || (rc = forget_all(w, e)) < 0)
        return rc;
    return prune(w, e);
}

/* ---- the program ---- */

static int run(struct wipe *w)
{
    struct repo_flags dirs = {.scratch_dir = w->flags->scratch_dir};
    struct error e = {0};
    int rc = repo_flags_dirs(&dirs, w->job, w->envp, &e);

    arena_init(&w->arena);
    if (rc == 0)
        rc = wipe(w, &e);
    if (rc < 0) {
        redact_message(&w->job->redact, e.msg, sizeof(e.msg));
        probe_last_words(e.msg);
    } else {
        log_info(&w->job->log, "the repository holds no data any more");
    }
    repo_done(&w->repo);
    secrets_done(&w->key);
    arena_done(&w->arena);
    if (w->job->canceled)
        return EXIT_SIGNAL;
    return rc == 0 ? 0 : w->is_missing ? PROBE_EXIT_MISSING : 1;
}

int wipe_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    struct wipe_flags flags;
    struct wipe w = {.job = j, .flags = &flags, .envp = envp, .repo.job = j};
    struct error e;
    int n, rc;
    const char **words = repo_flags_argv(argc, argv, &n);

    rc = config_parse(&spec, n, words, envp, &flags, NULL, NULL, &e);
    if (rc == 0 && !flags.help && !flags.backend)
        rc = error_set(&e, ERR_INVALID, "--backend is missing");
    if (rc < 0) {
        (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
        rc = 2;
    } else if (flags.help) {
        config_help(&spec, stdout);
    } else {
        rc = run(&w);
    }
    config_done(&spec, &flags);
    mem_free(words);
    return rc;
}
