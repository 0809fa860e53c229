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
    REPO_FLAGS_WITH(struct probe_flags, repo, " (required)", " (required)", " (required)"),
    {"help", CFG_BOOL, offsetof(struct probe_flags, help), NULL, 0, 0, "this text"},
};

static const struct config_spec spec = {
    .program = "stash-job probe-storage-secret",
    .usage = "--provider=PROVIDER --storage-secret-name=NAME --storage-secret-namespace=NAMESPACE [flags]",
    .about =
        "Looks whether the storage Secret mounted at STASH_STORAGE_SECRET_DIR has the keys that the provider needs.",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

int probe_check(struct secrets *s, const char *provider, const char *ns, const char *name, struct error *e)
{
    struct error missing;
    bool is_named = *ns && *name;
    const char *what;

    if (s->n == 0 && !is_named)
        return error_set(e, ERR_INVALID, "there is no storage Secret at STASH_STORAGE_SECRET_DIR: mount it there");
    if (s->n == 0)
        return error_set(e, ERR_INVALID,
                         "Secret %s/%s not found: create it with kubectl -n %s create secret generic %s "
                         "--from-literal=RESTIC_PASSWORD=…",
                         ns, name, ns, name);
    if (backend_check_keys(provider, secrets_get, s, &missing) == 0)
        return 0;
    what = strstr(missing.msg, " has no key ");
    if (!what) /* an unknown provider */
        return error_set(e, ERR_INVALID, "%s", missing.msg);
    if (!is_named)
        return error_set(e, ERR_INVALID, "the storage Secret%s: add it", what);
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
    struct secrets s = {0};
    struct error e;
    int rc;

    if (!dir || !*dir) {
        (void)fprintf(stderr, "%s: STASH_STORAGE_SECRET_DIR is not set: it is the folder where the Secret is mounted\n",
                      spec.program);
        return 1;
    }
    rc = secrets_read_dir(&s, dir, &e);
    if (rc == 0 || rc == ERR_NOTFOUND)
        rc = probe_check(&s, f->repo.provider, f->repo.secret_ns, f->repo.secret_name, &e) < 0 ? PROBE_EXIT_MISSING : 0;
    else
        rc = 1; /* cannot be read: that says nothing of the Secret */
    if (rc)
        probe_last_words(e.msg);
    secrets_done(&s);
    return rc;
}

static int check_flags(const struct repo_flags *f, struct error *e)
{
    int rc = backend_check_name(f->provider, e);

    if (rc < 0)
        return rc;
    if (!f->secret_name || !*f->secret_name)
        return error_set(e, ERR_INVALID, "--storage-secret-name is missing: give the Secret's name, which messages "
                                         "have");
    if (!f->secret_ns || !*f->secret_ns)
        return error_set(e, ERR_INVALID, "--storage-secret-namespace is missing: give the Secret's namespace, which "
                                         "messages have");
    return 0;
}

int probe_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    struct probe_flags flags;
    struct error e;
    int n, rc;
    const char **words = repo_flags_argv(argc, argv, &n);

    (void)j;
    rc = config_parse(&spec, n, words, envp, &flags, NULL, NULL, &e);
    if (rc == 0 && !flags.help)
        rc = check_flags(&flags.repo, &e);
    if (rc < 0) {
        (void)error_wrap(&e, rc, "%s", spec.program);
        probe_last_words(e.msg);
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
