/* fail_point.c: reads WEIR_FAIL and carries it out.
 *
 * Uses only libc. Allocates nothing, takes no lock: a point may lie in a signal handler.
 * FP2 of fail_point.h. Checked by tests/unit/base/test_fail_point.c. */
#include "base/fail_point.h"

#include <stdlib.h>

#if WEIR_FAIL_POINTS

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DELAY_MS_DEFAULT = 1000, NUMBER_MAX = 1000000000 };

enum action { ACTION_NONE, ACTION_KILL, ACTION_STOP, ACTION_DELAY, ACTION_FAIL };

/* What is to happen at one point. */
struct order {
    enum action action;
    unsigned delay_ms;
    unsigned nth;
};

static struct order orders[WEIR_FAIL_POINT_COUNT];
static atomic_uint passed[WEIR_FAIL_POINT_COUNT];

static const char *const names[] = {
#define POINT_NAME(name, code, what) #name "_before", #name "_after",
    WEIR_FAIL_STEP_TABLE(POINT_NAME)
#undef POINT_NAME
};

static const int codes[] = {
#define POINT_CODE(name, code, what) code, code,
    WEIR_FAIL_STEP_TABLE(POINT_CODE)
#undef POINT_CODE
};

#define POINT_LINES(name, code, what) #name "_before  " what "\n" #name "_after  " what "\n"
static const char list[] = WEIR_FAIL_STEP_TABLE(POINT_LINES);

/* --- Reading WEIR_FAIL ---------------------------------------------------------------------- */

/* A piece of the variable; it ends where the next separator is. */
struct word {
    const char *text;
    size_t len;
};

static struct word next_word(const char **at, const char *separators)
{
    struct word ret = { *at, strcspn(*at, separators) };

    *at += ret.len;
    return ret;
}

static bool is_word(struct word word, const char *text)
{
    return strlen(text) == word.len && memcmp(word.text, text, word.len) == 0;
}

/* All of word as a number from 1 on. */
static bool read_number(struct word word, unsigned *ret)
{
    unsigned long value = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.text[i] < '0' || word.text[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned long)(word.text[i] - '0');
        if (value > NUMBER_MAX) {
            return false;
        }
    }
    *ret = (unsigned)value;
    return value > 0;
}

static bool read_action(struct word word, struct order *ret)
{
    static const char delay[] = "delay=";
    const size_t head = sizeof(delay) - 1;

    ret->delay_ms = DELAY_MS_DEFAULT;
    if (is_word(word, "kill")) {
        ret->action = ACTION_KILL;
    } else if (is_word(word, "stop")) {
        ret->action = ACTION_STOP;
    } else if (is_word(word, "fail")) {
        ret->action = ACTION_FAIL;
    } else if (is_word(word, "delay")) {
        ret->action = ACTION_DELAY;
    } else if (word.len > head && memcmp(word.text, delay, head) == 0) {
        ret->action = ACTION_DELAY;
        return read_number((struct word){ word.text + head, word.len - head }, &ret->delay_ms);
    } else {
        return false;
    }
    return true;
}

static int find_point(struct word word)
{
    for (int i = 0; i < WEIR_FAIL_POINT_COUNT; i++) {
        if (is_word(word, names[i])) {
            return i;
        }
    }
    return -1;
}

/* The names that share what stands before the first "_" of a wrong one, for its message. */
static int unknown_point(struct word word, struct weir_error *err)
{
    char near[WEIR_ERROR_TEXT_BYTES / 2] = "";
    size_t stage = strcspn(word.text, "_:,");
    size_t used = 0;

    for (int i = 0; i < WEIR_FAIL_POINT_COUNT; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(names[i], word.text, stage) == 0 && used + len + 2 < sizeof(near)) {
            near[used++] = ' ';
            memcpy(near + used, names[i], len + 1);
            used += len;
        }
    }
    return weir_error_set(err, WEIR_ECONFIG,
                          "WEIR_FAIL: there is no fail point \"%.*s\"%s%s; weir version "
                          "--fail-points lists all of them",
                          (int)word.len, word.text, used > 0 ? "; near it:" : "", near);
}

/* Reads POINT:ACTION[:NTH] at *at. */
static int read_order(const char **at, struct weir_error *err)
{
    struct word name = next_word(at, ":,");
    int point = find_point(name);
    struct order order = { .nth = 1 };

    if (point < 0) {
        return unknown_point(name, err);
    }
    *at += **at == ':';
    struct word action = next_word(at, ":,");
    bool good = read_action(action, &order);
    if (good && **at == ':') {
        ++*at;
        good = read_number(next_word(at, ","), &order.nth);
    }
    if (!good || orders[point].action != ACTION_NONE) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "WEIR_FAIL: give each point once, as POINT:kill, POINT:stop, "
                              "POINT:delay, POINT:delay=MS or POINT:fail, and :NTH behind it; not "
                              "\"%.*s\"",
                              (int)(*at - name.text), name.text);
    }
    if (order.action == ACTION_FAIL && codes[point] == WEIR_OK) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "WEIR_FAIL: %s is a step that cannot fail; kill, stop and delay are "
                              "possible",
                              names[point]);
    }
    orders[point] = order;
    return WEIR_OK;
}

int weir_fail_point_init(struct weir_error *err)
{
    static bool is_read;
    const char *at = getenv("WEIR_FAIL");

    if (is_read || at == NULL || *at == '\0') {
        return WEIR_OK;
    }
    for (;;) {
        int rc = read_order(&at, err);
        if (rc != WEIR_OK) {
            memset(orders, 0, sizeof(orders)); /* FP2: all of it or nothing */
            return rc;
        }
        if (*at == '\0') {
            break;
        }
        at++;
    }
    is_read = true;
    return WEIR_OK;
}

const char *weir_fail_point_list(void)
{
    return list;
}

/* --- Carrying it out ------------------------------------------------------------------------ */

static void sleep_ms(unsigned ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

int weir_fail_point_code(enum weir_fail_point point)
{
    return codes[point];
}

int weir_fail_point_pass(enum weir_fail_point point, struct weir_error *err)
{
    const struct order *order = &orders[point];

    if (order->action == ACTION_NONE || atomic_fetch_add(&passed[point], 1) + 1 != order->nth) {
        return WEIR_OK;
    }
    switch (order->action) {
    case ACTION_NONE:
        break;
    case ACTION_KILL:
        (void)kill(getpid(), SIGKILL); /* does not come back */
        break;
    case ACTION_STOP:
        (void)kill(getpid(), SIGSTOP);
        break;
    case ACTION_DELAY:
        sleep_ms(order->delay_ms);
        break;
    case ACTION_FAIL:
        return weir_error_set_errno(err, codes[point], EIO, "fail point %s", names[point]);
    }
    return WEIR_OK;
}

int weir_fail_point_pass_after(enum weir_fail_point point, int rc, struct weir_error *err)
{
    return rc == WEIR_OK ? weir_fail_point_pass(point, err) : rc;
}

#else

int weir_fail_point_init(struct weir_error *err)
{
    const char *orders = getenv("WEIR_FAIL");

    return orders == NULL || *orders == '\0'
               ? WEIR_OK
               : weir_error_set(err, WEIR_ECONFIG,
                                "WEIR_FAIL is set, but this weir was built without fail points "
                                "(-Dfail_points=true)");
}

const char *weir_fail_point_list(void)
{
    return "";
}

#endif
