/* sim.c: the command line of the simulator; docs/TESTING.md tells how to use it.
 *
 * What of the catalogue of faults its oracle judges, in all modes:
 * covers as a whole: P-02, P-04, P-07, P-08, P-09, P-10, P-12, P-20, P-29, P-30, P-32
 * covers as a whole: D-02, D-03, D-04, D-07, D-08, D-09, D-10, D-11, D-22, E-01, E-18
 * covers as a whole: G-04, G-05, G-06, G-08, G-09, G-16, G-31, G-36, K-01, K-11, K-16 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static const char usage[] =
    "usage: sim [--seeds FROM..TO] [--jobs N]       plays seeds; shrinks those that fail\n"
    "       sim --list FILE                         plays the seeds that a file names\n"
    "       sim --seed S [--trace] [--only LIST]    plays one; LIST: TURN:FAULT,... or none\n"
    "       sim --variant NAME [...]                leaves out one rule\n"
    "       sim --all-variants [--jobs N]           each must be caught\n"
    "       sim --exhaustive [--jobs N]             each crash, pair, outcome and failure there "
    "is\n"
    "       --report FILE                           the result as a table as well\n";

enum { JOBS_MAX = 64 };

struct command {
    uint64_t from, to, seed;
    uint32_t jobs;
    const char *list;
    bool one, traced, all_variants, exhaustive;
    FILE *report; /* or NULL */
    bool has_only;
    struct sim_event only[SIM_EVENTS_MAX];
    size_t only_count;
};

/* A number at the beginning of text, which goes on at *ret_end. strtoull() alone takes "abc" for 0. */
static bool parse_number(const char *text, const char **ret_end, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    *ret_end = end;
    return text[0] >= '0' && text[0] <= '9' && errno == 0;
}

static bool parse_range(const char *text, struct command *ret)
{
    const char *end;

    return parse_number(text, &end, &ret->from) && strncmp(end, "..", 2) == 0 &&
           parse_number(end + 2, &end, &ret->to) && *end == '\0' && ret->to >= ret->from;
}

static bool parse_seed(const char *text, struct command *ret)
{
    const char *end;

    ret->one = true;
    return parse_number(text, &end, &ret->seed) && *end == '\0';
}

static bool parse_jobs(const char *text, struct command *ret)
{
    const char *end;
    uint64_t jobs;

    if (!parse_number(text, &end, &jobs) || *end != '\0' || jobs < 1 || jobs > JOBS_MAX) {
        return false;
    }
    ret->jobs = (uint32_t)jobs;
    return true;
}

static bool parse_event(char *text, struct sim_event *ret)
{
    char *colon = strchr(text, ':');

    if (colon == NULL) {
        return false;
    }
    ret->turn = (uint32_t)strtoul(text, NULL, 10);
    for (int i = 0; i < SIM_FAULTS; i++) {
        if (strcmp(colon + 1, sim_fault_name((enum sim_fault)i)) == 0) {
            ret->fault = (enum sim_fault)i;
            return true;
        }
    }
    return false;
}

static bool parse_only(char *text, struct command *ret)
{
    char *rest = NULL;

    ret->has_only = true;
    if (strcmp(text, "none") == 0) {
        return true;
    }
    for (char *item = strtok_r(text, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
        if (ret->only_count == SIM_EVENTS_MAX ||
            !parse_event(item, &ret->only[ret->only_count++])) {
            return false;
        }
    }
    return true;
}

static bool parse(int argc, char **argv, struct command *ret)
{
    static const struct option options[] = { { "seeds", required_argument, NULL, 's' },
                                             { "jobs", required_argument, NULL, 'j' },
                                             { "seed", required_argument, NULL, 'S' },
                                             { "trace", no_argument, NULL, 't' },
                                             { "only", required_argument, NULL, 'o' },
                                             { "variant", required_argument, NULL, 'v' },
                                             { "all-variants", no_argument, NULL, 'a' },
                                             { "list", required_argument, NULL, 'l' },
                                             { "exhaustive", no_argument, NULL, 'e' },
                                             { "report", required_argument, NULL, 'r' },
                                             { 0 } };
    const char *wanted = "";
    bool ok = true;
    int c;

    *ret = (struct command){ .from = 0, .to = 9999, .jobs = 1 };
    while (ok && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 's':
            ok = parse_range(optarg, ret);
            wanted = "--seeds takes FROM..TO, two numbers of which the second is not less";
            break;
        case 'j':
            ok = parse_jobs(optarg, ret);
            wanted = "--jobs takes a number from 1 to 64";
            break;
        case 'S':
            ok = parse_seed(optarg, ret);
            wanted = "--seed takes a number";
            break;
        case 't':
            ret->traced = true;
            break;
        case 'o':
            ok = parse_only(optarg, ret);
            wanted = "--only takes none, or TURN:FAULT,... as a failed seed prints them";
            break;
        case 'v':
            ok = sim_variant_choose(optarg);
            wanted = "--variant takes the name of a rule to leave out";
            break;
        case 'l':
            ret->list = optarg;
            break;
        case 'a':
            ret->all_variants = true;
            break;
        case 'e':
            ret->exhaustive = true;
            break;
        case 'r':
            ret->report = fopen(optarg, "we");
            ok = ret->report != NULL;
            wanted = "--report takes a file that can be written";
            break;
        default:
            return false; /* getopt has said why */
        }
        if (!ok) {
            (void)fprintf(stderr, "sim: %s, not '%s'\n", wanted, optarg);
        }
    }
    if (ok && optind != argc) {
        (void)fprintf(stderr, "sim: what is '%s'?\n", argv[optind]);
    }
    return ok && optind == argc;
}

static int play_one(const struct command *command)
{
    struct sim_outcome *outcome = calloc(1, sizeof(*outcome));
    const struct sim_event *only = command->has_only ? command->only : NULL;
    int rc;

    if (outcome == NULL) {
        return 1;
    }
    sim_play(command->seed, only, command->only_count, command->traced, outcome);
    printf("seed %llu: %s (%zu faults, trace hash %016llx)\n", (unsigned long long)command->seed,
           outcome->violation[0] != '\0' ? outcome->violation : "passed", outcome->event_count,
           (unsigned long long)outcome->hash);
    rc = outcome->violation[0] != '\0' ? 1 : 0;
    free(outcome);
    return rc;
}

int main(int argc, char **argv)
{
    static struct command command;

    if (!parse(argc, argv, &command)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (command.one) {
        return play_one(&command);
    }
    if (command.list != NULL) {
        return sim_run_list(command.list) == 0 ? 0 : 1;
    }
    uint64_t failed;
    if (command.all_variants) {
        failed = sim_variants_run(command.jobs, command.report);
    } else if (command.exhaustive) {
        failed = sim_exhaustive_run(command.jobs, command.report);
    } else {
        failed = sim_run_seeds(command.from, command.to, command.jobs, command.report);
    }
    if (command.report != NULL && fclose(command.report) != 0) {
        perror("report");
        failed++;
    }
    return failed == 0 ? 0 : 1;
}
