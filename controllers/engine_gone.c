/* engine_gone: see engine_gone.h. */
#include "controllers/engine_gone.h"

#include <stdio.h>
#include <string.h>

#define GONE_NS (300 * 1000000000ull)

void engine_gone_note(struct engine_gone *g, const char *uid, uint64_t now_ns)
{
    if (!*uid)
        return;
    (void)snprintf(g->ring[g->next].uid, sizeof(g->ring[0].uid), "%s", uid);
    g->ring[g->next].until_ns = now_ns + GONE_NS;
    g->next = (g->next + 1) % ENGINE_GONE_MAX;
}

bool engine_gone_has(const struct engine_gone *g, const char *uid, uint64_t now_ns)
{
    for (size_t i = 0; i < ENGINE_GONE_MAX; i++)
        if (now_ns < g->ring[i].until_ns && strcmp(g->ring[i].uid, uid) == 0)
            return true;
    return false;
}
