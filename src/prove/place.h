/* place.h: the directory of one proof: pipeline file, data directories, list of what was sent, logs. */
#ifndef WEIR_PROVE_PLACE_H
#define WEIR_PROVE_PLACE_H

#include <stdbool.h>

#include "weir/error.h"

enum { PROVE_PATH_BYTES = 512 };

/* Makes a new directory below parent (NULL: TMPDIR, or /tmp) for its owner alone. */
int prove_place_make(const char *parent, char ret[PROVE_PATH_BYTES], struct weir_error *err);
/* Removes a directory with all that is in it; one that is not there is fine. */
int prove_place_remove(const char *path, struct weir_error *err);
/* Copies a directory of plain files and directories; to must not be there. */
int prove_place_copy(const char *from, const char *to, struct weir_error *err);
bool prove_place_exists(const char *path);
/* WEIR_ECONFIG when the file system of a directory is too large to be filled up. */
int prove_place_check_small(const char *directory, struct weir_error *err);
/* Fills up a file system with one file; removing that is the way back. */
int prove_place_fill(const char *path, struct weir_error *err);
/* Reads a text of up to 1 MiB; *ret is to be freed. */
int prove_place_read(const char *path, char **ret, struct weir_error *err);
/* WEIR_ECONFIG when a file could not be written there. */
int prove_place_check_file(const char *path, struct weir_error *err);
int prove_place_write(const char *path, const char *text, struct weir_error *err);

#endif
