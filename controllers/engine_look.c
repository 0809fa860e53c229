/* engine_look: see engine_look.h. */
#include "controllers/engine_look.h"

#include "core/base/mem.h"

struct look_line {
    const struct controller *controller;
    const struct kobj **objects; /* a reference each, from at on */
    size_t n, at;
};

static bool add(void *ctx, const struct kobj *o)
{
    struct look_line *line = ctx;

    line->objects[line->n++] = kobj_ref(o);
    return true;
}

void engine_look_add(struct engine_look *l, const struct cache *c, const struct controller *controller,
                     int64_t asked_ms)
{
    const struct kind *k = kind_get(controller->kind);
    struct look_line *line;

    l->lines = mem_realloc(l->lines, (l->n_lines + 1) * sizeof(*l->lines));
    line = &l->lines[l->n_lines++];
    *line = (struct look_line){.controller = controller};
    line->objects = mem_alloc(cache_count(c, k) * sizeof(const struct kobj *));
    cache_each(c, k, add, line);
    l->asked_ms = asked_ms;
}

bool engine_look_next(struct engine_look *l, struct queue *q)
{
    for (; l->line < l->n_lines; l->line++) {
        struct look_line *line = &l->lines[l->line];
        const struct kobj *o;

        if (line->at == line->n)
            continue;
        o = line->objects[line->at++];
        queue_add(q, line->controller, o->kind->namespaced ? o->ns : NULL, o->name, 0, QUEUE_LOW, l->asked_ms);
        kobj_unref(o);
        return true;
    }
    engine_look_clear(l);
    return false;
}

size_t engine_look_left(const struct engine_look *l, const struct controller *controller)
{
    size_t left = 0;

    for (size_t i = 0; i < l->n_lines; i++)
        if (!controller || l->lines[i].controller == controller)
            left += l->lines[i].n - l->lines[i].at;
    return left;
}

void engine_look_clear(struct engine_look *l)
{
    for (size_t i = 0; i < l->n_lines; i++) {
        struct look_line *line = &l->lines[i];

        while (line->at < line->n)
            kobj_unref(line->objects[line->at++]);
        mem_free(line->objects);
    }
    mem_free(l->lines);
    *l = (struct engine_look){0};
}
