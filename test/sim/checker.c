/* checker: see checker.h. It knows nothing of the operator: only what the API server committed. */
#include "checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/map.h"
#include "core/base/mem.h"

struct session {
    char phase[16];
    char *invoker; /* "<ns>/<kind>/<name>" */
    unsigned jobs;
    bool exists;
};

struct checker {
    struct map sessions; /* every one ever seen, by "<ns>/<name>" */
    struct map running;  /* by invoker: the one session that runs */
    unsigned violations;
    struct checker_totals totals;
};

struct checker *checker_new(uint64_t seed)
{
    struct checker *c = mem_zalloc(sizeof(*c));

    map_init(&c->sessions, seed);
    map_init(&c->running, seed);
    return c;
}

void checker_free(struct checker *c)
{
    size_t it = 0;
    struct str key;
    void *value;

    while (map_next(&c->sessions, &it, &key, &value)) {
        struct session *s = value;

        mem_free(s->invoker);
        mem_free(s);
    }
    map_done(&c->sessions);
    map_done(&c->running);
    mem_free(c);
}

void checker_violation(struct checker *c, const char *fmt, ...)
{
    va_list ap;

    c->violations++;
    (void)fputs("VIOLATION: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
}

unsigned checker_violations(const struct checker *c)
{
    return c->violations;
}

static struct session *find(const struct checker *c, const char *ns, const char *name)
{
    AUTO_FREE char *key = mem_printf("%s/%s", ns, name);

    return map_get(&c->sessions, str_of(key));
}

bool checker_was_made(const struct checker *c, const char *ns, const char *name)
{
    return find(c, ns, name) != NULL;
}

static bool is_final(const char *phase)
{
    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0 || strcmp(phase, "Skipped") == 0;
}

static void stop_running(struct checker *c, struct session *s)
{
    if (map_get(&c->running, str_of(s->invoker)) == s)
        map_del(&c->running, str_of(s->invoker));
}

static void phase_changed(struct checker *c, struct session *s, const char *name, const char *phase)
{
    if (strcmp(s->phase, phase) == 0)
        return;
    if (is_final(s->phase))
        checker_violation(c, "session %s went from %s to %s", name, s->phase, phase);
    if (strcmp(phase, "Running") == 0) {
        if (map_put(&c->running, str_of(s->invoker), s))
            checker_violation(c, "session %s runs beside another one of %s", name, s->invoker);
    } else {
        stop_running(c, s);
    }
    c->totals.succeeded += strcmp(phase, "Succeeded") == 0;
    c->totals.failed += strcmp(phase, "Failed") == 0;
    c->totals.skipped += strcmp(phase, "Skipped") == 0;
    (void)snprintf(s->phase, sizeof(s->phase), "%s", phase);
}

static void session_changed(struct checker *c, const char *type, const json_t *o)
{
    const char *ns = json_text(o, "metadata.namespace"), *name = json_text(o, "metadata.name");
    struct session *s = find(c, ns, name);

    if (strcmp(type, "DELETED") == 0) {
        if (s) {
            stop_running(c, s);
            s->exists = false;
        }
        return;
    }
    if (strcmp(type, "ADDED") == 0) {
        AUTO_FREE char *key = mem_printf("%s/%s", ns, name);

        if (s) {
            checker_violation(c, "session %s/%s was made a second time", ns, name);
            return;
        }
        s = mem_zalloc(sizeof(*s));
        s->invoker = mem_printf("%s/%s/%s", ns, json_text(o, "spec.invoker.kind"), json_text(o, "spec.invoker.name"));
        map_put(&c->sessions, str_of(key), s);
        c->totals.sessions++;
    }
    if (!s)
        return;
    s->exists = true;
    phase_changed(c, s, name, json_text(o, "status.phase"));
}

static void job_changed(struct checker *c, const char *type, const json_t *o)
{
    const char *session = json_text(o, "metadata.ownerReferences.0.name");
    struct session *s;

    if (strcmp(type, "ADDED") != 0 || strcmp(json_text(o, "metadata.ownerReferences.0.kind"), "BackupSession") != 0)
        return;
    c->totals.jobs++;
    s = find(c, json_text(o, "metadata.namespace"), session);
    if (s && ++s->jobs > 1)
        checker_violation(c, "session %s got a second Job: %s", session, json_text(o, "metadata.name"));
    if (s && is_final(s->phase))
        checker_violation(c, "session %s got a Job after it was %s", session, s->phase);
}

void checker_changed(void *checker, const char *type, const json_t *object)
{
    const char *kind = json_text(object, "kind");

    if (strcmp(kind, "BackupSession") == 0)
        session_changed(checker, type, object);
    else if (strcmp(kind, "Job") == 0)
        job_changed(checker, type, object);
}

struct checker_totals checker_totals(const struct checker *c)
{
    struct checker_totals t = c->totals;
    size_t it = 0;
    struct str key;
    void *value;

    while (map_next(&c->sessions, &it, &key, &value)) {
        const struct session *s = value;

        t.open += s->exists && !is_final(s->phase);
    }
    return t;
}
