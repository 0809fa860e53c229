/* test_unpack: a stream's files on disk are what the stream says, or the restore ends there. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_xbstream.h"
#include "controllers/job/job.h"
#include "controllers/job/unpack.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

static char folder[] = "/tmp/test-unpack-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    buf_init(&stream, 1 << 20);
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    job_remove(folder);
    buf_done(&stream);
    return mem_live() ? -1 : 0;
}

/* All of the stream, in pieces of step bytes; 0: in one. */
static int unpack_all(size_t step, struct error *e)
{
    struct xbstream *x = xbstream_new();
    struct unpack *u;
    int rc = unpack_new(folder, &u, e);

    assert_int_equal(rc, 0);
    xbstream_set_sink(x, unpack_sink(u));
    for (size_t i = 0; i < stream.len && rc == 0; i += step ? step : stream.len)
        rc = xbstream_feed(x, stream.data + i, step && step < stream.len - i ? step : stream.len - i, e);
    if (rc == 0)
        rc = xbstream_end(x, e);
    xbstream_free(x);
    unpack_free(u);
    return rc;
}

static void assert_file(const char *name, const char *text)
{
    AUTO_FREE char *path = mem_printf("%s/%s", folder, name);
    struct buf have;
    struct error e;

    buf_init(&have, 1 << 20);
    if (env_uv_read_file(path, &have, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(have.data, text);
    buf_done(&have);
}

static void assert_refused(const char *because)
{
    struct error e = {0};

    assert_int_equal(unpack_all(0, &e), ERR_INVALID);
    if (!strstr(e.msg, because))
        fail_msg("refused with '%s', expected '%s'", e.msg, because);
}

static void files_come_out_as_they_went_in_however_the_stream_is_cut(void **state)
{
    struct error e;

    put_payload("ibdata1", 0, "first part, ");
    put_payload("d/t.ibd", 0, "page");
    put_payload("ibdata1", 12, "second part");
    put_head('E', "ibdata1");
    put_head('E', "d/t.ibd");
    put_head('E', "d/deep/empty");
    for (size_t step = 0; step < 40; step++) {
        if (unpack_all(step, &e) < 0)
            fail_msg("pieces of %zu: %s", step, e.msg);
        assert_file("ibdata1", "first part, second part");
        assert_file("d/t.ibd", "page");
        assert_file("d/deep/empty", "");
        job_remove(folder);
        assert_int_equal(mkdir(folder, 0700), 0);
    }
    (void)state;
}

static void more_files_at_a_time_than_stay_open(void **state)
{
    enum { FILES = 100 };
    char name[16];
    struct error e;

    for (uint64_t part = 0; part < 3; part++)
        for (int i = 0; i < FILES; i++) {
            (void)snprintf(name, sizeof(name), "t%d", i);
            put_payload(name, part * 2, part == 0 ? "a," : part == 1 ? "b," : "c");
        }
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        put_head('E', name);
    }
    assert_int_equal(unpack_all(0, &e), 0);
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        assert_file(name, "a,b,c");
    }
    (void)state;
}

static void a_file_that_is_there_is_not_written_over(void **state)
{
    AUTO_FREE char *path = mem_printf("%s/ibdata1", folder);

    (void)state;
    assert_int_equal(env_uv_write_file(path, STR("another's"), 0600, false, NULL), 0);
    put_file("ibdata1", "x");
    assert_refused("make ibdata1: File exists");
    assert_file("ibdata1", "another's");
}

static void a_link_is_not_followed(void **state)
{
    AUTO_FREE char *path = mem_printf("%s/ibdata1", folder), *aim = mem_printf("%s/aim", folder);

    (void)state;
    assert_int_equal(symlink(aim, path), 0);
    put_file("ibdata1", "x");
    assert_refused("make ibdata1: File exists");
    assert_int_equal(access(aim, F_OK), -1);
}

static void a_file_in_place_of_a_folder_is_an_error(void **state)
{
    (void)state;
    put_file("d", "x");
    put_file("d/t.ibd", "x");
    assert_refused("make d/t.ibd: Not a directory");
}

static void a_disk_that_takes_no_more_is_told_with_the_files_name(void **state)
{
    struct rlimit before, small;

    (void)state;
    put_file("small", "1");
    put_file("d/big.ibd", "0123456789");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 4, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_refused("write d/big.ibd: File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void sparse_chunks_are_left_to_perconas_program(void **state)
{
    (void)state;
    put_head('S', "d/t.ibd");
    put_number(0, 4);
    put_number(0, 8);
    put_number(0, 8);
    put_number(0, 4);
    assert_refused("a sparse chunk at byte 0");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        T(files_come_out_as_they_went_in_however_the_stream_is_cut),
        T(more_files_at_a_time_than_stay_open),
        T(a_file_that_is_there_is_not_written_over),
        T(a_link_is_not_followed),
        T(a_file_in_place_of_a_folder_is_an_error),
        T(a_disk_that_takes_no_more_is_told_with_the_files_name),
        T(sparse_chunks_are_left_to_perconas_program),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
