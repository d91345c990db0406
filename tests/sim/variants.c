/* variants.c: rules left out on purpose (base/variant.h): a simulator that does not notice proves
 * nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/variant.h"
#include "tests/sim/sim.h"

enum { SEEDS_MAX = 60000, VIOLATION_WIDTH = 60 };

enum weir_variant weir_variant_on;

static const struct {
    const char *name, *what;
} variants[WEIR_VARIANTS] = {
#define VARIANT_ROW(name, what) [WEIR_VARIANT_##name] = { #name, what },
    WEIR_VARIANT_TABLE(VARIANT_ROW)
#undef VARIANT_ROW
};

bool sim_variant_choose(const char *name)
{
    for (int i = WEIR_VARIANT_NONE + 1; i < WEIR_VARIANTS; i++) {
        if (strcmp(variants[i].name, name) == 0) {
            weir_variant_on = (enum weir_variant)i;
            return true;
        }
    }
    return false;
}

const char *sim_variant_name(void)
{
    return variants[weir_variant_on].name;
}

uint32_t sim_variants_run(uint32_t jobs)
{
    struct sim_outcome *outcome = calloc(1, sizeof(*outcome));
    uint32_t escaped = 0;

    weir_assert(outcome != NULL);
    printf("%-26s %8s  %s\n", "variant", "seed", "caught by");
    for (int i = WEIR_VARIANT_NONE + 1; i < WEIR_VARIANTS; i++) {
        uint64_t seed = 0;
        weir_variant_on = (enum weir_variant)i;
        bool caught = sim_find_failure(0, SEEDS_MAX, jobs, &seed, outcome);
        if (caught) {
            printf("%-26s %8llu  %.*s\n", variants[i].name, (unsigned long long)seed,
                   VIOLATION_WIDTH, outcome->violation);
        } else {
            printf("%-26s %8s  NOT CAUGHT: %s\n", variants[i].name, "-", variants[i].what);
        }
        (void)fflush(stdout);
        escaped += !caught;
    }
    weir_variant_on = WEIR_VARIANT_NONE;
    printf("variants: %d passed, %u failed\n", WEIR_VARIANTS - 1 - (int)escaped, escaped);
    free(outcome);
    return escaped;
}
