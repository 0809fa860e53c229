/* test_repo: what is done with other people's locks, and how restic is stopped; a script plays restic. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "controllers/job/repo.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

#define HELD "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define OTHER "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define ANOTHER "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

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

/* A script that plays restic with one exclusive lock, which "unlock" takes away. held: shell that says by its status
 * whether it is held at all. */
static void open_locked(struct here *w, const char *host, int64_t age_s, const char *held)
{
    AUTO_FREE char *script = NULL;
    char then[32];

    (void)str_format_time(env_wall_ms(w->env) / 1000 - age_s, then);
    script = mem_printf("echo \"$*\" >>calls\n"
                        "held() { [ ! -e removed ] && { %s; }; }\n"
                        "case \"$*\" in\n"
                        "list*) ! held || echo " HELD ";;\n"
                        "cat*) echo '{\"hostname\": \"%s\", \"exclusive\": true, \"pid\": 1, \"time\": \"%s\"}';;\n"
                        "unlock*) touch removed;;\n"
                        "forget*) ! held || { echo 'unable to create lock in backend' >&2; exit 1; };;\n"
                        "esac\n",
                        held, host, then);
    open_repo(w, script);
    w->repo.holder_gone = only_b_has_ended;
}

/* True for two seconds from the first time on. */
#define FOR_TWO_SECONDS "[ -e began ] || date +%s >began; [ $(($(date +%s) - $(cat began))) -lt 2 ]"

static bool was_called(const struct here *w, const char *word)
{
    AUTO_FREE char *command = mem_printf("grep -q -e %s %s/calls", word, w->dir);

    return system(command) == 0; /* NOLINT(cert-env33-c): a word and a folder of ours */
}

static void a_lock_that_is_renewed_is_waited_for_and_then_its_holder_named(void **state)
{
    struct here *w = *state;
    struct error e;

    open_locked(w, "elsewhere", 240, "true");
    assert_int_equal(repo_wait_unlocked(&w->repo, false, 1, &e), ERR_TIMEOUT);
    assert_non_null(strstr(e.msg, "locked by elsewhere"));
    assert_false(was_called(w, "unlock"));
}

static void a_lock_that_restic_calls_stale_is_removed_by_its_own_rule(void **state)
{
    struct here *w = *state;
    struct error e;

    open_locked(w, "elsewhere", 1900, "true");
    assert_int_equal(repo_wait_unlocked(&w->repo, false, 0, &e), 0);
    assert_true(was_called(w, "unlock"));
}

/* Between a look and "--remove-all" another backup may begin: its lock would go too. */
static void the_lock_of_a_pod_that_has_ended_is_not_removed_with_all_others(void **state)
{
    struct here *w = *state;
    struct error e;

    open_locked(w, "b", 240, "true");
    assert_int_equal(repo_wait_unlocked(&w->repo, false, 0, &e), ERR_TIMEOUT);
    assert_false(was_called(w, "remove-all"));
}

/* A pod can have one name only: whose other locks there are says whether another one is needed. */
static void the_locks_of_an_ended_host_go_and_the_others_are_named(void **state)
{
    struct here *w = *state;
    struct error e;
    struct buf others;

    open_repo(w, "echo \"$*\" >>calls\n"
                 "case \"$*\" in\n"
                 "list*) [ -e removed ] || echo " HELD "; echo " OTHER "; echo " ANOTHER ";;\n"
                 "*" HELD "*) echo '{\"hostname\": \"ended\", \"pid\": 1, \"time\": \"2026-03-01T02:00:00Z\"}';;\n"
                 "cat*) echo '{\"hostname\": \"elsewhere\", \"pid\": 1, \"time\": \"2026-03-01T02:00:00Z\"}';;\n"
                 "unlock*) touch removed;;\n"
                 "esac\n");
    buf_init(&others, 64);
    assert_int_equal(repo_unlock_host(&w->repo, "ended", &others, &e), 0);
    assert_true(has_file(w, "removed"));
    assert_false(was_called(w, "remove-all"));
    assert_string_equal(others.data, "elsewhere"); /* once */
    buf_done(&others);
}

static void a_lock_whose_pod_has_ended_is_waited_for_longer_than_one_that_works(void **state)
{
    struct here *w = *state;
    struct error e;

    open_locked(w, "b", 240, FOR_TWO_SECONDS);
    assert_int_equal(repo_wait_unlocked(&w->repo, false, 1, &e), 0);
}

static void a_lock_that_nobody_renews_is_waited_for_until_restic_calls_it_stale(void **state)
{
    struct here *w = *state;
    struct error e;

    open_locked(w, "elsewhere", 700, FOR_TWO_SECONDS);
    assert_int_equal(repo_wait_unlocked(&w->repo, false, 1, &e), 0);
    assert_false(was_called(w, "unlock"));
}

static void a_command_that_found_the_repository_locked_is_tried_until_it_is_free(void **state)
{
    struct here *w = *state;
    struct error e;

    open_locked(w, "elsewhere", 10, FOR_TWO_SECONDS);
    assert_int_equal(repo_forget_one(&w->repo, "abc", 30, &e), 0);
}

/* It may be that of a backup at work, or one that was removed while we looked: nobody may take it away. */
static void a_lock_that_cannot_be_read_is_nobodys_to_remove(void **state)
{
    struct here *w = *state;
    struct error e;

    open_repo(w, "echo \"$*\" >>calls\n"
                 "case \"$*\" in\n"
                 "list*) echo " HELD ";;\n"
                 "cat*) echo 'connection reset' >&2; exit 1;;\n"
                 "esac\n");
    assert_int_equal(repo_wait_unlocked(&w->repo, false, 0, &e), 0);
    assert_false(was_called(w, "unlock"));
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
    assert_int_equal(repo_forget_one(&w->repo, "abc", 0, &e), ERR_CANCELED);
    assert_true(has_file(w, "lock-removed"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        T(a_lock_that_cannot_be_read_is_nobodys_to_remove),
        T(a_lock_that_is_renewed_is_waited_for_and_then_its_holder_named),
        T(a_lock_that_restic_calls_stale_is_removed_by_its_own_rule),
        T(the_lock_of_a_pod_that_has_ended_is_not_removed_with_all_others),
        T(the_locks_of_an_ended_host_go_and_the_others_are_named),
        T(a_lock_whose_pod_has_ended_is_waited_for_longer_than_one_that_works),
        T(a_lock_that_nobody_renews_is_waited_for_until_restic_calls_it_stale),
        T(a_command_that_found_the_repository_locked_is_tried_until_it_is_free),
        T(a_sigterm_stops_restic_so_that_it_removes_its_lock),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
