/* stashd_memory: see stashd_memory.h. */
#include "core/cmd/stashd_memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

enum { FROM_KERNEL = 128 * 1024 }; /* malloc's own first values; a value that is set stays */

void stashd_memory_set_up(void)
{
    /* Each fails for bad values only. */
    (void)mallopt(M_ARENA_MAX, 1); /* there is one thread but those that look names up */
    (void)mallopt(M_MMAP_THRESHOLD, FROM_KERNEL);
    (void)mallopt(M_TRIM_THRESHOLD, FROM_KERNEL);
}

/* KiB that are resident and no file's; 0 when nobody knows. */
static long anonymous_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long resident = 0, shared = 0;
    int n;

    if (!f)
        return 0;
    n = fscanf(f, "%*d %ld %ld", &resident, &shared);
    (void)fclose(f); /* read only */
    return n == 2 ? (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024) : 0;
}

static void look(struct timer *t)
{
    struct stashd_memory *m = t->data;
    long now = anonymous_kib();

    if (now > m->least_kib + STASHD_MEMORY_GROWN_KIB) {
        (void)malloc_trim(0); /* whether there was anything to give does not matter */
        m->least_kib = anonymous_kib();
    } else if (now < m->least_kib) {
        m->least_kib = now;
    }
    timer_set_in(m->env, &m->look, STASHD_MEMORY_LOOK_MS);
}

void stashd_memory_start(struct stashd_memory *m, struct env *env)
{
    *m = (struct stashd_memory){.env = env};
    timer_init(&m->look, look, m);
    timer_set_in(env, &m->look, STASHD_MEMORY_LOOK_MS);
}

void stashd_memory_stop(struct stashd_memory *m)
{
    timer_clear(m->env, &m->look);
}
