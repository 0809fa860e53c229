/* retain: see retain.h. */
#include "controllers/retain.h"

#include <stdlib.h>
#include <string.h>

static int newest_first(const void *a, const void *b)
{
    const struct retain_item *x = a, *y = b;

    if (x->created_s != y->created_s)
        return x->created_s < y->created_s ? 1 : -1;
    return strcmp(y->name, x->name);
}

void retain_mark(struct retain_item *items, size_t n, int64_t limit)
{
    bool has_success = false, has_failure = false;

    if (n)
        qsort(items, n, sizeof(*items), newest_first);
    for (size_t i = 0; i < n; i++) {
        struct retain_item *it = &items[i];
        bool is_last = (it->result == RETAIN_SUCCEEDED && !has_success) ||
                       (it->result == RETAIN_FAILED && !has_failure);

        has_success |= it->result == RETAIN_SUCCEEDED;
        has_failure |= it->result == RETAIN_FAILED;
        it->drop = it->result != RETAIN_OPEN && !it->is_awaited && !is_last && (limit < 0 || i >= (size_t)limit);
    }
}
