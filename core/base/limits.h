/* limits: every cap on what others can make big, each with its reason. */
#ifndef STASHD_LIMITS_H
#define STASHD_LIMITS_H

enum {
    LIMIT_LINE = 64 * 1024,             /* a line of a child's output; restic's longest is a few kB */
    LIMIT_WATCH_LINE = 2 * 1024 * 1024, /* one watch event; etcd refuses objects over 1.5 MiB (multitenancy.md 6) */
    LIMIT_DOCUMENT = 4 * 1024 * 1024,   /* one whole object read again */
    LIMIT_KEPT_DOCUMENTS = 8 * 1024 * 1024, /* objects kept as they came; a session works with two of about 4 kB */
    LIMIT_KEPT_TREES = 128 * 1024,          /* of them, those whose trees are kept: ten times as much memory */
    LIMIT_HEADERS = 64 * 1024,          /* all headers of one message */
    LIMIT_REQUEST_BODY = 4 * 1024 * 1024, /* a request that we serve; the API server's own limit is 3 MiB */
    LIMIT_JSON_DEPTH = 128,             /* nesting in the scanner; jansson's own limit is 2048 */
    LIMIT_MESSAGE = 1024,               /* a message of a condition or event (multitenancy.md 9) */
    LIMIT_PARAM = 4 * 1024,             /* a tenant's value in a substitution (multitenancy.md 3.4) */
    LIMIT_STRING = 64 * 1024,           /* a string after substitution (idem) */
    LIMIT_POD = 256 * 1024,             /* a pod after substitution (idem) */
};

#endif
