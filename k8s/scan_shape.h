/*
 * scan_shape: which keys of a list or of a watch line the scanner wants, as a tree of names. What has no node is
 * skipped without being looked at. Private to scan.
 */
#ifndef STASHD_SCAN_SHAPE_H
#define STASHD_SCAN_SHAPE_H

#include "k8s/scan.h"

/* Where kept texts go. The kind's fields follow: SLOT_FIELDS + i. */
enum scan_slot {
    SLOT_NS, SLOT_NAME, SLOT_UID, SLOT_RV, SLOT_CREATED, SLOT_DELETED,
    SLOT_OWNER_KIND, SLOT_OWNER_NAME, SLOT_OWNER_UID, /* the owner that counts */
    SLOT_REF_KIND, SLOT_REF_NAME, SLOT_REF_UID,       /* of the ownerReference being read */
    SLOT_TYPE, SLOT_STATUS, SLOT_REASON,              /* of the condition being read */
    SLOT_EVENT, SLOT_MESSAGE, SLOT_INITIAL_END,       /* a watch line's type; a Status' message; a bookmark's mark */
    SLOT_LIST_RV, SLOT_CONTINUE,
    SLOT_FIELDS,
};

enum scan_action {
    ACT_NONE,      /* a container on the way */
    ACT_ENVELOPE,  /* the watch line or the list itself: has to be an object */
    ACT_OBJECT,    /* an object of the kind: has to be an object */
    ACT_TEXT,      /* a string to slot arg; other types are left */
    ACT_VALUE,     /* a string, number or boolean to slot arg, as text */
    ACT_GENERATION,
    ACT_CODE,      /* a Status' code */
    ACT_CONTROLS,  /* an ownerReference's controller */
    ACT_REF,       /* an ownerReference */
    ACT_CONDITIONS, /* a list to be condensed into slot arg */
    ACT_CONDITION,
};

struct scan_node {
    struct str key; /* borrowed from the kind's table */
    int child, next; /* names of this object; -1: none */
    uint64_t names;  /* a bit for each of its names: most keys that come have none */
    int item;        /* node of a list's items; -1: not a list */
    enum scan_action action;
    size_t arg;
};

struct scan_shape {
    struct scan_node *nodes; /* [0]: the envelope */
    int n;
};

enum { SCAN_SHAPE_DEPTH = 16 }; /* deeper than any path of kind.c */

void scan_shape_init(struct scan_shape *shape, const struct kind *k, enum scan_mode mode);
void scan_shape_done(struct scan_shape *shape);
int scan_shape_find(const struct scan_shape *shape, int parent, struct str key); /* -1: not wanted */

#endif
