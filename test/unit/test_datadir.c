/* test_datadir: a data directory is empty, whole, or such that
 * no server starts on it; also when the restore is killed. */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controllers/job/datadir.h"
#include "controllers/job/job.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum { N_FILES = 8 };

struct here {
    char dir[64];
    struct datadir d;
    size_t live;
};

static int set_up(void **state)
{
    size_t live = mem_live();
    struct here *h = mem_zalloc(sizeof(*h));

    h->live = live;
    h->d.lock_fd = -1;
    /* In memory where there is such a folder: a commit waits for the disk several times. */
    (void)snprintf(h->dir, sizeof(h->dir), "%s/test-datadir-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(h->dir));
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct here *h = *state;
    size_t live = h->live;

    datadir_done(&h->d);
    job_remove(h->dir);
    mem_free(h);
    assert_int_equal(mem_live(), live);
    return 0;
}

static bool exists(const struct here *h, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", h->dir, name);
    struct stat st;

    return lstat(path, &st) == 0;
}

static bool is_file(const struct here *h, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", h->dir, name);
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void put(const struct here *h, const char *name, const char *text)
{
    AUTO_FREE char *path = mem_printf("%s/%s", h->dir, name);
    struct error e;

    if (!text)
        assert_int_equal(job_make_dir(path, 0755, &e), 0);
    else
        assert_int_equal(env_uv_write_file(path, str_of(text), 0644, false, &e), 0);
}

static int begin(struct here *h, const char *attempt, bool *complete, struct error *e)
{
    datadir_done(&h->d);
    return datadir_open(&h->d, h->dir, attempt, complete, e);
}

static void fill(const struct here *h)
{
    char name[64];

    put(h, ".stash-restore/data/ibdata1", "system");
    put(h, ".stash-restore/data/mysql", NULL);
    put(h, ".stash-restore/data/mysql/user.frm", "x");
    for (int i = 0; i < N_FILES; i++) {
        (void)snprintf(name, sizeof(name), ".stash-restore/data/t%d.ibd", i);
        put(h, name, "x");
    }
}

static unsigned count_files(const struct here *h)
{
    char name[16];
    unsigned n = 0;

    for (int i = 0; i < N_FILES; i++) {
        (void)snprintf(name, sizeof(name), "t%d.ibd", i);
        n += exists(h, name);
    }
    return n;
}

static void what_is_whole_moves_into_place_and_nothing_else_stays(void **state)
{
    struct here *h = *state;
    struct error e;
    bool complete;

    put(h, "lost+found", NULL);
    assert_int_equal(begin(h, "a", &complete, &e), 0);
    assert_false(complete);
    fill(h);
    assert_int_equal(datadir_commit(&h->d, "ibdata1", &e), 0);
    assert_int_equal(count_files(h), N_FILES);
    assert_true(is_file(h, "ibdata1"));
    assert_true(exists(h, "mysql/user.frm"));
    assert_true(exists(h, "lost+found"));
    assert_false(exists(h, ".stash-restore"));
    datadir_abandon(&h->d, "too late"); /* has nothing to take away any more */
    assert_true(is_file(h, "ibdata1"));
}

static void a_directory_with_files_is_refused_and_not_touched(void **state)
{
    struct here *h = *state;
    struct error e;
    bool complete;

    put(h, "ibdata1", "precious");
    assert_int_equal(begin(h, "a", &complete, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "not empty (it holds ibdata1)"));
    datadir_abandon(&h->d, e.msg);
    assert_true(is_file(h, "ibdata1"));
    assert_false(exists(h, ".stash-restore"));
}

static void a_failed_restore_leaves_its_reason_and_can_be_repeated(void **state)
{
    struct here *h = *state;
    struct error e;
    bool complete;

    assert_int_equal(begin(h, "a", &complete, &e), 0);
    fill(h);
    assert_int_equal(datadir_commit(&h->d, "nothing", &e), ERR_INVALID); /* no such system tablespace */
    datadir_abandon(&h->d, "no tablespace");
    assert_int_equal(count_files(h), 0);
    assert_true(is_file(h, ".stash-restore/state"));
    assert_false(exists(h, ".stash-restore/data"));
    assert_int_equal(begin(h, "another", &complete, &e), 0); /* any restore may come after it */
    put(h, "ibdata1", "a server was here");
    assert_int_equal(begin(h, "a", &complete, &e), ERR_INVALID); /* unless something is there now */
    datadir_abandon(&h->d, "x");
    assert_true(is_file(h, "ibdata1"));
}

static void two_restores_at_once_are_refused(void **state)
{
    struct here *h = *state;
    struct datadir second;
    struct error e;
    bool complete;

    assert_int_equal(begin(h, "a", &complete, &e), 0);
    fill(h);
    assert_int_equal(datadir_open(&second, h->dir, "a", &complete, &e), ERR_CONFLICT);
    datadir_abandon(&second, "x");
    datadir_done(&second);
    assert_true(exists(h, ".stash-restore/data/ibdata1"));
}

static void the_half_of_another_restore_is_left_to_a_person(void **state)
{
    struct here *h = *state;
    struct error e;
    bool complete;

    put(h, ".stash-restore/data", NULL);
    put(h, ".stash-restore/data/rest", "");
    put(h, ".stash-restore/state", "{\"attempt\": \"other\", \"phase\": \"moving\", \"guard\": \"ibdata1\"}");
    put(h, "ibdata1", NULL);
    put(h, "t1.ibd", "x");
    assert_int_equal(begin(h, "a", &complete, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "other"));
    datadir_abandon(&h->d, e.msg);
    assert_true(exists(h, "t1.ibd"));
    assert_true(exists(h, ".stash-restore/data/rest"));
    assert_int_equal(begin(h, "other", &complete, &e), 0); /* its own repetition begins anew */
    assert_false(complete);
    assert_false(exists(h, "t1.ibd"));
    assert_false(exists(h, ".stash-restore/data/rest"));
}

static void a_restore_that_only_lacked_its_tidying_is_complete(void **state)
{
    struct here *h = *state;
    struct error e;
    bool complete;

    put(h, ".stash-restore/data/ibdata1", NULL); /* the folder, after the swap */
    put(h, ".stash-restore/state", "{\"attempt\": \"a\", \"phase\": \"moving\", \"guard\": \"ibdata1\"}");
    put(h, "ibdata1", "system");
    assert_int_equal(begin(h, "a", &complete, &e), 0);
    assert_true(complete);
    assert_true(is_file(h, "ibdata1"));
    assert_false(exists(h, ".stash-restore"));
}

/* Runs the commit in a child that is killed at its n-th system call. False: it had ended before. */
static bool commit_killed_at(struct here *h, unsigned n)
{
    struct error e;
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        _exit(datadir_commit(&h->d, "ibdata1", &e) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    for (unsigned i = 0; i < n && WIFSTOPPED(status); i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    if (WIFEXITED(status)) {
        assert_int_equal(WEXITSTATUS(status), 0);
        return false;
    }
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    return true;
}

static void killed_at_any_system_call_it_is_whole_or_no_server_starts(void **state)
{
    struct here *h = *state;
    unsigned n_halves = 0, n_whole = 0, n = 1;
    bool killed = true;

    for (; killed; n++) {
        struct error e;
        bool complete;

        assert_int_equal(begin(h, "a", &complete, &e), 0);
        fill(h);
        killed = commit_killed_at(h, n);
        n_halves += count_files(h) && count_files(h) < N_FILES;
        n_whole += killed && is_file(h, "ibdata1");
        if (is_file(h, "ibdata1")) /* a server could start: all must be there */
            assert_int_equal(count_files(h), N_FILES);
        else if (count_files(h)) /* a server must not start: its place is taken */
            assert_true(exists(h, "ibdata1"));
        if (exists(h, ".stash-restore/state")) { /* then the same restore may come again, and ends the matter */
            bool whole = is_file(h, "ibdata1");

            assert_int_equal(begin(h, "a", &complete, &e), 0);
            assert_int_equal(complete, whole);
            assert_int_equal(count_files(h), whole ? N_FILES : 0);
        }
        datadir_done(&h->d);
        job_remove(h->dir);
        assert_int_equal(mkdir(h->dir, 0755), 0);
    }
    assert_true(n_halves > N_FILES); /* it was killed where it matters */
    assert_true(n_whole > 0);
    assert_true(n > 50);
}

static void a_mount_is_told_from_a_folder(void **state)
{
    (void)state;
    assert_true(datadir_is_mount("/proc"));
    assert_false(datadir_is_mount("/proc/self"));
    assert_false(datadir_is_mount("/no/such/folder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_whole_moves_into_place_and_nothing_else_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_with_files_is_refused_and_not_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_restore_leaves_its_reason_and_can_be_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_restores_at_once_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_half_of_another_restore_is_left_to_a_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restore_that_only_lacked_its_tidying_is_complete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_any_system_call_it_is_whole_or_no_server_starts, set_up, tear_down),
        cmocka_unit_test(a_mount_is_told_from_a_folder),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
