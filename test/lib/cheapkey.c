/* cheapkey REPOSITORY: gives a restic repository a key that opens at once, for tests whose time would go into keys. Its
 * password is in RESTIC_PASSWORD. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "support_restic.h"

int main(int argc, char **argv)
{
    const char *password = getenv("RESTIC_PASSWORD"); /* NOLINT(concurrency-mt-unsafe): one thread */

    if (argc != 2 || !password) {
        (void)fprintf(stderr, "usage: RESTIC_PASSWORD=… cheapkey REPOSITORY\n");
        return 2;
    }
    support_restic_cheapen(argv[1], password);
    return 0;
}
