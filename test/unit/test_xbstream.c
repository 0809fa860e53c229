/* test_xbstream: what is a complete backup and what is not (datapath.md 3, datapath-percona.md 4). */
#include "test.h"

#include <stdlib.h>

#include "support_xbstream.h"
#include "controllers/job/xbstream.h"
#include "core/base/mem.h"

static const struct xbstream_options mariadb = {.flavour = XBSTREAM_MARIADB, .galera = true};
static const struct xbstream_options alone = {.flavour = XBSTREAM_MARIADB};
static const struct xbstream_options percona57 = {.flavour = XBSTREAM_PERCONA_57};
static const struct xbstream_options percona80 = {.flavour = XBSTREAM_PERCONA_80};

/* A backup as mariadb-backup writes it, in small; files of the body interleave. */
static void put_mariadb(void)
{
    put_payload("ibdata1", 0, "first part, ");
    put_payload("d/t.ibd", 0, "page");
    put_payload("ibdata1", 12, "second part");
    put_head('E', "ibdata1");
    put_head('E', "d/t.ibd");
    put_head('E', "empty");
    put_file("xtrabackup_galera_info", "73e229dd-e717-11f1-abe5-5a65c35de646:1013 1\n");
    put_file("xtrabackup_checkpoints", "backup_type = full-backuped\n");
    put_file("backup-my.cnf", "[mysqld]\n");
    put_file("xtrabackup_info", "server_version = 10.11.19-MariaDB\n");
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&stream, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_done(&stream);
    return mem_live() ? -1 : 0;
}

/* The verdict on the first n bytes; step 0: in one piece. */
static int verdict_of(size_t n, size_t step, const struct xbstream_options *o, struct error *e)
{
    struct xbstream *x = xbstream_new();
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i += step ? step : n)
        rc = xbstream_feed(x, stream.data + i, step && step < n - i ? step : n - i, e);
    if (rc == 0)
        rc = xbstream_complete(x, o, e);
    xbstream_free(x);
    return rc;
}

static void assert_refused(const struct xbstream_options *o, const char *because)
{
    struct error e = {0};

    assert_int_equal(verdict_of(stream.len, 0, o, &e), ERR_INVALID);
    if (!strstr(e.msg, because))
        fail_msg("refused with '%s', expected '%s'", e.msg, because);
}

static void assert_complete(const struct xbstream_options *o)
{
    struct error e = {0};

    if (verdict_of(stream.len, 0, o, &e) != 0)
        fail_msg("refused: %s", e.msg);
}

static void a_whole_backup_is_complete_however_it_is_cut(void **state)
{
    struct error e = {0};

    (void)state;
    put_mariadb();
    for (size_t step = 0; step < 64; step++)
        assert_int_equal(verdict_of(stream.len, step, &mariadb, &e), 0);
}

static void a_name_that_mbstream_refuses_is_no_backup(void **state)
{
    (void)state;
    put_file(".snapshot/db.opt", "");
    put_mariadb();
    assert_refused(&mariadb, "the stream has '.snapshot/db.opt', and mbstream extracts no name that begins with a dot");
}

static void no_proper_prefix_is_complete(void **state)
{
    struct error e = {0};

    (void)state;
    put_mariadb();
    for (size_t n = 0; n < stream.len; n++) {
        assert_int_equal(verdict_of(n, 0, &mariadb, &e), ERR_INVALID);
        assert_int_equal(verdict_of(n, 0, &alone, &e), ERR_INVALID);
    }
}

static void each_flipped_bit_is_seen(void **state)
{
    struct error e = {0};
    unsigned passed = 0;

    (void)state;
    put_mariadb();
    for (size_t bit = 0; bit < stream.len * 8; bit++) {
        stream.data[bit / 8] = (char)(stream.data[bit / 8] ^ 1 << bit % 8);
        passed += verdict_of(stream.len, 0, &mariadb, &e) == 0;
        stream.data[bit / 8] = (char)(stream.data[bit / 8] ^ 1 << bit % 8);
    }
    /* Only a changed letter in a name that has an end chunk and nothing else goes unseen: of "empty", 40 bits, those
     * that leave a safe path other than '/' in front. Nothing in the format covers it. */
    assert_true(passed <= 40);
    assert_true(passed > 30);
}

static void texts_of_the_small_files_are_kept(void **state)
{
    struct xbstream *x = xbstream_new();
    struct error e;

    (void)state;
    put_mariadb();
    assert_int_equal(xbstream_feed(x, stream.data, stream.len, &e), 0);
    assert_true(str_is(xbstream_text(x, "xtrabackup_info"), "server_version = 10.11.19-MariaDB\n"));
    assert_null(xbstream_text(x, "sst_info").p);
    assert_int_equal(xbstream_files(x), 7);
    assert_int_equal(xbstream_chunks(x), 14);
    assert_int_equal(xbstream_bytes(x), stream.len);
    assert_string_equal(xbstream_last(x), "xtrabackup_info");
    xbstream_free(x);
}

static void a_backup_of_one_server_needs_no_galera_position(void **state)
{
    (void)state;
    put_file("xtrabackup_checkpoints", "x");
    put_file("backup-my.cnf", "x");
    put_file("xtrabackup_info", "x");
    assert_complete(&alone);
    assert_refused(&mariadb, "no xtrabackup_galera_info");
}

static void the_new_names_of_mariadb_11_are_known(void **state)
{
    (void)state;
    put_file("mariadb_backup_galera_info", "x");
    put_file("mariadb_backup_checkpoints", "x");
    put_file("backup-my.cnf", "x");
    put_file("mariadb_backup_info", "x");
    assert_complete(&mariadb);
}

static void mariadb_ends_with_its_info_file_and_percona_need_not(void **state)
{
    (void)state;
    put_file("xtrabackup_info.zst", "x");
    put_file("xtrabackup_galera_info", "x");
    put_file("xtrabackup_checkpoints", "x");
    put_file("backup-my.cnf.qp.xbcrypt", "x");
    assert_refused(&mariadb, "last file is 'backup-my.cnf.qp.xbcrypt'");
    assert_complete(&percona57);
    assert_refused(&percona80, "no xtrabackup_tablespaces");
    put_file("xtrabackup_tablespaces.lz4", "x");
    assert_complete(&percona80);
}

static void encrypted_tables_need_their_keys(void **state)
{
    struct xbstream_options with_key = percona57;

    (void)state;
    with_key.transition_key = true;
    put_file("xtrabackup_info", "x");
    put_file("xtrabackup_checkpoints", "x");
    put_file("backup-my.cnf", "x");
    assert_complete(&percona57);
    assert_refused(&with_key, "no xtrabackup_keys");
    put_file("xtrabackup_keys", "x");
    assert_complete(&with_key);
}

static void a_describing_file_in_a_folder_does_not_count(void **state)
{
    (void)state;
    put_file("db/xtrabackup_info", "x");
    put_file("xtrabackup_checkpoints", "x");
    put_file("backup-my.cnf", "x");
    assert_refused(&percona57, "no xtrabackup_info");
}

static void sparse_chunks_skip_their_holes(void **state)
{
    (void)state;
    put_head('S', "d/t.ibd");
    put_number(3, 4);
    put_number(5, 8);
    put_number(0, 8);
    put_number(0, 4);
    put_number(100, 4), put_number(2, 4);
    put_number(200, 4), put_number(3, 4);
    put_number(300, 4), put_number(0, 4); /* a hole at the end */
    buf_puts(&stream, "abcde");
    put_payload("d/t.ibd", 605, "tail");
    put_head('E', "d/t.ibd");
    put_file("xtrabackup_checkpoints", "x");
    put_file("backup-my.cnf", "x");
    put_file("xtrabackup_info", "x");
    put_file("xtrabackup_tablespaces", "x");
    assert_complete(&percona80);
}

static void a_sparse_map_that_does_not_fit_its_payload_is_refused(void **state)
{
    (void)state;
    put_head('S', "t");
    put_number(1, 4);
    put_number(5, 8);
    put_number(0, 8);
    put_number(0, 4);
    put_number(0, 4), put_number(4, 4);
    buf_puts(&stream, "abcde");
    assert_refused(&percona80, "map of a sparse chunk of 't' has 4 bytes, its payload 5");
}

static void gaps_and_repeats_are_refused(void **state)
{
    (void)state;
    put_payload("t", 0, "abc");
    put_payload("t", 4, "abc");
    assert_refused(&mariadb, "a gap in 't': offset 4, expected 3");
    buf_clear(&stream);
    put_file("t", "abc");
    put_payload("t", 3, "abc");
    assert_refused(&mariadb, "a chunk of 't' after its end");
}

static void paths_that_leave_the_folder_are_refused(void **state)
{
    static const char *const paths[] = {"/etc/passwd", "../x", "a/../../x", "a/.."};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        buf_clear(&stream);
        put_file(paths[i], "x");
        assert_refused(&mariadb, "unsafe path");
    }
}

static void a_donor_that_died_on_a_boundary_is_seen(void **state)
{
    (void)state;
    put_payload("ib_logfile0", 0, "redo");
    put_file("ibdata1", "x");
    assert_refused(&mariadb, "'ib_logfile0' (of 1 open files) has no end");
}

static void what_is_no_xbstream_is_refused_at_its_first_byte(void **state)
{
    struct xbstream *x = xbstream_new();
    struct error e;

    (void)state;
    assert_int_equal(xbstream_feed(x, "Salted__", 8, &e), ERR_INVALID);
    assert_string_equal(e.msg, "no xbstream chunk at byte 0");
    assert_int_equal(xbstream_feed(x, "XBSTCK01", 8, &e), ERR_INVALID); /* it sticks */
    xbstream_free(x);
    assert_refused(&mariadb, "the stream is empty");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        T(a_whole_backup_is_complete_however_it_is_cut),
        T(a_name_that_mbstream_refuses_is_no_backup),
        T(no_proper_prefix_is_complete),
        T(each_flipped_bit_is_seen),
        T(texts_of_the_small_files_are_kept),
        T(a_backup_of_one_server_needs_no_galera_position),
        T(the_new_names_of_mariadb_11_are_known),
        T(mariadb_ends_with_its_info_file_and_percona_need_not),
        T(encrypted_tables_need_their_keys),
        T(a_describing_file_in_a_folder_does_not_count),
        T(sparse_chunks_skip_their_holes),
        T(a_sparse_map_that_does_not_fit_its_payload_is_refused),
        T(gaps_and_repeats_are_refused),
        T(paths_that_leave_the_folder_are_refused),
        T(a_donor_that_died_on_a_boundary_is_seen),
        T(what_is_no_xbstream_is_refused_at_its_first_byte),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
