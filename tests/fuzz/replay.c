/* replay.c: runs a fuzz target over every file of the folders given, and over no bytes at all.
 *
 * Prints TAP, one test a file: what was once found must never come back. Each input lies in memory
 * of its own, so that a sanitizer sees what reads beyond it. */
#include <dirent.h>
#include <stdio.h>

#include "tests/fuzz/fuzz.h"

static int count;

static void run(const char *name, const uint8_t *data, size_t len)
{
    (void)LLVMFuzzerTestOneInput(data, len);
    (void)printf("ok %d - %s\n", ++count, name);
    (void)fflush(stdout); /* the next one may abort */
}

static void run_file(const char *dir, const char *name)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    weir_assert(file != NULL && fseek(file, 0, SEEK_END) == 0);
    long len = ftell(file);
    weir_assert(len >= 0 && fseek(file, 0, SEEK_SET) == 0);
    uint8_t *data = malloc((size_t)len + (len == 0));
    weir_assert(data != NULL && fread(data, 1, (size_t)len, file) == (size_t)len);
    (void)fclose(file);
    run(name, data, (size_t)len);
    free(data);
}

int main(int argc, char **argv)
{
    run("no bytes", (const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);

        if (dir == NULL) {
            (void)printf("not ok %d - no folder %s\n", ++count, argv[i]);
            continue;
        }
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            if (entry->d_name[0] != '.') {
                run_file(argv[i], entry->d_name);
            }
        }
        (void)closedir(dir);
    }
    (void)printf("1..%d\n", count);
    return 0;
}
