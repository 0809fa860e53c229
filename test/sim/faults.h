/*
 * faults: an http_peer in front of another one that loses, delays and refuses calls by seeded dice: the request lost,
 * the answer lost (it took effect!), 429, 500, a slow one, a watch cut in the middle of a line.
 */
#ifndef STASHD_SIM_FAULTS_H
#define STASHD_SIM_FAULTS_H

#include "core/base/env.h"
#include "core/base/http.h"

struct faults; /* opaque */

struct faults *faults_new(struct env *env, struct http_peer *inner, uint64_t seed, unsigned percent);
void faults_free(struct faults *f);
struct http_peer *faults_peer(struct faults *f);
void faults_set_percent(struct faults *f, unsigned percent); /* 0: all is well from now on */
uint64_t faults_count(const struct faults *f);

#endif
