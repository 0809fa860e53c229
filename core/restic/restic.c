/* restic: see restic.h. */
#include "core/restic/restic.h"

#include "core/base/mem.h"

void restic_add(struct restic_command *c, const char *word)
{
    if (c->n + 2 > c->cap) {
        c->cap = c->cap ? c->cap * 2 : 32;
        c->words = mem_realloc(c->words, c->cap * sizeof(*c->words));
    }
    c->words[c->n++] = mem_strdup(word);
    c->words[c->n] = NULL;
}

void restic_begin(struct restic_command *c, const struct backend *b, const char *sub)
{
    struct str rest = str_of(sub), part;

    *c = (struct restic_command){0};
    restic_add(c, "restic");
    while (str_cut(&rest, ' ', &part)) {
        AUTO_FREE char *word = mem_strndup(part.p, part.n);

        restic_add(c, word);
    }
    for (size_t i = 0; i < b->n_flags; i++)
        restic_add(c, b->flags[i]);
}

void restic_add_option(struct restic_command *c, const char *name, const char *value)
{
    AUTO_FREE char *word = NULL;

    if (!value || !*value)
        return;
    word = mem_printf("--%s=%s", name, value);
    restic_add(c, word);
}

void restic_add_number(struct restic_command *c, const char *name, int64_t value)
{
    AUTO_FREE char *word = NULL;

    if (value <= 0)
        return;
    word = mem_printf("--%s=%lld", name, (long long)value);
    restic_add(c, word);
}

void restic_add_retry_lock(struct restic_command *c, int version, int64_t seconds)
{
    AUTO_FREE char *word = NULL;

    if (!restic_has_retry_lock(version) || seconds <= 0)
        return;
    word = mem_printf("--retry-lock=%llds", (long long)seconds);
    restic_add(c, word);
}

const char *const *restic_argv(const struct restic_command *c)
{
    return (const char *const *)c->words;
}

void restic_done(struct restic_command *c)
{
    for (size_t i = 0; i < c->n; i++)
        mem_free(c->words[i]);
    mem_free(c->words);
    *c = (struct restic_command){0};
}

const char **restic_environment(const struct backend *b, const char *const *extra)
{
    size_t n = 0, k = 0;
    const char **env;

    while (extra && extra[n])
        n++;
    env = mem_alloc((b->n_vars + n + 2) * sizeof(*env));
    for (size_t i = 0; i < b->n_vars; i++)
        env[k++] = b->vars[i].bytes;
    for (size_t i = 0; i < n; i++)
        env[k++] = extra[i];
    env[k++] = "RESTIC_PROGRESS_FPS=0.016666"; /* one status line a minute: we count the bytes ourselves */
    env[k] = NULL;
    return env;
}

bool restic_policy_is_empty(const struct restic_policy *p)
{
    return p->keep_last <= 0 && p->keep_hourly <= 0 && p->keep_daily <= 0 && p->keep_weekly <= 0 &&
           p->keep_monthly <= 0 && p->keep_yearly <= 0 && !(p->keep_tags && p->keep_tags[0]);
}

void restic_add_policy(struct restic_command *c, const struct restic_policy *p)
{
    restic_add_number(c, "keep-last", p->keep_last);
    restic_add_number(c, "keep-hourly", p->keep_hourly);
    restic_add_number(c, "keep-daily", p->keep_daily);
    restic_add_number(c, "keep-weekly", p->keep_weekly);
    restic_add_number(c, "keep-monthly", p->keep_monthly);
    restic_add_number(c, "keep-yearly", p->keep_yearly);
    for (const char *const *t = p->keep_tags; t && *t; t++)
        restic_add_option(c, "keep-tag", *t);
    if (p->prune)
        restic_add(c, "--prune");
    if (p->dry_run)
        restic_add(c, "--dry-run");
}
