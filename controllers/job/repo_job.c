/* repo_job: see repo_job.h. */
#include "controllers/job/repo_job.h"

#include <stdio.h>
#include <unistd.h>

#include "controllers/job/probe.h"
#include "core/base/json.h"
#include "core/base/mem.h"

enum { EXIT_SIGNAL = 143 };

#define F(member) offsetof(struct repo_job_flags, member)

static const struct config_item items[] = {
    {"backend", CFG_STRING, F(backend), NULL, 0, 0, "spec.backend of the Repository, as JSON (required)"},
    {"storage-secret-name", CFG_STRING, F(secret_name), "", 0, 0, "Secret with the backend's keys, for messages"},
    {"storage-secret-namespace", CFG_STRING, F(secret_ns), "", 0, 0, "its namespace"},
    {"scratch-dir", CFG_STRING, F(scratch_dir), "/stash-tmp", 0, 0, "folder for temporary files"},
    {"help", CFG_BOOL, F(help), NULL, 0, 0, "this text"},
};

static struct backend_params place(const struct repo_job *w)
{
    const struct location *l = &w->location;

    return (struct backend_params){.provider = l->provider,
                                   .bucket = l->bucket,
                                   .prefix = l->prefix,
                                   .endpoint = l->endpoint,
                                   .region = l->region,
                                   .insecure_tls = l->insecure_tls,
                                   .max_connections = l->max_connections,
                                   .of_repository = true,
                                   .file_dir = w->job->credential_dir};
}

/* What is no JSON is not shown: who knows what it is. */
static int read_backend(struct repo_job *w, struct error *e)
{
    json_t *backend = w->flags->backend ? json_loads(w->flags->backend, 0, NULL) : NULL;
    struct backend_params p;
    int rc;

    if (!backend)
        return error_set(e, ERR_INVALID, "--backend is %s: give the Repository's spec.backend, such as "
                                         "{\"local\":{\"mountPath\":\"/repository\"}}",
                         w->flags->backend ? "no JSON" : "missing");
    rc = location_of(arena_json(&w->arena, backend), &w->arena, &w->location, e);
    if (rc < 0)
        return error_wrap(e, rc, "--backend");
    p = place(w);
    rc = backend_check_place(&p, e);
    return rc < 0 ? error_wrap(e, rc, "--backend") : 0;
}

/* ---- what there is ---- */

static int read_key(struct repo_job *w, struct error *e)
{
    const char *dir = repo_flags_env(w->envp, "STASH_STORAGE_SECRET_DIR");
    int rc;

    if (!dir || !*dir)
        return error_set(e, ERR_INVALID, "STASH_STORAGE_SECRET_DIR is not set: it is the folder where the storage "
                                         "Secret is mounted");
    rc = secrets_read_dir(&w->key, dir, e);
    if (rc < 0 && rc != ERR_NOTFOUND)
        return rc;
    rc = probe_check(&w->key, w->location.provider, w->flags->secret_ns, w->flags->secret_name, e);
    w->is_missing = rc < 0;
    return rc;
}

static int open_repo(struct repo_job *w, struct error *e)
{
    struct backend_params p = place(w);

    if (str_same(p.provider, "local") && access(p.bucket, F_OK) < 0)
        return error_set(e, ERR_INVALID, "no volume is mounted at %s", p.bucket);
    return repo_init(&w->repo, w->job, &p, secrets_get, &w->key, e);
}

static int look(struct repo_job *w, struct error *e)
{
    enum restic_class class;
    int rc = repo_ask(&w->repo, &class, e);

    w->is_there = rc == 0 && class == RESTIC_OK;
    if (rc < 0 || w->is_there)
        return rc;
    if (class != RESTIC_ABSENT)
        return ERR_INVALID;
    log_info(&w->job->log, "there is no repository");
    return 0;
}

int repo_job_prune(struct repo_job *w, struct error *e)
{
    struct restic_command c;
    int rc;

    restic_begin(&c, &w->repo.backend, "prune");
    restic_add_retry_lock(&c, w->repo.version, w->repo.retry_lock_s);
    rc = repo_run_waiting(&w->repo, &c, true, REPO_LOCK_WAIT_S, NULL, e);
    restic_done(&c);
    return rc;
}

/* ---- the program ---- */

static int work(struct repo_job *w, const struct repo_job_program *program, struct error *e)
{
    struct repo_flags dirs = {.scratch_dir = w->flags->scratch_dir};
    int rc = repo_flags_dirs(&dirs, w->job, w->envp, e);

    if (rc < 0 || (rc = read_key(w, e)) < 0 || (rc = open_repo(w, e)) < 0 || (rc = look(w, e)) < 0)
        return rc;
    return program->work(w, e);
}

static int run(struct repo_job *w, const struct repo_job_program *program)
{
    struct error e = {0};
    int rc;

    rc = work(w, program, &e);
    if (rc < 0) {
        redact_message(&w->job->redact, e.msg, sizeof(e.msg));
        probe_last_words(e.msg);
    } else {
        log_info(&w->job->log, program->done);
    }
    repo_done(&w->repo);
    secrets_done(&w->key);
    if (w->job->canceled)
        return EXIT_SIGNAL;
    return rc == 0 ? 0 : w->is_missing ? PROBE_EXIT_MISSING : w->is_damaged ? REPO_JOB_EXIT_DAMAGED : 1;
}

int repo_job_main(struct job *j, const struct repo_job_program *program, int argc, const char *const *argv,
                  const char *const *envp)
{
    struct config_spec spec = {.program = program->name, .usage = "--backend=JSON [flags]", .about = program->about,
                               .items = items, .n_items = sizeof(items) / sizeof(items[0])};
    struct repo_job_flags flags;
    struct repo_job w = {.job = j, .flags = &flags, .envp = envp, .repo.job = j};
    struct error e;
    int n, rc;
    const char **words = repo_flags_argv(argc, argv, &n);

    arena_init(&w.arena);
    rc = config_parse(&spec, n, words, envp, &flags, NULL, NULL, &e);
    if (rc == 0 && !flags.help)
        rc = read_backend(&w, &e);
    if (rc < 0) {
        (void)error_wrap(&e, rc, "%s", spec.program);
        probe_last_words(e.msg);
        rc = 2;
    } else if (flags.help) {
        config_help(&spec, stdout);
    } else {
        rc = run(&w, program);
    }
    arena_done(&w.arena);
    config_done(&spec, &flags);
    mem_free(words);
    return rc;
}
