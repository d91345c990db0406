/* points.h: the fail points of a build that has them, in an order drawn from the seed.
 *
 * A build with -Dfail_points=true dies where WEIR_FAIL says (base/fail_point.h). Each tour goes
 * through all points once; the first one dies at the first passage, later ones at any of a few. */
#ifndef WEIR_PROVE_POINTS_H
#define WEIR_PROVE_POINTS_H

#include <stddef.h>

#include "prove/moment.h"
#include "weir/error.h"

enum { PROVE_POINT_BYTES = 64 };

struct prove_points {
    char (*names)[PROVE_POINT_BYTES];
    size_t count; /* 0: a build without them */
    size_t next, tour;
};

struct prove_point {
    const char *name;                  /* borrowed from the list */
    char order[2 * PROVE_POINT_BYTES]; /* for WEIR_FAIL */
    bool asks_for_end;                 /* reached after SIGTERM only */
    bool wants_no_log;                 /* reached without a log only */
};

/* Whether this build has any. */
bool prove_points_exist(void);
/* Reads the list and shuffles it. WEIR_ENOMEM. */
int prove_points_init(struct prove_points *points, struct prove_chance *chance,
                      struct weir_error *err);
void prove_points_fini(struct prove_points *points);
/* Only when there are some. */
struct prove_point prove_points_next(struct prove_points *points, struct prove_chance *chance);

#endif
