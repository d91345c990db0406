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

/* The seed that caught it must pass without it: it is the rule that was missed, nothing else. */
static bool passes_without(uint64_t seed)
{
    enum weir_variant was = weir_variant_on;
    struct sim_outcome *outcome = calloc(1, sizeof(*outcome));

    weir_assert(outcome != NULL);
    weir_variant_on = WEIR_VARIANT_NONE;
    sim_play_apart(seed, NULL, 0, outcome);
    bool ret = outcome->violation[0] == '\0';
    weir_variant_on = was;
    free(outcome);
    return ret;
}

static void tell(FILE *report, const char *name, bool caught, uint64_t seed, const char *by)
{
    char text[VIOLATION_WIDTH + 1];

    (void)snprintf(text, sizeof(text), "%s", by);
    printf("%-26s %8llu  %s%s\n", name, (unsigned long long)seed,
           caught ? "" : "NOT CAUGHT: ", text);
    (void)fflush(stdout);
    if (report != NULL) {
        (void)fprintf(report, "%s\t%s\t%llu\t%llu\t%s\n", name, caught ? "yes" : "no",
                      (unsigned long long)seed, (unsigned long long)seed + (caught ? 1 : 0), text);
    }
}

uint32_t sim_variants_run(uint32_t jobs, FILE *report)
{
    struct sim_outcome *outcome = calloc(1, sizeof(*outcome));
    uint32_t escaped = 0;

    weir_assert(outcome != NULL);
    printf("%-26s %8s  %s\n", "variant", "seed", "caught by");
    if (report != NULL) {
        (void)fputs("variant\tcaught\tseed\tseeds\tby\n", report);
    }
    for (int i = WEIR_VARIANT_NONE + 1; i < WEIR_VARIANTS; i++) {
        uint64_t seed = 0;
        weir_variant_on = (enum weir_variant)i;
        if (!sim_find_failure(0, SEEDS_MAX, jobs, &seed, outcome)) {
            escaped++;
            tell(report, variants[i].name, false, SEEDS_MAX, variants[i].what);
        } else if (!passes_without(seed)) {
            escaped++;
            tell(report, variants[i].name, false, seed, "the seed fails without it as well");
        } else {
            tell(report, variants[i].name, true, seed, outcome->violation);
        }
    }
    weir_variant_on = WEIR_VARIANT_NONE;
    printf("variants: %d passed, %u failed\n", WEIR_VARIANTS - 1 - (int)escaped, escaped);
    free(outcome);
    return escaped;
}
