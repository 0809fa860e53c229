/*
 * mem: the allocator behind our code. Out of memory logs one line and ends the process: the API server has the
 * state, and no call site has a branch that nobody tests (style: h2o). What others can make big has a cap in
 * limits.h instead.
 */
#ifndef STASHD_MEM_H
#define STASHD_MEM_H

#include <stddef.h>

/* Never return NULL. mem_zalloc clears. All of it is freed with mem_free (NULL is fine). */
void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *p, size_t n) __attribute__((returns_nonnull));
void mem_free(void *p);
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *fmt, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* Blocks alive now: a test's last assertion. */
size_t mem_live(void);

/* Puts jansson on this allocator and gives its hash a seed. Call once, first thing in main and in tests. */
void mem_install(unsigned seed);

/* Clears memory that held a credential; the compiler may not remove it. */
void mem_wipe(void *p, size_t n);

/* Frees *p and sets it to NULL at the end of a scope: AUTO_FREE char *s = ... */
void mem_free_auto(void *pp);
#define AUTO_FREE __attribute__((cleanup(mem_free_auto)))

#endif
