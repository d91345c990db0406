/* search.c: every state that can be reached, breadth first.
 *
 * Visited states are kept as 64-bit fingerprints: two states that share one would hide what lies
 * behind the second. At 10 million states the odds of one such pair are about 3 in a million.
 * Whole states are kept only while they wait for their turn; for a trace, each state has the number of
 * the one that it was first reached from and the move, and the moves are made again.
 *
 * S1  States are taken in the order of their distance: the first harm found has a shortest trace. */
#include <stdlib.h>
#include <time.h>

#include "tests/model/model.h"

enum { MOVES_MAX = 256, TRACE_MAX = 256 };

struct step {
    uint32_t from;
    struct move move;
};

struct search {
    const struct config *config;
    uint64_t *seen; /* open addressing; 0: free */
    uint64_t seen_slots, states, states_max;
    struct step *steps;  /* by number of the state */
    struct state *queue; /* of two levels, in a ring */
    uint64_t queue_slots, queue_first, queue_count;
    uint32_t *numbers; /* of the states in the queue */
};

static void *must(void *memory)
{
    if (memory == NULL) {
        (void)fprintf(stderr, "model: no memory\n");
        exit(1);
    }
    return memory;
}

/* Not there before? */
static bool visit(struct search *s, uint64_t fingerprint)
{
    uint64_t at = fingerprint & (s->seen_slots - 1);

    fingerprint += fingerprint == 0;
    while (s->seen[at] != 0) {
        if (s->seen[at] == fingerprint) {
            return false;
        }
        at = (at + 1) & (s->seen_slots - 1);
    }
    s->seen[at] = fingerprint;
    return true;
}

static void grow_seen(struct search *s)
{
    uint64_t *old = s->seen;
    uint64_t slots = s->seen_slots;

    s->seen_slots *= 2;
    s->seen = must(calloc(s->seen_slots, sizeof(*s->seen)));
    for (uint64_t i = 0; i < slots; i++) {
        if (old[i] != 0) {
            (void)visit(s, old[i]);
        }
    }
    free(old);
    s->steps = must(realloc(s->steps, s->seen_slots / 2 * sizeof(*s->steps)));
}

static void grow_queue(struct search *s)
{
    uint64_t slots = s->queue_slots * 2;
    struct state *queue = must(malloc(slots * sizeof(*queue)));
    uint32_t *numbers = must(malloc(slots * sizeof(*numbers)));

    for (uint64_t i = 0; i < s->queue_count; i++) {
        uint64_t at = (s->queue_first + i) % s->queue_slots;
        queue[i] = s->queue[at];
        numbers[i] = s->numbers[at];
    }
    free(s->queue);
    free(s->numbers);
    s->queue = queue;
    s->numbers = numbers;
    s->queue_slots = slots;
    s->queue_first = 0;
}

static void push(struct search *s, const struct state *state, uint32_t from, struct move move)
{
    uint64_t at;

    if (s->states == s->seen_slots / 2) {
        grow_seen(s);
    }
    if (s->queue_count == s->queue_slots) {
        grow_queue(s);
    }
    at = (s->queue_first + s->queue_count++) % s->queue_slots;
    s->queue[at] = *state;
    s->numbers[at] = (uint32_t)s->states;
    s->steps[s->states++] = (struct step){ .from = from, .move = move };
}

/* Makes the moves again that lead to a state; returns how many there are. */
static uint32_t tell(const struct search *s, uint32_t number, FILE *out)
{
    struct move moves[TRACE_MAX];
    uint32_t length = 0;
    struct state state;

    for (; number != 0 && length < TRACE_MAX; number = s->steps[number].from) {
        moves[length++] = s->steps[number].move;
    }
    state_init(&state);
    for (uint32_t i = length; out != NULL && i-- > 0;) {
        struct state before = state;
        (void)move_make(s->config, &state, moves[i]);
        (void)fprintf(out, "  %3u  ", length - i);
        state_tell(out, s->config, &before, moves[i], &state);
    }
    if (out != NULL) {
        state_show(out, s->config, &state);
    }
    return length;
}

/* Makes all moves from one state; true: none of them but faults was possible. */
static bool expand(struct search *s, const struct state *state, uint32_t number)
{
    struct move moves[MOVES_MAX];
    size_t count = moves_list(s->config, state, moves, MOVES_MAX);
    bool is_stuck = true;

    for (size_t i = 0; i < count; i++) {
        struct state next = *state;
        if (!move_make(s->config, &next, moves[i])) {
            continue;
        }
        is_stuck = is_stuck && (moves[i].kind > MOVE_CALM_LAST || moves[i].kind == MOVE_START);
        if (visit(s, state_fingerprint(&next))) {
            push(s, &next, number, moves[i]);
        }
    }
    return is_stuck;
}

static uint32_t harms_of(const struct search *s, const struct state *state, bool is_stuck)
{
    uint32_t wanted = s->config->harms == 0 ? UINT32_MAX : s->config->harms;

    return check_state(s->config, state, is_stuck) & wanted;
}

static void run(struct search *s, struct result *ret, FILE *out)
{
    uint32_t number = 0;

    while (s->queue_count != 0 && s->states < s->states_max) {
        struct state state = s->queue[s->queue_first];
        bool is_stuck;
        number = s->numbers[s->queue_first];
        s->queue_first = (s->queue_first + 1) % s->queue_slots;
        s->queue_count--;
        ret->harm = harms_of(s, &state, false);
        if (ret->harm == 0) {
            is_stuck = expand(s, &state, number);
            ret->harm = is_stuck ? harms_of(s, &state, true) : 0;
        }
        if (ret->harm != 0) {
            ret->depth = tell(s, number, out);
            return;
        }
    }
    ret->is_full = s->queue_count != 0;
    ret->depth = tell(s, number, NULL);
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct result search(const struct config *config, uint64_t states_max, FILE *out)
{
    struct search s = {
        .config = config, .seen_slots = 1 << 16, .queue_slots = 1 << 12, .states_max = states_max
    };
    struct result ret = { 0 };
    struct state first;
    double begin = now();

    s.seen = must(calloc(s.seen_slots, sizeof(*s.seen)));
    s.steps = must(calloc(s.seen_slots / 2, sizeof(*s.steps)));
    s.queue = must(malloc(s.queue_slots * sizeof(*s.queue)));
    s.numbers = must(malloc(s.queue_slots * sizeof(*s.numbers)));
    state_init(&first);
    (void)visit(&s, state_fingerprint(&first));
    push(&s, &first, 0, (struct move){ 0 });
    run(&s, &ret, out);
    ret.states = s.states;
    ret.seconds = now() - begin;
    free(s.seen);
    free(s.steps);
    free(s.queue);
    free(s.numbers);
    return ret;
}
