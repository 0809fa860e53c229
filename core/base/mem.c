/* mem: see mem.h. The count is the only global state of core/base: it feeds a test's assertion, nothing else. */
#include "core/base/mem.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t live;

/* Only one thread allocates here, so no locked addition, which costs as much as malloc itself; atomic all the same, for
 * a second thread would spoil the count and nothing else. */
static void count(size_t by)
{
    __atomic_store_n(&live, __atomic_load_n(&live, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

static void *must(void *p, size_t n)
{
    if (p)
        return p;
    (void)fprintf(stderr, "{\"level\":\"error\",\"msg\":\"out of memory\",\"bytes\":%zu}\n", n);
    abort();
}

void *mem_alloc(size_t n)
{
    count(1);
    return must(malloc(n ? n : 1), n);
}

void *mem_zalloc(size_t n)
{
    count(1);
    return must(calloc(1, n ? n : 1), n);
}

void *mem_realloc(void *p, size_t n)
{
    if (!p)
        return mem_alloc(n);
    return must(realloc(p, n ? n : 1), n);
}

void mem_free(void *p)
{
    if (!p)
        return;
    count((size_t)-1);
    free(p);
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
    char *p = mem_alloc(n + 1);

    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *mem_printf(const char *fmt, ...)
{
    char text[256]; /* nearly all fit: they are written once */
    va_list ap, again;
    char *p;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < (int)sizeof(text)) {
        p = mem_strndup(text, (size_t)(n < 0 ? 0 : n));
    } else {
        p = mem_alloc((size_t)n + 1);
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    return p;
}

size_t mem_live(void)
{
    return __atomic_load_n(&live, __ATOMIC_RELAXED);
}

void mem_install(unsigned seed)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
    json_object_seed(seed);
}

void mem_wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}

void mem_free_auto(void *pp)
{
    void **p = pp;

    mem_free(*p);
    *p = NULL;
}
