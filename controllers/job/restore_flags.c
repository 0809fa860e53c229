/*
 * restore_flags: what can be said of a restore's flags before anybody is asked: here, so that a typing error is not
 * found after minutes of waiting for the repository and the database.
 */
#include <string.h>

#include "controllers/job/restore_parts.h"
#include "controllers/job/words.h"

static bool is_id(const char *s)
{
    size_t n = strspn(s, "0123456789abcdef");

    return n >= 8 && n <= 64 && s[n] == 0;
}

int restore_flags_check_snapshot(const char *id, struct error *e)
{
    if (str_same(id, "latest") || is_id(id))
        return 0;
    if (strchr(id, ','))
        return error_set(e, ERR_INVALID, "--snapshot=%.200s: exactly one snapshot can be restored", id);
    return error_set(e, ERR_INVALID, "--snapshot=%.200s is neither \"latest\" nor the id of a snapshot", id);
}

/* As the tools read it: a number and one letter, after which they look at nothing, so that "2Gi" is 2 GiB too. */
static bool is_memory(const char *s)
{
    size_t digits = strspn(s, "0123456789");
    const char *unit = s + digits;

    if (digits == 0 || digits > 18)
        return false;
    if (*unit && strchr("kKmMgGtT", *unit))
        unit += unit[1] == 'i' ? 2 : 1;
    if (unit > s + digits && (*unit == 'B' || *unit == 'b'))
        unit++;
    return *unit == 0;
}

int restore_flags_check(const struct restore_flags *f, const char *const *envp, struct error *e)
{
    int rc = repo_flags_check(&f->repo, envp, e);

    if (rc < 0 || (rc = restore_flags_check_snapshot(f->snapshot, e)) < 0)
        return rc;
    if (!str_same(f->existing_data, "refuse") && !str_same(f->existing_data, "keep"))
        return error_set(e, ERR_INVALID, "--existing-data=%.63s: expected refuse or keep", f->existing_data);
    if (f->use_memory && *f->use_memory && !is_memory(f->use_memory))
        return error_set(e, ERR_INVALID, "--use-memory=%.63s: expected bytes, or a number with K, M or G, such as 2G",
                         f->use_memory);
    rc = words_check(str_of(f->args), e);
    return rc < 0 ? error_wrap(e, rc, "--xtradb-args") : 0;
}
