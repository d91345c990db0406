/* points.c: which fail point a life is to die at. */
#include "prove/points.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fail_point.h"

enum { PASSAGES_MAX = 4 };

bool prove_points_exist(void)
{
    return weir_fail_point_list()[0] != '\0';
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            count++;
        }
    }
    return count;
}

int prove_points_init(struct prove_points *points, struct prove_chance *chance,
                      struct weir_error *err)
{
    const char *line = weir_fail_point_list();
    size_t count = count_lines(line);

    points->names = calloc(count + 1, sizeof(*points->names));
    if (points->names == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for fail points");
    }
    for (; points->count < count; points->count++, line = strchr(line, '\n') + 1) {
        (void)snprintf(points->names[points->count], PROVE_POINT_BYTES, "%.*s",
                       (int)strcspn(line, " \t\n"), line);
    }
    for (size_t i = count; i > 1; i--) {
        char name[PROVE_POINT_BYTES];
        size_t other = prove_chance_below(chance, i);
        memcpy(name, points->names[i - 1], sizeof(name));
        memcpy(points->names[i - 1], points->names[other], sizeof(name));
        memcpy(points->names[other], name, sizeof(name));
    }
    return WEIR_OK;
}

void prove_points_fini(struct prove_points *points)
{
    free(points->names);
    *points = (struct prove_points){ 0 };
}

struct prove_point prove_points_next(struct prove_points *points, struct prove_chance *chance)
{
    struct prove_point point = { 0 };
    uint64_t passage;

    weir_assert(points->count > 0);
    if (points->next == points->count) {
        points->next = 0;
        points->tour++;
    }
    point.name = points->names[points->next++];
    passage = points->tour == 0 ? 1 : 1 + prove_chance_below(chance, PASSAGES_MAX);
    (void)snprintf(point.order, sizeof(point.order), "%s:kill:%" PRIu64, point.name, passage);
    point.asks_for_end = starts_with(point.name, "stop_");
    point.wants_no_log = starts_with(point.name, "start_create_") ||
                         starts_with(point.name, "recover_follow_") ||
                         starts_with(point.name, "recover_void_");
    return point;
}
