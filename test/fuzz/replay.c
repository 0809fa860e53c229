/* replay: runs a fuzz target over the files of its corpus, so that old findings are ordinary tests. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t n;
    uint8_t *exact;

    if (!f) {
        perror(path);
        return 1;
    }
    n = fread(bytes, 1, sizeof(bytes), f);
    (void)fclose(f);
    exact = malloc(n ? n : 1); /* its own block: a read past the end is seen */
    if (!exact)
        return 1;
    memcpy(exact, bytes, n);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned n = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (!dir) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *d; (d = readdir(dir));) {
        char path[4096];

        if (d->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], d->d_name);
        if (replay_file(path))
            return 1;
        n++;
    }
    (void)closedir(dir);
    (void)printf("%u inputs replayed\n", n);
    return n ? 0 : 1; /* an empty corpus shows nothing */
}
