/* support_program: see support_program.h. */
#include "support_program.h"

#include "test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct capture {
    int fd, kept;
    FILE *file;
};

static void begin(struct capture *c, int fd)
{
    (void)fflush(NULL);
    c->fd = fd;
    c->kept = dup(fd);
    c->file = tmpfile();
    assert_true(c->kept >= 0);
    assert_non_null(c->file);
    assert_int_equal(dup2(fileno(c->file), fd), fd);
}

static void end(struct capture *c, char *text, size_t size)
{
    size_t n;

    (void)fflush(NULL);
    assert_int_equal(dup2(c->kept, c->fd), c->fd);
    (void)close(c->kept);
    rewind(c->file);
    n = fread(text, 1, size - 1, c->file);
    text[n] = 0;
    (void)fclose(c->file);
}

void support_program_run(struct support_program *p, int (*main)(struct job *, int, const char *const *,
                                                                const char *const *),
                         struct job *j, const char *const *argv, const char *const *envp)
{
    struct capture out, err;
    int n = 0;

    while (argv[n])
        n++;
    begin(&out, STDOUT_FILENO);
    begin(&err, STDERR_FILENO);
    p->status = main(j, n, argv, envp);
    end(&err, p->err, sizeof(p->err));
    end(&out, p->out, sizeof(p->out));
}

void support_program_expect(const struct support_program *p, int status, const char *says)
{
    if (p->status != status || !strstr(p->err, says))
        fail_msg("status %d, \"%s\"; expected %d, \"%s\"", p->status, p->err, status, says);
}
