/* secret: see secret.h. */
#include "core/base/secret.h"

#include "core/base/mem.h"

void secret_init(struct secret *s)
{
    *s = (struct secret){0};
}

void secret_done(struct secret *s)
{
    if (s->bytes)
        mem_wipe(s->bytes, s->n);
    mem_free(s->bytes);
    secret_init(s);
}

void secret_set(struct secret *s, struct str bytes)
{
    secret_done(s);
    s->bytes = mem_strndup(bytes.n ? bytes.p : "", bytes.n);
    s->n = bytes.n;
}
