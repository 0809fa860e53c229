/* probe: see probe.h. */
#include "controllers/job/probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "controllers/job/job.h"
#include "controllers/job/repo_flags.h"
#include "core/base/mem.h"

static const char termination_log[] = "/dev/termination-log";

struct probe_flags {
    struct repo_flags repo;
    bool help;
};

static const struct config_item items[] = {
    REPO_FLAGS(struct probe_flags, repo),
    {"help", CFG_BOOL, offsetof(struct probe_flags, help), NULL, 0, 0, "this text"},
};

static const struct config_spec spec = {
    .program = "stash-job probe-storage-secret",
    .usage = "--provider=PROVIDER [flags]",
    .about =
        "Looks whether the storage Secret mounted at STASH_STORAGE_SECRET_DIR has the keys that the provider needs.",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

int probe_check(struct secrets *s, const char *provider, const char *ns, const char *name, struct error *e)
{
    struct error missing;
    const char *what;

    if (s->n == 0)
        return error_set(e, ERR_INVALID,
                         "Secret %s/%s not found: create it with kubectl -n %s create secret generic %s "
                         "--from-literal=RESTIC_PASSWORD=…",
                         ns, name, ns, name);
    if (backend_check_keys(provider, secrets_get, s, &missing) == 0)
        return 0;
    what = strstr(missing.msg, " has no key ");
    if (!what) /* an unknown provider */
        return error_set(e, ERR_INVALID, "%s: correct spec.backend of the Repository", missing.msg);
    return error_set(e, ERR_INVALID, "Secret %s/%s%s: add it with kubectl -n %s edit secret %s (stringData)", ns, name,
                     what, ns, name);
}

/* No file of that name outside of a pod: then stderr alone has it. */
void probe_last_words(const char *line)
{
    int fd = open(termination_log, O_WRONLY | O_TRUNC | O_CLOEXEC);
    ssize_t n;

    (void)fprintf(stderr, "%s\n", line);
    if (fd < 0)
        return;
    n = write(fd, line, strlen(line));
    (void)n;
    (void)close(fd);
}

static int probe(const struct probe_flags *f, const char *const *envp)
{
    const char *dir = repo_flags_env(envp, "STASH_STORAGE_SECRET_DIR");
    const char *ns = f->repo.secret_ns ? f->repo.secret_ns : "", *name = f->repo.secret_name ? f->repo.secret_name : "";
    struct secrets s = {0};
    struct error e;
    int rc;

    if (!dir || !*dir) {
        (void)fprintf(stderr, "%s: STASH_STORAGE_SECRET_DIR is not set\n", spec.program);
        return 1;
    }
    rc = secrets_read_dir(&s, dir, &e);
    if (rc == 0 || rc == ERR_NOTFOUND)
        rc = probe_check(&s, f->repo.provider, ns, name, &e) < 0 ? PROBE_EXIT_MISSING : 0;
    else
        rc = 1; /* cannot be read: that says nothing of the Secret */
    if (rc)
        probe_last_words(e.msg);
    secrets_done(&s);
    return rc;
}

int probe_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    struct probe_flags flags;
    struct error e;
    int n, rc;
    const char **words = repo_flags_argv(argc, argv, &n);

    (void)j;
    rc = config_parse(&spec, n, words, envp, &flags, NULL, NULL, &e);
    if (rc < 0) {
        (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
        rc = 2;
    } else if (flags.help) {
        config_help(&spec, stdout);
    } else {
        rc = probe(&flags, envp);
    }
    config_done(&spec, &flags);
    mem_free(words);
    return rc;
}
