/* test_datadir: a data directory is empty, whole, or such that
 * no server starts on it; also when the restore is killed. */
#include "test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controllers/job/datadir.h"
#include "controllers/job/job.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum { N_FILES = 8, N_OLD = 3 };

struct here {
    char dir[64];
    struct datadir d;
    size_t live;
};

/* ---- a disk with errors: these stand before libc's ---- */

static unsigned readdir_fails_at; /* the n-th call from now; 0: none */
static const char *stuck;         /* no file of this name can be removed */

struct dirent *readdir(DIR *dir)
{
    struct dirent *(*real)(DIR *) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "readdir");
    if (readdir_fails_at && --readdir_fails_at == 0) {
        errno = EIO;
        return NULL;
    }
    return real(dir);
}

int remove(const char *path)
{
    int (*real)(const char *) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "remove");
    if (stuck && strstr(path, stuck)) {
        errno = EBUSY;
        return -1;
    }
    return real(path);
}

static bool no_flags; /* renames have none here, as on NFS */

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    int (*real)(int, const char *, int, const char *, unsigned) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "renameat2");
    if (no_flags) {
        errno = EINVAL;
        return -1;
    }
    return real(from_fd, from, to_fd, to, flags);
}

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

    no_flags = false;
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

static int begin(struct here *h, const char *attempt, bool keep, enum datadir_progress *progress, struct error *e)
{
    struct datadir_options o = {.path = h->dir, .attempt = attempt, .snapshot = "5eed", .keep = keep};

    datadir_done(&h->d);
    return datadir_open(&h->d, &o, progress, e);
}

static void fill(const struct here *h)
{
    char name[64];

    put(h, ".stash-restore/data/ibdata1", "new");
    put(h, ".stash-restore/data/mysql", NULL);
    put(h, ".stash-restore/data/mysql/user.frm", "new");
    for (int i = 0; i < N_FILES; i++) {
        (void)snprintf(name, sizeof(name), ".stash-restore/data/t%d.ibd", i);
        put(h, name, "new");
    }
}

static int finish(struct here *h, struct error *e)
{
    int rc = datadir_ready(&h->d, "ibdata1", e);

    return rc == 0 ? datadir_commit(&h->d, e) : rc;
}

/* What was there: some names are those of new files too. */
static void put_old_into(const struct here *h, const char *folder)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%sibdata1", folder);
    put(h, name, "old");
    (void)snprintf(name, sizeof(name), "%smysql", folder);
    put(h, name, NULL);
    (void)snprintf(name, sizeof(name), "%smysql/user.frm", folder);
    put(h, name, "old");
    for (int i = 0; i < N_OLD; i++) {
        (void)snprintf(name, sizeof(name), "%s%s%d.ibd", folder, i ? "o" : "t", i);
        put(h, name, "old");
    }
}

static void put_old(const struct here *h)
{
    put_old_into(h, "");
}

static bool holds(const struct here *h, const char *folder, const char *name, const char *text)
{
    AUTO_FREE char *path = mem_printf("%s/%s%s", h->dir, folder, name);
    struct buf b;
    struct error e;
    bool same;

    buf_init(&b, 64);
    same = env_uv_read_file(path, &b, &e) == 0 && str_is(buf_str(&b), text);
    buf_done(&b);
    return same;
}

static unsigned count_old(const struct here *h, const char *folder)
{
    char name[16];
    unsigned n = 0;

    for (int i = 0; i < N_OLD; i++) {
        (void)snprintf(name, sizeof(name), i ? "o%d.ibd" : "t%d.ibd", i);
        n += holds(h, folder, name, "old");
    }
    return n + holds(h, folder, "mysql/user.frm", "old");
}

static unsigned count_new(const struct here *h)
{
    char name[16];
    unsigned n = 0;

    for (int i = 0; i < N_FILES; i++) {
        (void)snprintf(name, sizeof(name), "t%d.ibd", i);
        n += holds(h, "", name, "new");
    }
    return n + holds(h, "", "mysql/user.frm", "new");
}

static bool all_old(const struct here *h, const char *folder)
{
    return count_old(h, folder) == N_OLD + 1 && holds(h, folder, "ibdata1", "old");
}

static bool all_new(const struct here *h)
{
    return count_new(h) == N_FILES + 1 && holds(h, "", "ibdata1", "new");
}

static void empty_again(struct here *h)
{
    datadir_done(&h->d);
    job_remove(h->dir);
    assert_int_equal(mkdir(h->dir, 0755), 0);
}

/* The same attempt again, to its end. */
static void go_on(struct here *h, bool keep)
{
    enum datadir_progress progress;
    struct error e = {0};

    assert_int_equal(begin(h, "a", keep, &progress, &e), 0);
    if (progress == DATADIR_EMPTY)
        fill(h);
    if (progress == DATADIR_EMPTY)
        assert_int_equal(finish(h, &e), 0);
    else if (progress == DATADIR_READY)
        assert_int_equal(datadir_commit(&h->d, &e), 0);
    assert_true(all_new(h));
    assert_false(exists(h, ".stash-restore"));
}

static void what_is_whole_moves_into_place_and_nothing_else_stays(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    put(h, "lost+found", NULL);
    assert_int_equal(begin(h, "a", false, &progress, &e), 0);
    assert_int_equal(progress, DATADIR_EMPTY);
    fill(h);
    assert_int_equal(finish(h, &e), 0);
    assert_true(all_new(h));
    assert_true(exists(h, "lost+found"));
    assert_false(exists(h, ".stash-restore"));
    assert_false(exists(h, "stash_kept"));
    assert_false(h->d.has_kept);
    datadir_abandon(&h->d, "too late"); /* has nothing to take away any more */
    assert_true(all_new(h));
}

static void a_directory_with_files_is_refused_and_not_touched(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    put(h, "ibdata1", "precious");
    assert_int_equal(begin(h, "a", false, &progress, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "not empty (it holds ibdata1)"));
    datadir_abandon(&h->d, e.msg);
    assert_true(is_file(h, "ibdata1"));
    assert_false(exists(h, ".stash-restore"));
}

static void with_the_users_word_it_is_kept_aside(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    put_old(h);
    assert_int_equal(begin(h, "a", true, &progress, &e), 0);
    fill(h);
    assert_true(all_old(h, ""));
    assert_int_equal(finish(h, &e), 0);
    assert_true(h->d.has_kept);
    assert_true(all_new(h));
    assert_true(all_old(h, "stash_kept/data/"));
    assert_false(exists(h, "o1.ibd"));
    /* One generation: nobody's data go without a person. */
    assert_int_equal(begin(h, "b", true, &progress, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "keeps the data of before an earlier restore"));
    assert_true(all_new(h));
}

/* A process that holds a lock on the system tablespace in place, as a server does. */
static pid_t start_server(const struct here *h)
{
    AUTO_FREE char *path = mem_printf("%s/ibdata1", h->dir);
    int ready[2];
    pid_t server;
    char byte;

    assert_int_equal(pipe(ready), 0);
    server = fork(); /* a lock of our own would not count */
    if (server == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR | O_CLOEXEC);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(h->d.lock_fd); /* else the restore's lock is the server's too */
        if (fcntl(fd, F_SETLK, &lock) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return server;
}

static void stop_server(pid_t server)
{
    int status;

    (void)kill(server, SIGKILL);
    assert_int_equal(waitpid(server, &status, 0), server);
}

static void data_that_a_server_holds_are_not_kept_aside(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;
    pid_t server;

    put_old(h);
    server = start_server(h);
    assert_int_equal(begin(h, "a", true, &progress, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.msg, "a database server is running on"));
    stop_server(server);
    assert_int_equal(begin(h, "a", true, &progress, &e), 0);
}

/* The volume was empty when the restore began; hours later it is not. */
static void what_came_while_it_was_fetched_is_refused_and_not_touched(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    assert_int_equal(begin(h, "a", false, &progress, &e), 0);
    fill(h);
    put_old(h);
    assert_int_equal(finish(h, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "is not empty (it holds "));
    datadir_abandon(&h->d, e.msg);
    assert_true(all_old(h, ""));
    assert_false(exists(h, "stash_kept"));
    assert_false(exists(h, ".stash-restore/data"));
}

static void a_server_that_started_meanwhile_keeps_its_files(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;
    pid_t server;

    assert_int_equal(begin(h, "a", true, &progress, &e), 0);
    fill(h);
    put_old(h);
    server = start_server(h);
    assert_int_equal(finish(h, &e), ERR_CONFLICT);
    assert_true(all_old(h, ""));
    assert_false(exists(h, "stash_kept"));
    /* The same when it had begun to keep, but had not come to the system tablespace. */
    put(h, ".stash-restore/state", "{\"attempt\": \"a\", \"phase\": \"keeping\", \"guard\": \"ibdata1\"}");
    assert_int_equal(begin(h, "a", true, &progress, &e), 0);
    assert_int_equal(progress, DATADIR_READY);
    assert_int_equal(datadir_commit(&h->d, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.msg, "(it holds ibdata1): stop it first"));
    assert_true(all_old(h, ""));
    stop_server(server);
    go_on(h, true);
    assert_true(all_old(h, "stash_kept/data/"));
}

static void a_failed_restore_leaves_its_reason_and_can_be_repeated(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    assert_int_equal(begin(h, "a", false, &progress, &e), 0);
    fill(h);
    assert_int_equal(datadir_ready(&h->d, "nothing", &e), ERR_INVALID); /* no such system tablespace */
    datadir_abandon(&h->d, "no tablespace");
    assert_int_equal(count_new(h), 0);
    assert_true(is_file(h, ".stash-restore/state"));
    assert_false(exists(h, ".stash-restore/data"));
    assert_int_equal(begin(h, "another", false, &progress, &e), 0); /* any restore may come after it */
    put(h, "ibdata1", "a server was here");
    assert_int_equal(begin(h, "a", false, &progress, &e), ERR_INVALID); /* unless something is there now */
    datadir_abandon(&h->d, "x");
    assert_true(is_file(h, "ibdata1"));
}

static void two_restores_at_once_are_refused(void **state)
{
    struct here *h = *state;
    struct datadir_options o = {.path = h->dir, .attempt = "a"};
    enum datadir_progress progress;
    struct datadir second;
    struct error e;

    assert_int_equal(begin(h, "a", false, &progress, &e), 0);
    fill(h);
    assert_int_equal(datadir_open(&second, &o, &progress, &e), ERR_CONFLICT);
    datadir_abandon(&second, "x");
    datadir_done(&second);
    assert_true(exists(h, ".stash-restore/data/ibdata1"));
}

static void a_stage_that_is_ready_is_not_fetched_again(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    AUTO_FREE char *pinned = NULL, *of_other = NULL;
    struct error e;

    assert_int_equal(begin(h, "a", false, &progress, &e), 0);
    fill(h);
    assert_int_equal(datadir_ready(&h->d, "ibdata1", &e), 0);
    pinned = datadir_snapshot(h->dir, "a");
    of_other = datadir_snapshot(h->dir, "b");
    assert_string_equal(pinned, "5eed");
    assert_null(of_other);
    assert_int_equal(begin(h, "a", false, &progress, &e), 0);
    assert_int_equal(progress, DATADIR_READY);
    assert_int_equal(datadir_commit(&h->d, &e), 0);
    assert_true(all_new(h));
    assert_int_equal(begin(h, "a", false, &progress, &e), 0); /* its Job runs once more */
    assert_int_equal(progress, DATADIR_COMPLETE);
    assert_false(exists(h, ".stash-restore"));
    assert_int_equal(begin(h, "b", false, &progress, &e), ERR_INVALID);
}

static void a_stage_of_another_attempt_is_not_taken(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    assert_int_equal(begin(h, "a", false, &progress, &e), 0);
    fill(h);
    assert_int_equal(datadir_ready(&h->d, "ibdata1", &e), 0);
    assert_int_equal(begin(h, "b", false, &progress, &e), 0);
    assert_int_equal(progress, DATADIR_EMPTY);
    assert_false(exists(h, ".stash-restore/data/ibdata1"));
}

static void a_move_that_fails_brings_back_what_was_there(void **state)
{
    struct here *h = *state;
    AUTO_FREE char *trap = mem_printf("%s/.stash-restore/data/ibdata1", h->dir);
    enum datadir_progress progress;
    struct error e;

    put_old(h);
    assert_int_equal(begin(h, "a", true, &progress, &e), 0);
    fill(h);
    assert_int_equal(datadir_ready(&h->d, "ibdata1", &e), 0);
    assert_int_equal(unlink(trap), 0);
    assert_int_equal(datadir_commit(&h->d, &e), ERR_INVALID);
    assert_true(all_old(h, "stash_kept/data/"));
    datadir_abandon(&h->d, e.msg);
    assert_true(all_old(h, ""));
    assert_int_equal(count_new(h), 0);
    assert_false(exists(h, "stash_kept"));
}

/* Runs a step in a child that is killed at its n-th system call. False: it had ended before. */
static bool killed_at(struct here *h, int (*step)(struct here *, struct error *), unsigned n)
{
    struct error e;
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        _exit(step(h, &e) == 0 ? 0 : 1);
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

    for (bool killed = true; killed; n++) {
        enum datadir_progress progress;
        struct error e;

        assert_int_equal(begin(h, "a", false, &progress, &e), 0);
        fill(h);
        killed = killed_at(h, finish, n);
        n_halves += count_new(h) && count_new(h) < N_FILES;
        n_whole += killed && is_file(h, "ibdata1");
        if (is_file(h, "ibdata1")) /* a server could start: all must be there */
            assert_true(all_new(h));
        else if (count_new(h)) /* a server must not start: its place is taken */
            assert_true(exists(h, "ibdata1"));
        go_on(h, false);
        empty_again(h);
    }
    assert_true(n_halves > N_FILES); /* it was killed where it matters */
    assert_true(n_whole > 0);
    assert_true(n > 50);
}

static void killed_at_any_system_call_nothing_of_before_is_lost(void **state)
{
    struct here *h = *state;
    unsigned n_taken_back = 0, n = 1;

    for (bool killed = true; killed; n++) {
        enum datadir_progress progress;
        struct error e;

        put_old(h);
        assert_int_equal(begin(h, "a", true, &progress, &e), 0);
        fill(h);
        killed = killed_at(h, finish, n);
        assert_int_equal(count_old(h, "") + count_old(h, "stash_kept/data/"), N_OLD + 1);
        if (is_file(h, "ibdata1")) /* a server could start: on the one or on the other */
            assert_true(all_old(h, "") ? !holds(h, "", "t1.ibd", "new") : all_new(h));
        else
            assert_true(exists(h, "ibdata1"));
        if (n % 2) {
            go_on(h, true);
            assert_true(all_old(h, "stash_kept/data/"));
        } else if (!is_file(h, "ibdata1") || all_old(h, "")) { /* another restore, which may keep nothing */
            n_taken_back += !is_file(h, "ibdata1");
            assert_int_equal(begin(h, "b", false, &progress, &e), ERR_INVALID);
            assert_non_null(strstr(e.msg, "not empty"));
            assert_true(all_old(h, ""));
            assert_false(holds(h, "", "t1.ibd", "new"));
            assert_false(exists(h, "stash_kept"));
        }
        empty_again(h);
    }
    assert_true(n_taken_back > N_FILES);
    assert_true(n > 50);
}

static int open_as_another(struct here *h, struct error *e)
{
    enum datadir_progress progress;

    return begin(h, "b", false, &progress, e) == ERR_INVALID ? 0 : -1;
}

/* As an attempt leaves it that is killed when half of the new files are in place. */
static void put_half(const struct here *h)
{
    char name[64];

    put(h, ".stash-restore", NULL);
    put(h, ".stash-restore/state", "{\"attempt\": \"a\", \"phase\": \"moving\", \"guard\": \"ibdata1\"}");
    put(h, "ibdata1", NULL);
    put(h, "stash_kept/data", NULL);
    put_old_into(h, "stash_kept/data/");
    for (int i = 0; i < N_FILES; i++) {
        (void)snprintf(name, sizeof(name), "%st%d.ibd", i % 2 ? ".stash-restore/data/" : "", i);
        put(h, ".stash-restore/data", NULL);
        put(h, name, "new");
    }
    put(h, ".stash-restore/data/ibdata1", "new");
}

static void killed_at_any_system_call_the_way_back_is_gone_to_its_end(void **state)
{
    struct here *h = *state;
    unsigned n = 1;

    for (bool killed = true; killed; n++) {
        enum datadir_progress progress;
        struct error e;

        put_half(h);
        killed = killed_at(h, open_as_another, n);
        if (is_file(h, "ibdata1"))
            assert_true(all_old(h, ""));
        assert_int_equal(count_old(h, "") + count_old(h, "stash_kept/data/"), N_OLD + 1);
        assert_int_equal(begin(h, "c", false, &progress, &e), ERR_INVALID);
        assert_true(all_old(h, ""));
        assert_false(exists(h, "stash_kept"));
        empty_again(h);
    }
    assert_true(n > 50);
}

static void put_state(const struct here *h, const char *phase)
{
    AUTO_FREE char *text = mem_printf("{\"attempt\": \"a\", \"phase\": \"%s\", \"guard\": \"ibdata1\"}", phase);

    put(h, ".stash-restore", NULL);
    put(h, ".stash-restore/state", text);
}

static void a_folder_that_cannot_be_read_to_its_end_loses_nothing(void **state)
{
    struct here *h = *state;
    unsigned n = 1;

    for (bool failed = true; failed; n++) {
        enum datadir_progress progress;
        struct error e;

        put_old(h);
        assert_int_equal(begin(h, "a", true, &progress, &e), 0);
        fill(h);
        readdir_fails_at = n;
        failed = finish(h, &e) < 0;
        assert_true(failed == (readdir_fails_at == 0));
        readdir_fails_at = 0;
        assert_int_equal(count_old(h, "") + count_old(h, "stash_kept/data/"), N_OLD + 1);
        go_on(h, true);
        assert_true(all_old(h, "stash_kept/data/"));
        empty_again(h);
    }
    assert_true(n > N_FILES + N_OLD);
}

static void nor_does_the_way_back(void **state)
{
    struct here *h = *state;
    unsigned n = 1;

    for (bool failed = true; failed; n++) {
        enum datadir_progress progress;
        struct error e;

        put_half(h);
        readdir_fails_at = n;
        assert_true(begin(h, "b", false, &progress, &e) < 0);
        failed = readdir_fails_at == 0;
        assert_true(failed == (strstr(e.msg, "Input/output error") != NULL));
        readdir_fails_at = 0;
        assert_int_equal(begin(h, "c", false, &progress, &e), ERR_INVALID);
        assert_true(all_old(h, ""));
        assert_false(exists(h, "t2.ibd"));
        assert_false(exists(h, "stash_kept"));
        empty_again(h);
    }
    assert_true(n > N_FILES);
}

static void what_cannot_be_removed_is_not_taken_for_old_data(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    put_half(h);
    stuck = "/t2.ibd";
    assert_int_equal(begin(h, "b", false, &progress, &e), ERR_INVALID);
    stuck = NULL;
    assert_non_null(strstr(e.msg, "t2.ibd: Device or resource busy"));
    assert_true(all_old(h, "stash_kept/data/"));
    assert_false(is_file(h, "ibdata1"));
    assert_int_equal(begin(h, "b", false, &progress, &e), ERR_INVALID);
    assert_true(all_old(h, ""));
    assert_false(exists(h, "t2.ibd"));
}

static void a_mark_that_stayed_behind_completes_nothing(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    put_state(h, "undoing");
    put(h, "ibdata1", NULL);
    put(h, DATADIR_MARK, "{\"attempt\": \"a\"}");
    put(h, "stash_kept/data", NULL);
    put(h, "stash_kept/data/ibdata1", "old");
    assert_int_equal(begin(h, "a", true, &progress, &e), 0);
    assert_int_equal(progress, DATADIR_EMPTY);
    assert_true(holds(h, "", "ibdata1", "old"));
}

static void what_a_server_made_since_does_not_replace_what_is_kept(void **state)
{
    struct here *h = *state;
    AUTO_FREE char *path = mem_printf("%s/o1.ibd", h->dir);
    enum datadir_progress progress;
    struct error e;

    put_state(h, "keeping");
    put(h, ".stash-restore/data", NULL);
    fill(h);
    put(h, "ibdata1", NULL);
    put(h, "stash_kept/data", NULL);
    put_old_into(h, "stash_kept/data/");
    put(h, "o1.ibd", "since");
    assert_int_equal(begin(h, "a", true, &progress, &e), 0);
    assert_int_equal(progress, DATADIR_READY);
    assert_int_equal(datadir_commit(&h->d, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.msg, "/o1.ibd is there twice"));
    datadir_abandon(&h->d, e.msg);
    assert_true(holds(h, "", "o1.ibd", "since"));
    assert_int_equal(count_old(h, "") + count_old(h, "stash_kept/data/"), N_OLD + 1);
    assert_int_equal(unlink(path), 0); /* as the message says */
    go_on(h, true);
    assert_true(all_old(h, "stash_kept/data/"));
}

static void nor_where_renames_have_no_flags(void **state)
{
    no_flags = true;
    what_a_server_made_since_does_not_replace_what_is_kept(state);
}

static void a_servers_own_tablespace_completes_no_move(void **state)
{
    struct here *h = *state;
    AUTO_FREE char *path = mem_printf("%s/ibdata1", h->dir);
    enum datadir_progress progress;
    struct error e;

    put_state(h, "moving");
    put(h, ".stash-restore/data", NULL);
    fill(h);
    put(h, "ibdata1", "of a server");
    assert_int_equal(begin(h, "a", false, &progress, &e), 0);
    assert_int_equal(progress, DATADIR_READY);
    assert_int_equal(datadir_commit(&h->d, &e), ERR_CONFLICT);
    datadir_abandon(&h->d, e.msg);
    assert_true(holds(h, "", "ibdata1", "of a server"));
    assert_int_equal(unlink(path), 0);
    go_on(h, false);
}

static void a_backup_may_have_the_names_of_our_folders(void **state)
{
    struct here *h = *state;
    enum datadir_progress progress;
    struct error e;

    put_old(h);
    put(h, "lost+found", NULL);
    assert_int_equal(begin(h, "a", true, &progress, &e), 0);
    fill(h);
    put(h, ".stash-restore/data/lost+found", NULL);
    put(h, ".stash-restore/data/stash_kept", NULL);
    put(h, ".stash-restore/data/stash_kept/db.opt", "");
    assert_int_equal(finish(h, &e), 0);
    assert_true(all_new(h));
    assert_true(all_old(h, "stash_kept/data/"));
    assert_false(exists(h, "stash_kept/db.opt"));
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
        cmocka_unit_test_setup_teardown(with_the_users_word_it_is_kept_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(data_that_a_server_holds_are_not_kept_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_came_while_it_was_fetched_is_refused_and_not_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_started_meanwhile_keeps_its_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_restore_leaves_its_reason_and_can_be_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_restores_at_once_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stage_that_is_ready_is_not_fetched_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stage_of_another_attempt_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_move_that_fails_brings_back_what_was_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_any_system_call_it_is_whole_or_no_server_starts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_any_system_call_nothing_of_before_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_any_system_call_the_way_back_is_gone_to_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_read_to_its_end_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nor_does_the_way_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_removed_is_not_taken_for_old_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mark_that_stayed_behind_completes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_server_made_since_does_not_replace_what_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nor_where_renames_have_no_flags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_servers_own_tablespace_completes_no_move, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_backup_may_have_the_names_of_our_folders, set_up, tear_down),
        cmocka_unit_test(a_mount_is_told_from_a_folder),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
