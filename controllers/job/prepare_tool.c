/* prepare_tool: see prepare_tool.h. */
#include "controllers/job/prepare_tool.h"

#include <unistd.h>

#include "controllers/job/restore_info.h"
#include "core/base/mem.h"

const char *prepare_tool_find(bool is_mariadb)
{
    static const char *const mariadb[] = {"mariadb-backup", "mariabackup", NULL};
    static const char *const percona[] = {"xtrabackup", NULL};

    return job_find_program(is_mariadb ? mariadb : percona);
}

int prepare_tool_version(struct job *j, const char *program, char out[64], struct error *e)
{
    const char *argv[] = {program, "--version", NULL};
    struct job_command c = {
        .argv = argv, .envp = job_environment(j), .out_max = 65536, .timeout_ms = 30000, .quiet = true};
    struct job_result result;
    int rc = job_run_ok(j, &c, &result, e);

    if (rc == 0) {
        (void)restore_info_tool_version(buf_str(&result.out), out);
        if (!*out)
            (void)restore_info_tool_version(buf_str(&result.err.text), out);
    }
    job_result_done(&result);
    return rc;
}

bool prepare_tool_finds_plugin(struct str library)
{
    AUTO_FREE char *path = mem_printf(PREPARE_TOOL_PLUGIN_DIR "/%.*s.so", (int)library.n, library.p);

    return access(path, R_OK) == 0 || !prepare_tool_find(true);
}
