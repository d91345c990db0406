/* bare_writes.h: durable writes with nothing around them, for comparison with the log.
 *
 * Made like the log's own, into a file of a segment's length whose blocks are there and written: by
 * io_uring with O_DIRECT and RWF_DSYNC, one at a time, or by pwritev2 with RWF_DSYNC through the page
 * cache. They go through the file front to back, again and again. Every failure ends the program. */
#ifndef WEIR_BENCH_BARE_WRITES_H
#define WEIR_BENCH_BARE_WRITES_H

#include <stdint.h>
#include <stdnoreturn.h>

#include "io/io.h"

struct bare_writes;

/* What a bench cannot go on without. */
noreturn void bench_die(const char *what, const char *why);
uint64_t bench_now_ns(void);

/* choice: like WEIR_IO_URING or like WEIR_IO_POSIX. */
struct bare_writes *bare_open(enum weir_io_choice choice, const char *dir, size_t file_bytes,
                              size_t write_bytes_max);
/* Writes the next bytes; durable when it returns. */
void bare_write(struct bare_writes *bare, size_t bytes);
void bare_close(struct bare_writes *bare);

#endif
