/*
 * env_uv: struct env on libuv: one loop, one thread. With proc_uv and core/net/tcp_uv, web the only user of libuv.
 */
#ifndef STASHD_ENV_UV_H
#define STASHD_ENV_UV_H

#include <uv.h>

#include "core/base/buf.h"
#include "core/base/env.h"

struct env *env_uv_new(void);
/* Asserts that no handle is left in the loop: a leak of a handle is a failed test. */
void env_uv_free(struct env *e);
uv_loop_t *env_uv_loop(struct env *e);
/* Memory for one read, the next one's as soon as its callback has returned. */
enum { ENV_UV_ROOM = 64 * 1024 };
char *env_uv_room(struct env *e);

/* Runs until env_uv_stop or until nothing is left to wait for. */
void env_uv_run(struct env *e);
void env_uv_stop(struct env *e);
/* Runs turns until *done is true or nothing is left; for programs that do one thing after the other. */
void env_uv_run_until(struct env *e, const bool *done);

/* on_signal in a loop turn for SIGTERM and SIGINT; NULL takes it away. One at a time. */
void env_uv_on_signal(struct env *e, void (*on_signal)(void *ctx, int sig), void *ctx);

/* Whole small file into out (cap of out applies). Blocking: at start and for tokens. ERR_NOTFOUND, ERR_DENIED, … */
int env_uv_read_file(const char *path, struct buf *out, struct error *e) NODISCARD;
/* Writes to a temporary name beside it, fsyncs when sync is set, renames. */
int env_uv_write_file(const char *path, struct str bytes, mode_t mode, bool sync, struct error *e) NODISCARD;

#endif
