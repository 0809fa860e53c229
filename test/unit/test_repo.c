/* test_repo: what is done with other people's locks, and how restic is stopped; a script plays restic. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controllers/job/repo.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

#define ALIVE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ENDED "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct here {
    struct env *env;
    struct job job;
    struct repo repo;
    struct timer timer;
    char dir[64], old_path[4096];
    size_t live;
};

static struct str key(void *ctx, const char *name)
{
    (void)ctx;
    return str_same(name, "RESTIC_PASSWORD") ? STR("password") : STR_NONE;
}

static void write_restic(struct here *w, const char *script)
{
    AUTO_FREE char *path = mem_printf("%s/restic", w->dir);
    AUTO_FREE char *text = mem_printf("#!/bin/sh\ncd %s\n[ $1 = version ] && echo restic 0.14.0 && exit\n%s", w->dir,
                                      script);
    struct error e;

    assert_int_equal(env_uv_write_file(path, str_of(text), 0755, false, &e), 0);
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct here *w = mem_zalloc(sizeof(*w));
    AUTO_FREE char *path = NULL;

    w->live = live;
    w->env = env_uv_new();
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-repo-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->old_path, sizeof(w->old_path), "%s", getenv("PATH"));
    path = mem_printf("%s:%s", w->dir, w->old_path);
    assert_int_equal(setenv("PATH", path, 1), 0);
    job_init(&w->job, w->env, w->dir, w->dir);
    w->job.log.min = LOG_ERROR + 1;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct here *w = *state;
    size_t live = w->live;

    repo_done(&w->repo);
    job_done(&w->job);
    env_uv_free(w->env);
    assert_int_equal(setenv("PATH", w->old_path, 1), 0);
    job_remove(w->dir);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void open_repo(struct here *w, const char *script)
{
    struct backend_params p = {.provider = "local", .bucket = "/nowhere", .file_dir = w->dir};
    struct error e;

    write_restic(w, script);
    assert_int_equal(repo_init(&w->repo, &w->job, &p, key, NULL, &e), 0);
}

static bool has_file(const struct here *w, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", w->dir, name);

    return access(path, F_OK) == 0;
}

static bool only_b_has_ended(void *ctx, const char *host)
{
    (void)ctx;
    return str_same(host, "b");
}

/* Two locks: an exclusive one whose pod has ended, and one that cannot be read for now. The second may be that of a
 * backup at work: nobody may take it away. */
static void a_lock_that_cannot_be_read_is_nobodys_to_remove(void **state)
{
    struct here *w = *state;
    struct error e;

    open_repo(
        w, "case \"$*\" in\n"
           "list*) echo " ALIVE "; [ -e gone ] || echo " ENDED ";;\n"
           "*" ALIVE "*) echo 'connection reset' >&2; exit 1;;\n"
           "cat*) echo '{\"hostname\": \"b\", \"exclusive\": true, \"pid\": 1, \"time\": \"2026-03-01T02:00:00Z\"}';;\n"
           "*--remove-all*) touch removed-all gone;;\n"
           "unlock*) touch unlocked gone;;\n"
           "esac\n");
    assert_int_equal(repo_wait_unlocked(&w->repo, false, 0, only_b_has_ended, NULL, &e), 0);
    assert_true(has_file(w, "unlocked"));
    assert_false(has_file(w, "removed-all"));
}

static void locks_whose_holders_have_all_ended_are_removed(void **state)
{
    struct here *w = *state;
    struct error e;

    open_repo(
        w, "case \"$*\" in\n"
           "list*) [ -e gone ] || echo " ENDED ";;\n"
           "cat*) echo '{\"hostname\": \"b\", \"exclusive\": true, \"pid\": 1, \"time\": \"2026-03-01T02:00:00Z\"}';;\n"
           "*--remove-all*) touch gone;;\n"
           "esac\n");
    assert_int_equal(repo_wait_unlocked(&w->repo, false, 0, only_b_has_ended, NULL, &e), 0);
    assert_true(has_file(w, "gone"));
}

static void on_poll(struct timer *t)
{
    struct here *w = t->data;

    if (has_file(w, "started"))
        job_cancel(&w->job);
    else
        timer_set_in(w->env, t, 20);
}

/* A TERM would leave the lock of a version before 0.17 behind. */
static void a_sigterm_stops_restic_so_that_it_removes_its_lock(void **state)
{
    struct here *w = *state;
    struct error e;

    open_repo(w, "trap 'touch lock-removed; exit 130' INT\ntouch started\nwhile :; do sleep 0.05; done\n");
    timer_init(&w->timer, on_poll, w);
    timer_set_in(w->env, &w->timer, 20);
    assert_int_equal(repo_forget_one(&w->repo, "abc", &e), ERR_CANCELED);
    assert_true(has_file(w, "lock-removed"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        T(a_lock_that_cannot_be_read_is_nobodys_to_remove),
        T(locks_whose_holders_have_all_ended_are_removed),
        T(a_sigterm_stops_restic_so_that_it_removes_its_lock),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
