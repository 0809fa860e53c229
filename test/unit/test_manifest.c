/* test_manifest: what a backup's file says of itself is true to the bit, and there when the file is whole. */
#include "test.h"

#include <stdlib.h>

#include "support_xbstream.h"
#include "controllers/job/dump_scan.h"
#include "controllers/job/manifest.h"
#include "controllers/job/xbstream.h"
#include "core/base/mem.h"

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

static void put_stream(void)
{
    put_file("ibdata1", "pages");
    put_file("xtrabackup_galera_info", "73e229dd-e717-11f1-abe5-5a65c35de646:1013 1\n");
    put_file("xtrabackup_checkpoints", "backup_type = full-backuped\n");
    put_file("backup-my.cnf", "[mysqld]\n");
    put_file("xtrabackup_info", "server_version = 10.11.19-MariaDB\n");
}

static void put_dump(void)
{
    buf_puts(&stream, "CREATE TABLE `t` (i int);\nINSERT INTO `t` VALUES (1),(2);\n-- Dump completed on 2026-03-01\n");
}

static void put_manifest(bool is_dump)
{
    struct manifest m = {.is_dump = is_dump,
                         .server = "10.11.19-MariaDB-log",
                         .donor = "n2",
                         .requested = "73e229dd-e717-11f1-abe5-5a65c35de646:744",
                         .position = "73e229dd-e717-11f1-abe5-5a65c35de646:1013 1",
                         .binlog = "binlog.000002 1087 1-1-1011",
                         .tools = "stash-job 1, restic 0.14.0, mariadb-backup 10.11.19-MariaDB",
                         .bytes = stream.len,
                         .files = 5,
                         .chunks = 10,
                         .tables = 1,
                         .rows = 2,
                         .began_s = 1772323200,
                         .seconds = 14};

    str_sha256_hex(buf_str(&stream), m.sha256);
    manifest_format(&m, &stream);
}

struct body {
    uint64_t bytes;
    struct xbstream *x;
};

static int on_body(void *ctx, struct str bytes, struct error *e)
{
    struct body *b = ctx;

    b->bytes += bytes.n;
    return b->x ? xbstream_feed(b->x, bytes.p, bytes.n, e) : 0;
}

/* The reader's verdict on the first n bytes, in pieces of step (0: in one). */
static int read_file(size_t n, size_t step, bool is_dump, bool required, bool *found, struct manifest *m,
                     uint64_t *ret_body, struct error *e)
{
    struct body body = {0};
    struct manifest_reader *r = manifest_reader_new(is_dump, on_body, &body);
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i += step ? step : n)
        rc = manifest_feed(r, (struct str){stream.data + i, step && step < n - i ? step : n - i}, e);
    if (rc == 0)
        rc = manifest_end(r, required, found, m, e);
    manifest_reader_free(r);
    *ret_body = body.bytes;
    return rc;
}

/* As a restore does it: the manifest, then the stream itself. */
static int restore_verdict(size_t n, bool required)
{
    static const struct xbstream_options options = {.flavour = XBSTREAM_MARIADB, .galera = true};
    struct body body = {.x = xbstream_new()};
    struct manifest_reader *r = manifest_reader_new(false, on_body, &body);
    struct manifest m;
    struct error e = {0};
    bool found;
    int rc = manifest_feed(r, (struct str){stream.data, n}, &e);

    if (rc == 0)
        rc = manifest_end(r, required, &found, &m, &e);
    if (rc == 0)
        rc = xbstream_complete(body.x, &options, &e);
    manifest_reader_free(r);
    xbstream_free(body.x);
    return rc;
}

static void what_is_written_is_read_however_it_is_cut(void **state)
{
    struct error e = {0};

    (void)state;
    for (int is_dump = 0; is_dump < 2; is_dump++) {
        size_t body;

        buf_clear(&stream);
        if (is_dump)
            put_dump();
        else
            put_stream();
        body = stream.len;
        put_manifest(is_dump);
        assert_int_equal(stream.len, body + MANIFEST_BYTES);
        for (size_t step = 0; step < 300; step += 1 + step / 8) {
            struct manifest m;
            bool found = false;
            uint64_t n = 0;

            assert_int_equal(read_file(stream.len, step, is_dump, true, &found, &m, &n, &e), 0);
            assert_true(found);
            assert_int_equal(n, body);
            assert_int_equal(m.bytes, body);
            assert_string_equal(m.donor, "n2");
            assert_string_equal(m.requested, "73e229dd-e717-11f1-abe5-5a65c35de646:744");
            assert_string_equal(m.binlog, "binlog.000002 1087 1-1-1011");
            assert_int_equal(m.seconds, 14);
            assert_int_equal(is_dump ? m.rows : m.chunks, is_dump ? 2 : 10);
        }
    }
}

static void a_file_of_an_older_version_has_none(void **state)
{
    struct manifest m;
    struct error e = {0};
    bool found = true;
    uint64_t n = 0;

    (void)state;
    put_stream();
    assert_int_equal(read_file(stream.len, 7, false, false, &found, &m, &n, &e), 0);
    assert_false(found);
    assert_int_equal(n, stream.len); /* all of it went on */
    assert_int_equal(read_file(stream.len, 7, false, true, &found, &m, &n, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "does not end with its manifest"));
    assert_int_equal(read_file(0, 0, false, false, &found, &m, &n, &e), 0);
}

static void each_flipped_bit_and_each_cut_of_a_stream_is_seen(void **state)
{
    (void)state;
    put_stream();
    put_manifest(false);
    assert_int_equal(restore_verdict(stream.len, true), 0);
    for (size_t bit = 0; bit < stream.len * 8; bit++) {
        stream.data[bit / 8] = (char)(stream.data[bit / 8] ^ 1 << bit % 8);
        assert_int_not_equal(restore_verdict(stream.len, true), 0);
        if (bit % 5 == 0) /* somebody took the tag away */
            assert_int_not_equal(restore_verdict(stream.len, false), 0);
        stream.data[bit / 8] = (char)(stream.data[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n < stream.len; n++)
        assert_int_not_equal(restore_verdict(n, true), 0);
}

static void each_flipped_bit_and_each_cut_of_a_dump_is_seen(void **state)
{
    struct manifest m;
    struct error e;
    bool found;
    uint64_t body;

    (void)state;
    put_dump();
    put_manifest(true);
    assert_int_equal(read_file(stream.len, 0, true, true, &found, &m, &body, &e), 0);
    for (size_t bit = 0; bit < stream.len * 8; bit++) {
        stream.data[bit / 8] = (char)(stream.data[bit / 8] ^ 1 << bit % 8);
        assert_int_not_equal(read_file(stream.len, 0, true, true, &found, &m, &body, &e), 0);
        stream.data[bit / 8] = (char)(stream.data[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n < stream.len; n++)
        assert_int_not_equal(read_file(n, 0, true, true, &found, &m, &body, &e), 0);
}

static void bytes_too_many_are_seen(void **state)
{
    struct manifest m;
    struct error e;
    bool found;
    uint64_t body;

    (void)state;
    put_dump();
    put_manifest(true);
    buf_putc(&stream, '\n');
    assert_int_not_equal(read_file(stream.len, 0, true, true, &found, &m, &body, &e), 0);
    buf_clear(&stream);
    buf_puts(&stream, "-- not a word of this was backed up\n");
    put_dump();
    body = stream.len;
    put_manifest(true);
    memmove(stream.data, stream.data + 36, stream.len - 36);
    stream.len -= 36;
    assert_int_equal(read_file(stream.len, 0, true, true, &found, &m, &body, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "but its manifest says"));
}

static void a_dump_still_ends_as_a_whole_one_does(void **state)
{
    struct str rest, line, last = STR_NONE;

    (void)state;
    put_dump();
    put_manifest(true);
    rest = buf_str(&stream);
    while (str_cut(&rest, '\n', &line))
        if (line.n) {
            assert_true(str_starts(line, STR("-- ")) || last.n < 2 || str_starts(last, STR("CREATE")));
            last = line;
        }
    assert_true(str_starts(last, STR("-- Dump completed")));
}

static void long_texts_leave_out_what_is_least_needed(void **state)
{
    struct manifest m = {.bytes = 1}, again;
    struct error e;
    bool found;
    uint64_t body;

    (void)state;
    memset(m.donor, 1, sizeof(m.donor) - 1); /* six bytes each in JSON */
    memset(m.binlog, 1, sizeof(m.binlog) - 1);
    memset(m.tools, 1, sizeof(m.tools) - 1);
    memset(m.server, 1, sizeof(m.server) - 1);
    memset(m.position, 1, sizeof(m.position) - 1);
    buf_putc(&stream, 'x');
    str_sha256_hex(buf_str(&stream), m.sha256);
    manifest_format(&m, &stream);
    assert_int_equal(stream.len, 1 + MANIFEST_BYTES);
    assert_int_equal(read_file(stream.len, 0, false, true, &found, &again, &body, &e), 0);
    assert_string_equal(again.position, m.position);
    assert_string_equal(again.donor, "");
}

/* ---- what a dump holds ---- */

static void assert_holds(const char *text, uint64_t tables, uint64_t rows)
{
    for (size_t step = 1; step < 40; step++) {
        struct dump_scan s = {0};
        size_t n = strlen(text);

        for (size_t i = 0; i < n; i += step)
            dump_scan_feed(&s, (struct str){text + i, step < n - i ? step : n - i});
        assert_int_equal(s.tables, tables);
        assert_int_equal(s.rows, rows);
    }
}

static void tables_and_rows_of_a_dump_are_counted(void **state)
{
    (void)state;
    assert_holds("", 0, 0);
    assert_holds("CREATE TABLE `a` (\n  `i` int,\n  KEY `k` (`i`)\n);\nINSERT INTO `a` VALUES (1),(2),(3);\n", 1, 3);
    assert_holds("INSERT INTO `a` VALUES\n(1,'x'),\n(2,NULL);\nINSERT INTO `b` VALUES\n(3);\n", 0, 5 - 2);
    assert_holds("INSERT  IGNORE INTO `a` (`VALUES (`, `b`) VALUES (1,2);\nREPLACE INTO `a` VALUES (1);\n", 0, 2);
    assert_holds("INSERT INTO `t` VALUES ('a),(b'),('it''s ('),('\\'('),('\\\\'),(_binary '(;\\0)',0x28);\n", 0, 5);
    assert_holds("INSERT INTO `t` VALUES ((1),(2)),(f(3));\n/*!50001 CREATE TABLE `v` (\n", 0, 2);
    assert_holds("DELIMITER ;;\nCREATE PROCEDURE p()\nBEGIN\nINSERT INTO t VALUES (1);\nEND ;;\nDELIMITER ;\n"
                 "CREATE TABLE `t` (i int);\nINSERT INTO t VALUES (1);\n",
                 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_however_it_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_an_older_version_has_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_flipped_bit_and_each_cut_of_a_stream_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_flipped_bit_and_each_cut_of_a_dump_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_too_many_are_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dump_still_ends_as_a_whole_one_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_texts_leave_out_what_is_least_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_and_rows_of_a_dump_are_counted, set_up, tear_down),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
