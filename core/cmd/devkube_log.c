/* devkube_log: see devkube_log.h. */
#include "core/cmd/devkube_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

enum {
    LINE_MAX_BYTES = 16 * 1024 * 1024,
    LOG_MAX = 1024 * 1024 * 1024,
    TAIL = 2000, /* the last changes are handed out one by one: watches can go on from there */
};

struct devkube_log {
    int fd;
    char path[4096];
};

struct entry {
    uint64_t rv;
    struct str key, json;
};

static uint32_t checksum(struct str key, struct str json)
{
    uLong c = crc32(crc32(0, NULL, 0), (const unsigned char *)key.p, (uInt)key.n);

    return (uint32_t)crc32(c, (const unsigned char *)json.p, (uInt)json.n);
}

/* One line without its end. False: not one of ours, or torn. */
static bool parse_line(struct str line, struct entry *out)
{
    struct str rv, crc, rest = line;
    uint64_t sum;

    if (!str_cut(&rest, ' ', &rv) || !str_cut(&rest, ' ', &crc) || !str_cut(&rest, ' ', &out->key) || !rest.p)
        return false;
    out->json = rest;
    return str_to_u64(rv, &out->rv) == 0 && str_to_u64(crc, &sum) == 0 && sum == checksum(out->key, out->json);
}

static void put_line(struct buf *b, uint64_t rv, struct str key, struct str json)
{
    buf_printf(b, "%" PRIu64 " %" PRIu32 " ", rv, checksum(key, json));
    buf_add_str(b, key);
    buf_putc(b, ' ');
    buf_add_str(b, json);
    buf_putc(b, '\n');
}

static int by_rv(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;

    return ((*x)->rv > (*y)->rv) - ((*x)->rv < (*y)->rv);
}

struct replay {
    struct map live;    /* key to struct entry: what is there before the tail */
    struct entry *tail; /* a ring of the last lines */
    size_t n_tail, lines, used; /* used: bytes of whole, good lines */
    uint64_t rv;
    devkube_log_fn *fn;
    void *ctx;
};

static bool is_end(const struct entry *e)
{
    return str_is(e->json, "-");
}

/* Sets what is live to what the line says. */
static void settle(struct replay *r, const struct entry *line)
{
    struct entry *e;

    if (is_end(line)) {
        mem_free(map_del(&r->live, line->key));
        return;
    }
    e = mem_alloc(sizeof(*e));
    *e = *line;
    mem_free(map_put(&r->live, line->key, e));
}

static void read_lines(struct replay *r, struct str text)
{
    struct str rest = text, line;
    struct entry found;

    while (rest.n && memchr(rest.p, '\n', rest.n) && str_cut(&rest, '\n', &line) && parse_line(line, &found)) {
        struct entry *place = &r->tail[r->lines % TAIL];

        if (r->lines >= TAIL)
            settle(r, place);
        *place = found;
        r->lines++;
        r->used = (size_t)(line.p + line.n + 1 - text.p);
        r->rv = found.rv > r->rv ? found.rv : r->rv;
    }
    r->n_tail = r->lines < TAIL ? r->lines : TAIL;
}

static void hand_out(struct replay *r, const struct entry *e)
{
    json_t *object = is_end(e) ? NULL : json_loadb(e->json.p, e->json.n, 0, NULL);
    AUTO_FREE char *key = mem_strndup(e->key.p, e->key.n);

    if (object || is_end(e))
        r->fn(r->ctx, e->rv, key, object);
}

/* What is live, in order; the entries' array is freed by the caller. */
static struct entry **sorted_live(const struct replay *r)
{
    struct entry **sorted = mem_alloc((map_size(&r->live) + 1) * sizeof(*sorted));
    size_t i = 0;
    void *value;

    for (size_t it = 0; map_next(&r->live, &it, NULL, &value);)
        sorted[i++] = value;
    if (i)
        qsort(sorted, i, sizeof(*sorted), by_rv);
    return sorted;
}

/* Of a log in which most lines are dead a new one is written, with what is live alone. */
static int rewrite(struct devkube_log *l, struct replay *r, struct error *e)
{
    size_t n = map_size(&r->live);
    struct entry **sorted;
    struct buf out;
    int rc;

    if (r->lines <= 1000 || n * 2 >= r->lines)
        return 0;
    sorted = sorted_live(r);
    buf_init(&out, LOG_MAX);
    for (size_t i = 0; i < n; i++)
        put_line(&out, sorted[i]->rv, sorted[i]->key, sorted[i]->json);
    put_line(&out, r->rv, STR("last"), STR("-"));
    rc = env_uv_write_file(l->path, buf_str(&out), 0600, true, e);
    buf_done(&out);
    mem_free(sorted);
    return rc;
}

static void hand_all_out(struct replay *r)
{
    struct entry **sorted = sorted_live(r);
    size_t n = map_size(&r->live);

    for (size_t i = 0; i < n; i++)
        hand_out(r, sorted[i]);
    mem_free(sorted);
    for (size_t i = 0; i < r->n_tail; i++) {
        const struct entry *e = &r->tail[(r->lines - r->n_tail + i) % TAIL];

        hand_out(r, e);
        settle(r, e);
    }
}

static void replay_done(struct replay *r)
{
    void *value;

    for (size_t it = 0; map_next(&r->live, &it, NULL, &value);)
        mem_free(value);
    map_done(&r->live);
    mem_free(r->tail);
}

static int replay(struct devkube_log *l, devkube_log_fn *fn, void *ctx, struct error *e)
{
    struct replay r = {.fn = fn, .ctx = ctx};
    struct stat st;
    struct str text = STR_NONE;
    int fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), rc;

    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(e, ERR_DENIED, "%s: %s", l->path, strerror(errno));
    if (st.st_size > 0) {
        text.n = (size_t)st.st_size;
        text.p = mmap(NULL, text.n, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text.p == MAP_FAILED) {
            (void)close(fd);
            return error_set(e, ERR_DENIED, "%s: %s", l->path, strerror(errno));
        }
    }
    map_init(&r.live, 1);
    r.tail = mem_zalloc(TAIL * sizeof(*r.tail));
    read_lines(&r, text);
    if (r.used < text.n && ftruncate(fd, (off_t)r.used) < 0) {
        rc = error_set(e, ERR_DENIED, "%s: cutting a torn line off: %s", l->path, strerror(errno));
    } else {
        hand_all_out(&r);
        rc = rewrite(l, &r, e);
    }
    replay_done(&r);
    if (text.p)
        (void)munmap((void *)(uintptr_t)text.p, text.n);
    (void)close(fd);
    return rc;
}

struct devkube_log *devkube_log_open(const char *state, devkube_log_fn *fn, void *ctx, struct error *e)
{
    struct devkube_log *l = mem_zalloc(sizeof(*l));

    (void)snprintf(l->path, sizeof(l->path), "%s/objects.log", state);
    l->fd = -1;
    if (replay(l, fn, ctx, e) == 0) {
        l->fd = open(l->path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (l->fd >= 0)
            return l;
        (void)error_set(e, ERR_DENIED, "%s: %s", l->path, strerror(errno));
    }
    mem_free(l);
    return NULL;
}

void devkube_log_close(struct devkube_log *l)
{
    if (!l)
        return;
    (void)close(l->fd);
    mem_free(l);
}

/* False: errno says why; a line that is cut short is dropped at the next start. */
static bool write_all(int fd, struct str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            bytes = (struct str){bytes.p + n, bytes.n - (size_t)n};
    }
    return true;
}

void devkube_log_append(void *log, uint64_t rv, const char *key, const json_t *object)
{
    struct devkube_log *l = log;
    AUTO_FREE char *json = object ? json_compact(object) : mem_strdup("-");
    struct buf line;

    buf_init(&line, LINE_MAX_BYTES);
    put_line(&line, rv, str_of(key), str_of(json));
    if (buf_error(&line) < 0 || !write_all(l->fd, buf_str(&line))) {
        (void)fprintf(stderr, "devkube: cannot save a change to %s: %s; started again, it goes on without it\n",
                      l->path, buf_error(&line) < 0 ? "too long" : strerror(errno));
        _exit(1);
    }
    buf_done(&line);
}
