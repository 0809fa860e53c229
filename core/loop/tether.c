/* tether: see tether.h. */
#include "core/loop/tether.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/mem.h"

enum { FIXED = 3, EXIT_NO_EXEC = 127 }; /* words before the child's own */

static const char mark[] = "stash-tether";
static bool ready;

void tether_init(int argc, char **argv)
{
    char parent[16];

    if (argc <= FIXED || strcmp(argv[0], mark) != 0) {
        ready = true;
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(parent, sizeof(parent), "%d", (int)getppid());
    if (strcmp(parent, argv[1]) != 0)
        _exit(EXIT_NO_EXEC); /* our parent died before we asked */
    (void)execv(argv[2], argv + FIXED);
    perror(argv[2]);
    _exit(EXIT_NO_EXEC);
}

bool tether_ready(void)
{
    return ready;
}

const char **tether_argv(const char *file, const char *const *argv, char pid[16])
{
    const char **out;
    size_t n = 0;

    while (argv[n])
        n++;
    out = mem_zalloc((FIXED + n + 1) * sizeof(*out));
    (void)snprintf(pid, 16, "%d", (int)getpid());
    out[0] = mark;
    out[1] = pid;
    out[2] = file;
    memcpy(out + FIXED, argv, n * sizeof(*argv));
    return out;
}
