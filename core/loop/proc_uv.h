/* proc_uv: the child-process part of env_uv's operations (env.h: struct proc). */
#ifndef STASHD_PROC_UV_H
#define STASHD_PROC_UV_H

#include "core/base/env.h"

int proc_uv_start(struct env *e, struct proc *p, const struct proc_spec *spec, struct error *err);
bool proc_uv_write(struct env *e, struct proc *p, const void *bytes, size_t n);
void proc_uv_close_stdin(struct env *e, struct proc *p);
void proc_uv_kill(struct env *e, struct proc *p, int sig);
pid_t proc_uv_pid(struct env *e, struct proc *p);
void proc_uv_pause(struct env *e, struct proc *p, bool paused);

#endif
