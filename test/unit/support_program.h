/* support_program: a sub-command's main function with what it writes. */
#ifndef STASHD_SUPPORT_PROGRAM_H
#define STASHD_SUPPORT_PROGRAM_H

struct job;

struct support_program {
    int status;
    char out[16384], err[16384]; /* stdout and stderr, cut to their size */
};

/* argv and envp end with NULL; argv[0] is the sub-command's name. */
void support_program_run(struct support_program *p, int (*main)(struct job *, int, const char *const *,
                                                                const char *const *),
                         struct job *j, const char *const *argv, const char *const *envp);

/* Fails the test unless it ended so and stderr has that text. */
void support_program_expect(const struct support_program *p, int status, const char *says);

#endif
