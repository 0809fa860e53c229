/* stashd_web: see stashd_web.h. */
#include "core/cmd/stashd_web.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metrics/text.h"

enum { OWN_MAX = 64 * 1024 * 1024 };

static const char text_plain[] = "text/plain; charset=utf-8";

static void add_gauge(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    char text[32];

    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, type, name,
               text_format_value(value, text));
}

static double count_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    double n = -3; /* ".", ".." and this folder itself */

    while (d && readdir(d))
        n++;
    if (d)
        (void)closedir(d);
    return n > 0 ? n : 0;
}

/* Without what malloc has and nobody uses: a leak shows in it sooner than in the resident memory. */
static double heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();

    return (double)(m.uordblks + m.hblkhd);
}

/* The usual process_* series, from /proc/self. */
static void add_process(struct buf *out, double started_s)
{
    FILE *f = fopen("/proc/self/stat", "re");
    unsigned long long user = 0, system = 0, virtual_bytes = 0;
    long long resident = 0;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    int n;

    if (!f)
        return;
    /* Our name has neither blanks nor brackets: the fields stand where proc(5) counts them. */
    n = fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %*u %llu %lld",
               &user, &system, &virtual_bytes, &resident);
    (void)fclose(f); /* read only */
    if (n != 4)
        return;
    add_gauge(out, "process_cpu_seconds_total", "counter", "CPU time used.", (double)(user + system) / ticks);
    add_gauge(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
              (double)resident * (double)sysconf(_SC_PAGESIZE));
    add_gauge(out, "process_virtual_memory_bytes", "gauge", "Address space.", (double)virtual_bytes);
    add_gauge(out, "process_heap_bytes", "gauge", "Memory in use by malloc.", heap_bytes());
    add_gauge(out, "process_open_fds", "gauge", "Open file descriptors.", count_files());
    add_gauge(out, "process_start_time_seconds", "gauge", "When the process started, in Unix seconds.", started_s);
}

/* What is pushed, by clients and by the operator, against its caps: over them metrics are lost. */
static void add_push(struct buf *out, const struct push *p)
{
    const struct push_limits *most = push_limits(p);

    add_gauge(out, "stash_operator_pushes_refused_total", "counter",
              "Pushes over a cap, those of the operator's own sessions too.", (double)push_refused(p));
    add_gauge(out, "stash_operator_push_groups", "gauge", "Groups of pushed series.", (double)push_groups(p));
    add_gauge(out, "stash_operator_push_groups_limit", "gauge", "Their cap.", (double)most->groups);
    add_gauge(out, "stash_operator_push_bytes", "gauge", "Bytes of this page that were pushed.", (double)push_bytes(p));
    add_gauge(out, "stash_operator_push_bytes_limit", "gauge", "Their cap.", (double)most->total_bytes);
}

static void serve_metrics(struct stashd_web *w, struct http_serve *s)
{
    bool shows_pushed = w->push && w->operator && operator_leads(w->operator);
    struct buf own;

    buf_init(&own, OWN_MAX);
    registry_write(w->registry, &own);
    add_process(&own, (double)w->started_ms / 1000);
    if (w->push)
        add_push(&own, w->push->push);
    if (buf_error(&own) < 0)
        http_reply(s, 500, text_plain, STR("the page is too big\n"));
    else
        scrape_serve(&w->scrapes, shows_pushed ? w->push->push : NULL, buf_str(&own), s);
    buf_done(&own);
}

/*
 * One replica keeps what is pushed, the one that has the lead; else each page would have a part, and
 * an old one (metrics.md 6.1). True: s was passed on, or refused while nobody leads.
 */
static bool pass_on(struct stashd_web *w, struct http_serve *s)
{
    const char *address, *colon;
    char host[64];

    if (!push_is_write(s) || !w->operator || operator_leads(w->operator))
        return false;
    address = operator_leader_address(w->operator);
    colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof(host)) {
        http_reply(s, 503, text_plain, STR("no replica has the lead; try again\n"));
        return true;
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
    relay_start(&w->relays, host, (uint16_t)strtoul(colon + 1, NULL, 10), s);
    return true;
}

void stashd_web_serve(void *ctx, struct http_serve *s)
{
    struct stashd_web *w = ctx;
    bool is_get = str_is(s->method, "GET") || str_is(s->method, "HEAD");
    bool synced = w->operator && operator_synced(w->operator); /* NULL: it has stopped */
    bool ready = synced && (!w->webhook || stashd_webhook_ready(w->webhook));

    if (is_get && str_is(s->path, "/metrics"))
        serve_metrics(w, s);
    else if (is_get && (str_is(s->path, "/livez") || str_is(s->path, "/healthz")))
        http_reply(s, 200, text_plain, STR("ok\n"));
    else if (is_get && str_is(s->path, "/readyz"))
        http_reply(s, ready ? 200 : 503, text_plain, ready    ? STR("ok\n")
                                              : synced ? STR("the webhook has no certificate yet\n")
                                                       : STR("caches are not complete\n"));
    else if (!w->takes_pushes || (!pass_on(w, s) && !stashd_push_serve(w->push, s)))
        http_reply(s, 404, text_plain, STR("not found\n"));
}
