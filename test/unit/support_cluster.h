/*
 * support_cluster: the model with a deterministic env, spoken to in short words: JSON with ' for ", answers kept until
 * the next request. Time stands still until the test moves it.
 */
#ifndef STASHD_SUPPORT_CLUSTER_H
#define STASHD_SUPPORT_CLUSTER_H

#include "core/base/buf.h"
#include "k8s/model/model.h"
#include "support_env.h"

struct cluster {
    struct test_env env;
    struct model *m;
    json_t *answer; /* of the last request */
    /* Each change in order, as a log on disk would have it. */
    struct cluster_commit {
        uint64_t rv;
        char *key;
        json_t *object;
    } *commits;
    size_t n_commits;
    size_t live;
};

int cluster_setup(void **state); /* started and settled */
int cluster_teardown(void **state);

/* A second one that has the first n commits of c, started and settled. */
struct cluster *cluster_restart(const struct cluster *c, size_t n);
void cluster_free(struct cluster *c);

json_t *cluster_parse(const char *text); /* JSON with ' for " */
/* Requests as "admin"; body may be NULL. The status. */
int cluster_do(struct cluster *c, const char *method, const char *path, const char *body);
/* Fails the test unless the status is that. */
void cluster_must(struct cluster *c, int status, const char *method, const char *path, const char *body);
bool cluster_has(struct cluster *c, const char *path);
/* Text of a field ("" when absent; numbers and others as JSON), valid until the next request. */
const char *cluster_text(struct cluster *c, const char *path, const char *field);
/* Names of a list, separated by blanks; valid until the next request. */
const char *cluster_names(struct cluster *c, const char *path);
/* Name of the n-th item of a list. */
const char *cluster_name(struct cluster *c, const char *path, size_t n);

void cluster_settle(struct cluster *c);
void cluster_advance(struct cluster *c, uint64_t seconds);

#endif
