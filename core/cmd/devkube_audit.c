/* devkube_audit: see devkube_audit.h. */
#include "core/cmd/devkube_audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"

struct devkube_audit {
    struct env *env;
    FILE *file;
};

struct devkube_audit *devkube_audit_open(struct env *env, const char *path, struct error *e)
{
    FILE *file = fopen(path, "ae");
    struct devkube_audit *a;

    if (!file) {
        (void)error_set(e, ERR_DENIED, "--audit=%s: %s", path, strerror(errno));
        return NULL;
    }
    a = mem_zalloc(sizeof(*a));
    a->env = env;
    a->file = file;
    return a;
}

void devkube_audit_close(struct devkube_audit *a)
{
    if (!a)
        return;
    (void)fclose(a->file); /* each line went out by itself */
    mem_free(a);
}

/* RFC 3339 with microseconds, as the API server writes it. */
static const char *format_time(int64_t ns, char out[40])
{
    time_t s = (time_t)(ns / 1000000000);
    struct tm tm;
    size_t n;

    (void)gmtime_r(&s, &tm);
    n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, 40 - n, ".%06lldZ", (long long)(ns % 1000000000 / 1000));
    return out;
}

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t); /* fails for a bad clock only */
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

void devkube_audit_add(struct devkube_audit *a, const struct model_audit *told)
{
    int64_t now_ns = read_clock(CLOCK_REALTIME);
    int64_t waited_ns = read_clock(CLOCK_MONOTONIC) - (int64_t)env_now_ns(a->env);
    char came[40], done[40];
    json_t *line = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:s%, s:{s:s, s:s, s:s, s:s, s:s}, s:{s:i}, s:s, s:s}", "kind", "Event",
        "apiVersion", "audit.k8s.io/v1", "level", "Metadata", "stage", "ResponseComplete", "verb", told->verb, "user",
        "username", told->user, "userAgent", told->agent.p ? told->agent.p : "", told->agent.n, "objectRef", "resource",
        told->plural, "namespace", told->ns, "name", told->name, "apiGroup", told->group, "subresource", told->sub,
        "responseStatus", "code", told->status, "requestReceivedTimestamp", format_time(now_ns - waited_ns, came),
        "stageTimestamp", format_time(now_ns, done));

    if (!line) /* a user agent that is no text */
        return;
    (void)json_dumpf(line, a->file, JSON_COMPACT);
    (void)fputc('\n', a->file);
    (void)fflush(a->file); /* a full disk costs lines, no answers */
    json_decref(line);
}
