/* builtin: see builtin.h. The kinds' own parts are in builtin_default.c, builtin_check.c and builtin_pod*.c. */
#include "k8s/model/builtin_parts.h"

void builtin_default(const struct resource *r, json_t *object, const json_t *old)
{
    builtin_default_fn *fn = builtin_default_of(r);

    if (fn)
        fn(object, old);
}

int builtin_validate(const struct resource *r, const json_t *object, const json_t *old, json_t *ret_causes)
{
    struct check c = {.object = object, .old = old, .causes = ret_causes};
    builtin_check_fn *fn = builtin_check_of(r);
    struct place root = {0};
    size_t before = json_array_size(ret_causes);

    if (fn)
        fn(&c, &root);
    return (int)(json_array_size(ret_causes) - before);
}
