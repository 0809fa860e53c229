/*
 * verify: a backup's stream through the checks of a restore (restore_check.h), damaged by chance.
 *
 * usage: galera_verify seal FILE             appends a manifest
 *        galera_verify whole FILE            it is good
 *        galera_verify flips FILE COUNT SEED  each of COUNT single flipped bits is seen
 *        galera_verify cuts FILE COUNT SEED   each of COUNT lengths that are too short is seen
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controllers/job/restore_check.h"
#include "core/base/mem.h"

enum { PIECE = 65536 };

static const struct xbstream_options options = {.flavour = XBSTREAM_MARIADB, .galera = true};

struct file {
    const char *p;
    size_t n;
};

static bool map_file(const char *path, struct file *f)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
        return false;
    f->n = (size_t)st.st_size;
    f->p = mmap(NULL, f->n, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    return f->p != MAP_FAILED;
}

/* splitmix64 */
static uint64_t chance(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The first n bytes, one bit of them flipped (at or beyond 8 n: none), as a restore sees them. */
static int verdict(const struct file *f, size_t n, uint64_t bit, struct error *e)
{
    struct restore_check c = {.stream = xbstream_new(), .options = &options, .manifest_required = true};
    char piece[PIECE];
    int rc = 0;

    restore_check_init(&c);
    for (size_t i = 0; i < n && rc == 0; i += PIECE) {
        size_t len = n - i < PIECE ? n - i : PIECE, at = (size_t)(bit / 8);

        if (at >= i && at < i + len) {
            memcpy(piece, f->p + i, len);
            piece[at - i] = (char)(piece[at - i] ^ 1 << bit % 8);
            rc = restore_check_feed(&c, (struct str){piece, len}, e);
        } else {
            rc = restore_check_feed(&c, (struct str){f->p + i, len}, e);
        }
    }
    if (rc == 0)
        rc = restore_check_end(&c, e);
    restore_check_done(&c);
    xbstream_free(c.stream);
    return rc;
}

static int whole(const struct file *f)
{
    struct error e;

    if (verdict(f, f->n, UINT64_MAX, &e) == 0)
        return 0;
    (void)fprintf(stderr, "refused: %s\n", e.msg);
    return 1;
}

static int damage(const struct file *f, bool flips, uint64_t count, uint64_t seed)
{
    uint64_t seen = 0;
    struct error e;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = chance(&seed) % (flips ? f->n * 8 : f->n);

        if (verdict(f, flips ? f->n : at, flips ? at : UINT64_MAX, &e) < 0)
            seen++;
        else
            (void)fprintf(stderr, "not seen: %s at %llu\n", flips ? "flip" : "cut", (unsigned long long)at);
    }
    (void)printf("%llu of %llu %s of %zu bytes are seen\n", (unsigned long long)seen, (unsigned long long)count,
                 flips ? "flipped bits" : "cuts", f->n);
    return seen == count && count ? 0 : 1;
}

static int seal(const char *path, const struct file *f)
{
    struct manifest m = {.server = "10.11-MariaDB", .bytes = f->n, .tools = "galera_verify"};
    struct xbstream *x = xbstream_new();
    struct buf record;
    struct error e;
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC), rc;

    if ((rc = xbstream_feed(x, f->p, f->n, &e)) < 0)
        (void)fprintf(stderr, "%s\n", e.msg);
    m.files = xbstream_files(x);
    m.chunks = xbstream_chunks(x);
    str_sha256_hex((struct str){f->p, f->n}, m.sha256);
    buf_init(&record, MANIFEST_BYTES);
    manifest_format(&m, &record);
    if (fd < 0 || write(fd, record.data, record.len) != (ssize_t)record.len)
        rc = -1;
    buf_done(&record);
    xbstream_free(x);
    return rc < 0;
}

int main(int argc, char **argv)
{
    struct file f;

    mem_install(1);
    if (argc < 3 || !map_file(argv[2], &f))
        return 2;
    if (argc == 3 && strcmp(argv[1], "seal") == 0)
        return seal(argv[2], &f);
    if (argc == 3 && strcmp(argv[1], "whole") == 0)
        return whole(&f);
    if (argc == 5 && (strcmp(argv[1], "flips") == 0 || strcmp(argv[1], "cuts") == 0))
        return damage(&f, argv[1][0] == 'f', strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    return 2;
}
