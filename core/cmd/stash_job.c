/*
 * stash_job: the program inside Jobs: one sub-command a step (jobs.md 14). It sets up what they share and hands over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controllers/job/backup_main.h"
#include "controllers/job/check_install.h"
#include "controllers/job/create_session.h"
#include "controllers/job/job.h"
#include "controllers/job/maintain.h"
#include "controllers/job/probe.h"
#include "controllers/job/restore.h"
#include "controllers/job/update_status.h"
#include "controllers/job/wipe.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/loop/tether.h"

struct command {
    const char *name;
    int (*main)(struct job *j, int argc, const char *const *argv, const char *const *envp);
    const char *help;
};

static const struct command commands[] = {
    {"backup-percona-xtradb",  backup_main,        "back up a MariaDB or Percona server or cluster"},
    {"restore-percona-xtradb", restore_main,       "restore a dump or a physical backup"           },
    {"update-status",          update_status_main, "publish the result of the step before"         },
    {"probe-storage-secret",   probe_main,         "look whether a storage Secret is complete"     },
    {"wipe-repository",        wipe_main,          "delete all data of a repository"               },
    {"prune-repository",       maintain_prune_main, "free what no snapshot needs any more"         },
    {"check-repository",       maintain_check_main, "look whether a repository is whole"           },
    {"unlock-repository",      maintain_unlock_main, "remove the locks that an ended pod left"     },
    {"create-backupsession",   create_session_main, "make the session that a CronJob is due for"   },
    {"check-installation",     check_install_main, "look whether the operator works: helm test"    },
};
enum { N_COMMANDS = sizeof(commands) / sizeof(*commands) };

static void print_help(FILE *to)
{
    (void)fprintf(to, "usage: stash-job COMMAND [flags]\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        (void)fprintf(to, "  %-24s %s\n", commands[i].name, commands[i].help);
    (void)fprintf(to, "  %-24s %s\n\nstash-job COMMAND --help tells its flags.\n", "version", "print the version");
}

static void on_signal(void *ctx, int sig)
{
    struct job *j = ctx;

    (void)sig;
    log_warn(&j->log, "ended by a signal");
    job_cancel(j);
}

static int run(const struct command *c, int argc, const char *const *argv, const char *const *envp)
{
    struct env *env = env_uv_new();
    struct job j;
    int status;

    job_init(&j, env, "/tmp", "/tmp");
    env_uv_on_signal(env, on_signal, &j);
    status = c->main(&j, argc, argv, envp);
    env_uv_on_signal(env, NULL, NULL);
    job_done(&j);
    env_uv_free(env);
    return status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    tether_init(argc, argv);
    job_harden();
    mem_install((unsigned)getpid());
    if (str_same(name, "--help") || str_same(name, "-h") || str_same(name, "help")) {
        print_help(stdout);
        return 0;
    }
    if (str_same(name, "version") || str_same(name, "--version")) {
        (void)puts("stash-job " STASHD_VERSION);
        return 0;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (str_same(name, commands[i].name))
            return run(&commands[i], argc - 1, (const char *const *)argv + 1, (const char *const *)environ);
    if (*name)
        (void)fprintf(stderr, "stash-job: unknown command \"%s\"; see stash-job --help\n", name);
    else
        print_help(stderr);
    return 2;
}
