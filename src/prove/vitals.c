/* vitals.c: reads /proc of a child. */
#include "prove/vitals.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 1024, FIELD_UTIME = 14, FIELD_NAME = 2 };

static bool count_descriptors(pid_t pid, uint32_t *ret)
{
    char path[64];
    const struct dirent *entry;
    uint32_t count = 0;
    DIR *directory;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    directory = opendir(path);
    if (directory == NULL) {
        return false;
    }
    while ((entry = readdir(directory)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(directory); /* only read */
    *ret = count;
    return true;
}

static bool read_cpu(pid_t pid, double *ret_s)
{
    char path[64], text[TEXT_BYTES];
    FILE *file;
    size_t len;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file); /* only read */
    text[len] = '\0';
    /* The name, which may hold anything, ends at the last bracket. */
    char *at = strrchr(text, ')');
    for (int field = FIELD_NAME; at != NULL && field < FIELD_UTIME; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return false;
    }
    unsigned long long user = strtoull(at, &at, 10);
    unsigned long long kernel = strtoull(at, NULL, 10);
    *ret_s = (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
    return true;
}

bool prove_vitals_read(pid_t pid, struct prove_vitals *ret)
{
    return count_descriptors(pid, &ret->descriptors) && read_cpu(pid, &ret->cpu_s);
}
