/*
 * engine_look: the first look at every object, behind all that happens meanwhile. A key in the queue is two hundred
 * bytes, and there may be a hundred thousand objects: so it is records that wait here, and one becomes a key when the
 * queue has nothing else that is due. Private to the engine.
 */
#ifndef STASHD_ENGINE_LOOK_H
#define STASHD_ENGINE_LOOK_H

#include "controllers/controller.h"
#include "controllers/queue.h"

struct engine_look {
    /* private */
    struct look_line *lines; /* one a controller, in the order of the table */
    size_t n_lines, line;    /* line: the one at hand */
    int64_t asked_ms;
};

/* All objects of the controller's kind that the cache has now are to be looked at. */
void engine_look_add(struct engine_look *l, const struct cache *c, const struct controller *controller,
                     int64_t asked_ms);
/* Moves the next one to the queue; false: there is none. */
bool engine_look_next(struct engine_look *l, struct queue *q);
size_t engine_look_left(const struct engine_look *l, const struct controller *controller); /* NULL: of all */
void engine_look_clear(struct engine_look *l);

#endif
