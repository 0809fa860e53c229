/* test_grastate: Galera's position, and what a backup says of itself. */
#include "test.h"

#include "controllers/job/grastate.h"
#include "controllers/job/restore_info.h"
#include "core/base/mem.h"

#define UUID "73e229dd-e717-11f1-abe5-5a65c35de646"

static void a_position_is_read_as_both_tools_write_it(void **state)
{
    static const struct {
        const char *text;
        int64_t seqno; /* -1: refused */
    } rows[] = {
        {UUID ":15923 0\n", 15923}, /* MariaDB */
        {UUID ":15923", 15923},     /* Percona */
        {UUID ":0", 0},
        {UUID ":-1", -1},
        {UUID ":", -1},
        {UUID, -1},
        {"73e229dd:15923", -1},
        {"73e229ddxe717-11f1-abe5-5a65c35de646:1", -1},
        {UUID ":12x", -1},
        {UUID ":1\n" UUID ":2", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct grastate g = {.seqno = -1};
        struct error e;
        int rc = grastate_parse(str_of(rows[i].text), &g, &e);

        if (rc != (rows[i].seqno < 0 ? ERR_INVALID : 0) || g.seqno != rows[i].seqno)
            fail_msg("row %zu: %d, %lld", i, rc, (long long)g.seqno);
    }
}

static void one_node_alone_may_bootstrap(void **state)
{
    struct grastate g = {.uuid = UUID, .seqno = 15923};
    size_t live = mem_live();
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    grastate_format(&g, true, &out);
    assert_string_equal(out.data, "# GALERA saved state\nversion: 2.1\nuuid:    " UUID "\nseqno:   15923\n"
                                  "safe_to_bootstrap: 1\n");
    buf_clear(&out);
    grastate_format(&g, false, &out);
    assert_non_null(strstr(out.data, "safe_to_bootstrap: 0\n"));
    buf_done(&out);
    assert_int_equal(mem_live(), live);
}

static void the_tools_version_is_read_from_what_it_prints(void **state)
{
    char out[64];

    (void)state;
    assert_string_equal(restore_info_tool_version(STR("/usr/bin/mariadb-backup based on MariaDB server 10.11.8-MariaDB "
                                                      "debian-linux-gnu (x86_64)\n"), out), "10.11.8-MariaDB");
    assert_string_equal(
        restore_info_tool_version(STR("2024 [Note] recognized server arguments: --datadir=/x\n"
                                      "xtrabackup version 8.0.35-30 based on MySQL server 8.0.35 Linux\n"),
                                  out),
        "8.0.35-30");
    assert_string_equal(restore_info_tool_version(STR("xtrabackup version 2.4.29 based on MySQL server 5.7.44\n"), out),
                        "2.4.29");
    assert_string_equal(restore_info_tool_version(STR("nothing of the kind"), out), "");
    assert_string_equal(restore_info_tool_version(STR("xtrabackup version "), out), "");
}

static void a_backup_needs_the_tool_of_its_series(void **state)
{
    static const struct {
        const char *server;
        bool mariadb;
        const char *tool;
        bool good;
    } rows[] = {
        {"10.11.8-MariaDB-log", true, "10.11.19-MariaDB", true},
        {"10.6.18-MariaDB", true, "10.11.8-MariaDB", false},
        {"11.4.2-MariaDB", true, "10.11.8-MariaDB", false},
        {"8.0.36-28.1", false, "8.0.35-30", true},
        {"8.4.0-1", false, "8.0.35-30", false},
        {"5.7.44-31", false, "2.4.29", true},
        {"5.7.44-31", false, "8.0.35-30", false},
        {"8.0.36", false, "2.4.29", false},
        {"what", false, "8.0.35", false},
        {"8.0.36", false, "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e;

        if ((restore_info_check(rows[i].server, rows[i].mariadb, rows[i].tool, &e) == 0) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].good ? e.msg : "accepted");
    }
}

static void the_files_of_a_backup_are_read(void **state)
{
    struct restore_info info;
    struct error e;
    char out[64];

    (void)state;
    assert_int_equal(
        restore_info_parse(STR("uuid = 1\ntool_name = mariadb-backup\nserver_version = 10.11.8-MariaDB-log\n"), &info,
                           &e),
        0);
    assert_string_equal(info.tool, "mariadb-backup");
    assert_string_equal(info.version, "10.11.8-MariaDB-log");
    assert_int_equal(restore_info_parse(STR("tool_name = xtrabackup\n"), &info, &e), ERR_INVALID);
    assert_string_equal(restore_info_backup_type(STR("backup_type = log-applied\nfrom_lsn = 0\n"), out), "log-applied");
    assert_string_equal(restore_info_backup_type(STR("from_lsn = 0"), out), "");
    assert_string_equal(restore_info_system_file(STR("[mysqld]\ninnodb_data_file_path=sys1:12M:autoextend\n"), out),
                        "sys1");
    assert_string_equal(restore_info_system_file(STR("innodb_data_file_path=/elsewhere/sys1:12M\n"), out), "ibdata1");
    assert_string_equal(restore_info_system_file(STR(""), out), "ibdata1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_position_is_read_as_both_tools_write_it),
        cmocka_unit_test(one_node_alone_may_bootstrap),
        cmocka_unit_test(the_tools_version_is_read_from_what_it_prints),
        cmocka_unit_test(a_backup_needs_the_tool_of_its_series),
        cmocka_unit_test(the_files_of_a_backup_are_read),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
