/*
 * support_restic: real restic repositories that open at once. restic makes a key so dear that a guess at its password
 * costs half a second, and each of its calls pays that again; here it is one that costs nothing.
 */
#ifndef STASHD_SUPPORT_RESTIC_H
#define STASHD_SUPPORT_RESTIC_H

/* Makes an empty repository in dir/repo, as `restic init` does. One is made in a program's life and the others are
 * copies of it, with its id and its password: a test program has one password. */
void support_restic_make(const char *dir, const char *password);

/* restic's part of a shell line: all copies have one id, which their caches would share. */
#define SUPPORT_RESTIC_SHELL "restic() { command restic --no-cache \"$@\"; }; "

/* Gives a repository that is there a key that costs nothing, in place of those that it has. */
void support_restic_cheapen(const char *repo, const char *password);

#endif
