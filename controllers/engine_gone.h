/*
 * engine_gone: which objects the API server said are gone while the watch of their kind has yet to say so. A pass over
 * such an object would go by what was: an event of another kind that is ahead of that watch (its Job went with it)
 * would have it make again what nobody owns.
 *
 * By UID, so that a new object of the same name is another one; the last sixteen, each for five minutes: a cluster that
 * is restored from a backup may have them again.
 */
#ifndef STASHD_ENGINE_GONE_H
#define STASHD_ENGINE_GONE_H

#include <stdbool.h>
#include <stdint.h>

enum { ENGINE_GONE_MAX = 16 };

struct engine_gone { /* zeroed: empty */
    struct {
        char uid[64];
        uint64_t until_ns;
    } ring[ENGINE_GONE_MAX];
    unsigned next;
};

void engine_gone_note(struct engine_gone *g, const char *uid, uint64_t now_ns); /* uid "": nothing */
bool engine_gone_has(const struct engine_gone *g, const char *uid, uint64_t now_ns);

#endif
