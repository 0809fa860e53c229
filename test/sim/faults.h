/*
 * faults: an http_peer between one operator and the API server: it loses, delays, holds, reorders and refuses calls by
 * seeded dice, and cuts, holds and spoils watches; see fault.h. Whatever it tells the operator comes by the operator's
 * own timers, so a stopped process hears nothing. It also counts writes that changed nothing.
 */
#ifndef STASHD_SIM_FAULTS_H
#define STASHD_SIM_FAULTS_H

#include "core/base/http.h"
#include "fault.h"
#include "process.h"

struct faults; /* opaque */

struct faults_options {
    struct process *process; /* of the operator */
    struct http_peer *inner; /* the server */
    struct fault_book *book;
    uint64_t seed;
    unsigned percent;           /* of calls */
    struct fault_nth *nth;      /* NULL: none is meant */
    void (*on_kill)(void *ctx); /* a call wants the operator dead; not inside a callback of its own */
    void (*on_act)(void *ctx, const struct http_call *call); /* a write goes out; NULL fine */
    /* Each write that the server has answered. changed: is there a new version of what it was about? */
    void (*on_write)(void *ctx, const struct http_call *call, int status, bool changed);
    uint64_t (*rv)(void *ctx); /* the server's, now */
    void *ctx;
};

struct faults *faults_new(const struct faults_options *o);
/* The process is gone: nothing more goes out, and what was under way ends as canceled. */
void faults_die(struct faults *f);
void faults_free(struct faults *f); /* after the inner peer */
struct http_peer *faults_peer(struct faults *f);
void faults_set_percent(struct faults *f, unsigned percent); /* 0: all is well from now on */

/* Streams: all that are open, or only watches, end now. */
void faults_break_all(struct faults *f);
void faults_break_watches(struct faults *f);
void faults_refuse_until(struct faults *f, uint64_t ns);                        /* no connection */
void faults_hide_until(struct faults *f, const char *plural, uint64_t ns); /* 404; plural is static */

#endif
