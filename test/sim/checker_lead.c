/*
 * checker_lead: who competes writes only as long as the others, by the rules of the Lease, can't have it: ten seconds
 * from when the server last wrote it for him. What he had sent by then may arrive later, so only the sending is judged.
 */
#include "checker_parts.h"

#include <stdio.h>
#include <string.h>

enum { LEAD_S = 10 };

static struct checked_lead *lead_of(struct checker *c, const char *holder)
{
    for (size_t i = 0; i < CHECKED_LEADS; i++)
        if (strcmp(c->leads[i].holder, holder) == 0)
            return &c->leads[i];
    return NULL;
}

void checker_lease_changed(struct checker *c, const json_t *lease)
{
    const char *holder = json_text(lease, "spec.holderIdentity");
    struct checked_lead *lead = lead_of(c, holder);

    if (!lead) { /* a place that nobody has yet */
        lead = lead_of(c, "");
        if (!lead)
            return;
        (void)snprintf(lead->holder, sizeof(lead->holder), "%s", holder);
    }
    lead->renewed_ns = checker_now_ns(c);
}

void checker_acts(struct checker *c, const char *identity, const char *path)
{
    const struct checked_lead *lead = lead_of(c, identity);

    if (!lead || checker_now_ns(c) - lead->renewed_ns >= LEAD_S * 1000000000ull)
        checker_violation(c, "%s writes %s without the lead", identity, path);
}
