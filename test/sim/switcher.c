/* switcher: see switcher.h. A configuration with @every stays the operator's: a CronJob counts it anew from its own
 * creation, so its due times could not be told in advance. */
#include "switcher.h"

#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"
#include "controllers/trigger.h"
#include "core/base/cron.h"
#include "core/base/mem.h"
#include "sim_env.h"

enum { BEFORE_MS = 2000, AFTER_MS = 6000, NEAR_MS = 600 * 1000 };

struct switcher {
    struct env *env;
    struct model *model;
    const struct cluster *cluster;
    uint64_t dice;
    int64_t mean_s;
    void (*on_switch)(void *ctx);
    void *ctx;
    struct timer timer;
    size_t next;
    unsigned n;
};

/* value NULL: as the installation says. */
static void set_trigger(struct switcher *s, const struct cluster_config *c, const char *value)
{
    AUTO_FREE char *path =
        mem_printf("/apis/stash.appscode.com/v1beta1/namespaces/%s/backupconfigurations/%s", c->ns, c->name);
    json_t *body = json_pack("{s:{s:{s:s?}}}", "metadata", "annotations", TRIGGER_ANNOTATION, value);

    if (model_do(s->model, "admin", "PATCH", path, body, NULL) != 200)
        (void)fprintf(stderr, "sim: cannot switch %s\n", c->name);
    json_decref(body);
}

static void parse(const struct cluster_config *c, struct cron *ret)
{
    struct error e;

    if (cron_parse(ret, str_of(c->schedule), &e) < 0)
        abort();
}

static int64_t throw(struct switcher *s, int64_t sides)
{
    return (int64_t)(sim_random(&s->dice) % (uint64_t)sides);
}

static void choose_next(struct switcher *s)
{
    int64_t now_ms = env_wall_ms(s->env), at_ms = now_ms + throw(s, 2 * s->mean_s * 1000) + 1;
    int64_t due_ms;
    struct cron cron;

    do {
        s->next = (size_t)throw(s, (int64_t)s->cluster->n);
        parse(&s->cluster->configs[s->next], &cron);
    } while (cron.every_s);
    due_ms = cron_next(&cron, at_ms / 1000) * 1000;
    if (due_ms < at_ms + NEAR_MS && throw(s, 4)) /* mostly around a due time */
        at_ms = due_ms - BEFORE_MS + throw(s, BEFORE_MS + AFTER_MS);
    at_ms = at_ms > now_ms ? at_ms : now_ms + 1;
    timer_set_in(s->env, &s->timer, (uint64_t)(at_ms - now_ms));
}

static void fire(struct timer *t)
{
    static const char *const values[] = {"cronjob", "cronjob", "operator", "operator", NULL};
    struct switcher *s = t->data;

    set_trigger(s, &s->cluster->configs[s->next], values[throw(s, 5)]);
    s->n++;
    choose_next(s);
    s->on_switch(s->ctx);
}

struct switcher *switcher_new(struct env *env, struct model *m, const struct cluster *cluster, uint64_t seed,
                              int64_t mean_s, void (*on_switch)(void *ctx), void *ctx)
{
    struct switcher *s = mem_zalloc(sizeof(*s));
    struct cron cron;

    *s = (struct switcher){.env = env, .model = m, .cluster = cluster, .dice = seed, .mean_s = mean_s,
                           .on_switch = on_switch, .ctx = ctx};
    timer_init(&s->timer, fire, s);
    for (size_t i = 0; i < cluster->n; i++) {
        parse(&cluster->configs[i], &cron);
        if (cron.every_s)
            set_trigger(s, &cluster->configs[i], "operator");
    }
    choose_next(s);
    return s;
}

void switcher_stop(struct switcher *s)
{
    if (s)
        timer_clear(s->env, &s->timer);
}

void switcher_free(struct switcher *s)
{
    switcher_stop(s);
    mem_free(s);
}

unsigned switcher_count(const struct switcher *s)
{
    return s ? s->n : 0;
}
