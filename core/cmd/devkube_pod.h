/* devkube_pod: what the parts of devkube's kubelet share: a pod, its containers, and the doors between the files. */
#ifndef STASHD_DEVKUBE_POD_H
#define STASHD_DEVKUBE_POD_H

#include <stdio.h>

#include "core/base/arena.h"
#include "core/base/list.h"
#include "core/base/map.h"
#include "core/cmd/devkube_kubelet.h"

#define DEVKUBE_NODE "devkube"

enum container_state {
    CONTAINER_WAITING, /* not started yet, or waiting to be started again */
    CONTAINER_RUNNING,
    CONTAINER_TERMINATED, /* ended, and by its pod's restartPolicy not started again */
};

struct container {
    struct pod *pod;
    const json_t *spec; /* borrowed from pod->spec */
    const char *name;   /* idem */
    bool init;
    enum container_state state;
    char reason[64]; /* of waiting or terminated */
    char *message;   /* idem; NULL */
    int exit_code, restarts;
    int64_t started_s, finished_s;
    struct proc proc;
    bool proc_live;
    FILE *log;
    struct timer again;     /* a restart's back-off */
    struct list followers;  /* of devkube_kubelog.c */
};

enum pod_state {
    POD_PREPARING, /* a volume's source is not there yet: tried again each second */
    POD_INIT,      /* init containers, one after the other */
    POD_RUNNING,   /* the main containers */
    POD_ENDED,     /* all are terminated; the phase is final */
    POD_STOPPING,  /* being deleted: SIGTERM is out, SIGKILL follows after the grace */
};

struct pod {
    struct kubelet *k;
    char *ns, *name, *uid, *dir;
    char ip[16];
    enum pod_state state;
    json_t *spec, *meta; /* own references */
    struct container *containers;
    size_t n_init, n_containers; /* init containers first */
    struct timer timer;          /* preparing again, or the end of the grace */
    bool deleting, queued;
    char problem[512]; /* why it is still preparing */
    int64_t start_s;
    struct list link; /* in k->queue */
};

struct kubelet {
    struct kubelet_options o;
    struct map pods;    /* by uid */
    struct list queue;  /* keys whose object changed */
    struct timer work, tokens;
    char *shm; /* folder for volumes with medium Memory */
    unsigned net;     /* pods have 127.<net>.x.y: another devkube of this machine most likely has others */
    unsigned next_ip;
    bool stopping;
    void (*on_stopped)(void *ctx);
    void *ctx;
};

/* ---- devkube_podstatus.c ---- */
void pod_publish(struct pod *p); /* writes the pod's status from its containers */
void pod_event(struct pod *p, const char *type, const char *reason, const char *message);

/* ---- devkube_kubelet.c ---- */
void pod_continue(struct pod *p); /* after a container ended: the next step */

/* ---- devkube_volume.c ---- */
/* Makes the folders of all volumes. 0; ERR_NOTFOUND: a source is not there (yet), e names it; else for good. */
int volumes_prepare(struct pod *p, struct error *e) NODISCARD;
/* Folder of a volume on this machine, in a; NULL: no such volume. */
const char *volume_path(const struct pod *p, const char *volume, struct arena *a);
void volumes_refresh_tokens(struct pod *p);
void volumes_remove(struct pod *p);
/* Binds a claim to a folder, or removes the folder of a deleted one. */
void claim_sync(struct kubelet *k, const json_t *claim, bool deleted);
bool remove_tree(const char *path);
bool make_folder(const char *path, mode_t mode);

/* ---- devkube_podenv.c ---- */
enum { WORDS_MAX = 1024 };

/* A command line or an environment; texts are in the arena, NULL-terminated, cut at WORDS_MAX. */
struct words {
    struct arena *a;
    const char *list[WORDS_MAX];
    size_t n;
};

static inline void words_add(struct words *w, const char *word)
{
    if (w->n < WORDS_MAX - 1)
        w->list[w->n++] = arena_strdup(w->a, word);
}

/* The container's environment. ERR_NOTFOUND: a Secret or ConfigMap that it needs is not there. */
int podenv_build(struct words *env, const struct container *c, struct error *e) NODISCARD;
/* $(NAME) of what is known so far, in env's arena; $$ is a dollar sign; unknown names stay as they are. */
const char *podenv_expand(const struct words *env, const char *text);

/* ---- devkube_container.c ---- */
void container_start(struct container *c);
void container_signal(struct container *c, int sig);
void container_done(struct container *c);

/* ---- devkube_kubelog.c ---- */
void kubelog_line(struct container *c, struct str line);
void kubelog_ended(struct container *c); /* followers are let go */
void kubelog_serve(void *kubelet, struct http_serve *s, const char *ns, const char *pod, const char *container,
                   bool follow, bool previous, int64_t tail_lines);
/* The last lines of the log, at most 2 kB: what FallbackToLogsOnError puts into the termination message. */
char *kubelog_tail(const struct container *c);

#endif
