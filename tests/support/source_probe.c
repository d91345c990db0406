/* source_probe.c: a Kafka source driven by lines on standard input, for tests in Python.
 *
 * source_probe PIPELINE NAME=VALUE... opens the source with these options. A record is printed as
 *   r PARTITION OFFSET TIMESTAMP_US KEY VALUE HEADERS
 * with keys, values and headers in hexadecimal, "-" for a null; a partition's position as NEXT/WITNESS/DIGEST. Each
 * command ends with one line: "ok ..." or "error CODE REASON TEXT". Commands:
 *   discover                 ok TOPIC:NUMBER:IDENTITY ...
 *   start [new]              ok POSITION ...     where the option start says
 *   seek POSITION ... [until NEXT ...]
 *   read COUNT WAIT_MS       until COUNT records have come or the time is over, or a range is complete
 *   drain COUNT WAIT_MS      the same without printing: ok RECORDS MICROSECONDS LONGEST_SILENCE_US GAPS
 *   sleep MS
 *   positions                ok POSITION ...
 *   state                    ok reached=0|1 caught_up=0|1 lag=N|? trouble=TEXT
 *   publish                  tells the consumer group the positions */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "source/kafka_source.h"
#include "weir/log.h"

enum { OPTIONS_MAX = 32, PARTITIONS_MAX = 64, ROWS_MAX = 4096, LINE_BYTES = 8192 };

static const struct weir_source_ops *const ops = &weir_kafka_source_ops;
static void *source;
static struct weir_arena arena;
static uint32_t partition_count;

static void print_log(void *context, enum weir_log_level level, const char *event,
                      const char *message)
{
    (void)context;
    (void)fprintf(stderr, "%d %s: %s\n", (int)level, event, message);
}

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void print_hex(struct weir_str bytes, bool is_null)
{
    (void)putchar(' ');
    if (is_null) {
        (void)putchar('-');
    }
    for (size_t i = 0; i < bytes.len; i++) {
        (void)printf("%02x", (unsigned char)bytes.data[i]);
    }
}

static void print_record(const struct weir_record *record)
{
    (void)printf("r %u %lld %lld", record->partition, (long long)record->offset,
                 (long long)record->timestamp_us);
    print_hex(record->key, record->key_is_null);
    print_hex(record->value, record->value_is_null);
    print_hex(record->headers, false);
    (void)putchar('\n');
}

static void print_position(const struct weir_position *at)
{
    (void)printf(" %lld/%lld/%llu", (long long)at->next, (long long)at->witness_offset,
                 (unsigned long long)at->witness_digest);
}

static void end(int rc, const struct weir_error *err)
{
    if (rc == WEIR_OK) {
        (void)printf("\n");
    } else {
        (void)printf("error %s %s %s\n", weir_error_name(rc),
                     err->reason[0] == '\0' ? "-" : err->reason, err->text);
    }
    (void)fflush(stdout);
}

static int discover(struct weir_error *err)
{
    struct weir_source_partitions list;
    int rc = ops->discover(source, &list, err);

    if (rc == WEIR_OK) {
        partition_count = list.count < PARTITIONS_MAX ? list.count : PARTITIONS_MAX;
        (void)printf("ok");
        for (uint32_t i = 0; i < partition_count; i++) {
            (void)printf(" %.*s:%d:%llu", WEIR_STR_ARG(list.items[i].stream), list.items[i].number,
                         (unsigned long long)list.items[i].identity);
        }
    }
    return rc;
}

static int start(bool is_new, struct weir_error *err)
{
    struct weir_position at[PARTITIONS_MAX];
    int rc = WEIR_OK;

    for (uint32_t i = 0; i < partition_count && rc == WEIR_OK; i++) {
        rc = ops->start_position(source, i, is_new, &at[i], err);
    }
    if (rc == WEIR_OK) {
        (void)printf("ok");
        for (uint32_t i = 0; i < partition_count; i++) {
            print_position(&at[i]);
        }
    }
    return rc;
}

/* Reads "NEXT/WITNESS/DIGEST ... [until NEXT ...]". */
static int seek(char *args, struct weir_error *err)
{
    struct weir_position at[PARTITIONS_MAX];
    struct weir_position until[PARTITIONS_MAX];
    uint32_t count = 0;
    uint32_t until_count = 0;
    bool is_until = false;
    char *later = NULL;

    for (char *word = strtok_r(args, " ", &later); word != NULL;
         word = strtok_r(NULL, " ", &later)) {
        if (strcmp(word, "until") == 0) {
            is_until = true;
            continue;
        }
        struct weir_position *to = is_until ? &until[until_count++] : &at[count++];
        char *rest;
        *to = (struct weir_position){ .next = strtoll(word, &rest, 10), .witness_offset = -1 };
        if (*rest == '/') {
            to->witness_offset = strtoll(rest + 1, &rest, 10);
            to->witness_digest = strtoull(rest + 1, &rest, 10);
        }
    }
    int rc = ops->seek(source, at, is_until ? until : NULL, count, err);
    if (rc == WEIR_OK) {
        partition_count = count;
        (void)printf("ok");
    }
    return rc;
}

struct tally {
    int64_t last[PARTITIONS_MAX];
    uint64_t records, gaps;
    int64_t heard_us, silence_us;
    bool prints;
};

static void count_records(struct tally *tally, const struct weir_records *records)
{
    int64_t now = now_us();

    if (records->count > 0) {
        int64_t silence = tally->records == 0 ? 0 : now - tally->heard_us;
        tally->silence_us = silence > tally->silence_us ? silence : tally->silence_us;
        tally->heard_us = now;
    }
    for (uint32_t i = 0; i < records->count; i++) {
        const struct weir_record *record = &records->items[i];
        int64_t *last = &tally->last[record->partition];
        tally->gaps += *last >= 0 && record->offset != *last + 1;
        *last = record->offset;
        if (tally->prints) {
            print_record(record);
        }
    }
    tally->records += records->count;
}

static int read_records(const char *args, struct tally *tally, struct weir_error *err)
{
    char *rest;
    uint64_t wanted = strtoull(args, &rest, 10);
    int64_t deadline = now_us() + strtoll(rest, NULL, 10) * 1000;
    int rc = WEIR_OK;

    memset(tally->last, 0xff, sizeof(tally->last));
    while (rc == WEIR_OK && tally->records < wanted && now_us() < deadline &&
           !ops->reached(source)) {
        uint64_t left = wanted - tally->records;
        struct weir_source_limits limits = { .rows_max =
                                                 left < ROWS_MAX ? (uint32_t)left : ROWS_MAX,
                                             .bytes_max = 1 << 20,
                                             .wait_us = 20000 };
        struct weir_records records = { 0 };
        weir_arena_reset(&arena);
        rc = ops->poll(source, &limits, &arena, &records, err);
        if (rc == WEIR_OK) {
            count_records(tally, &records);
        }
    }
    return rc;
}

static int drain(const char *args, struct weir_error *err)
{
    struct tally tally = { 0 };
    int64_t begin = now_us();
    int rc = read_records(args, &tally, err);

    if (rc == WEIR_OK) {
        (void)printf("ok %llu %lld %lld %llu", (unsigned long long)tally.records,
                     (long long)(now_us() - begin), (long long)tally.silence_us,
                     (unsigned long long)tally.gaps);
    }
    return rc;
}

static int read_and_print(const char *args, struct weir_error *err)
{
    struct tally tally = { .prints = true };
    int rc = read_records(args, &tally, err);

    if (rc == WEIR_OK) {
        (void)printf("ok %llu", (unsigned long long)tally.records);
    }
    return rc;
}

static void print_positions(bool publish)
{
    struct weir_position at[PARTITIONS_MAX];

    ops->positions(source, at, partition_count);
    if (publish) {
        ops->publish(source, at, partition_count);
    }
    (void)printf("ok");
    for (uint32_t i = 0; i < partition_count; i++) {
        print_position(&at[i]);
    }
}

static void print_state(void)
{
    struct weir_source_lag lag = { 0 };
    const char *trouble = ops->trouble(source);

    ops->lag(source, &lag);
    (void)printf("ok reached=%d caught_up=%d lag=", ops->reached(source), lag.caught_up);
    if (lag.known) {
        (void)printf("%lld", (long long)lag.records);
    } else {
        (void)printf("?");
    }
    (void)printf(" trouble=%s", trouble == NULL ? "" : trouble);
}

static bool is_verb(const char *line, const char *verb, char **ret_args)
{
    size_t len = strlen(verb);

    *ret_args = (char *)line + len;
    return strncmp(line, verb, len) == 0 && (line[len] == ' ' || line[len] == '\0');
}

static int obey(char *line, struct weir_error *err)
{
    char *args;

    if (is_verb(line, "discover", &args)) {
        return discover(err);
    }
    if (is_verb(line, "start", &args)) {
        return start(strcmp(args, " new") == 0, err);
    }
    if (is_verb(line, "seek", &args)) {
        return seek(args, err);
    }
    if (is_verb(line, "read", &args)) {
        return read_and_print(args, err);
    }
    if (is_verb(line, "drain", &args)) {
        return drain(args, err);
    }
    if (is_verb(line, "sleep", &args)) {
        (void)usleep((useconds_t)strtoul(args, NULL, 10) * 1000);
        (void)printf("ok");
        return WEIR_OK;
    }
    if (is_verb(line, "positions", &args) || is_verb(line, "publish", &args)) {
        print_positions(line[1] == 'u');
        return WEIR_OK;
    }
    if (is_verb(line, "state", &args)) {
        print_state();
        return WEIR_OK;
    }
    return weir_error_set(err, WEIR_EINVAL, "unknown command: %s", line);
}

int main(int argc, char **argv)
{
    static struct weir_option options[OPTIONS_MAX];
    static char line[LINE_BYTES];
    struct weir_error err = { 0 };
    uint32_t count = 0;
    uint32_t at;

    for (int i = 2; i < argc && count < OPTIONS_MAX; i++) {
        char *equals = strchr(argv[i], '=');
        struct weir_str name = { argv[i], (size_t)(equals - argv[i]) };
        options[count++] = (struct weir_option){ name, weir_str_from(equals + 1), 0 };
    }
    struct weir_source_args args = {
        .name = "probe", .options = { options, count }, .want_headers = true, .pipeline = argv[1]
    };
    weir_log_set(print_log, NULL, WEIR_LOG_INFO);
    weir_arena_init(&arena, 1 << 20);
    int rc = weir_options_check(ops->options, args.options, &at, &err);
    rc = rc == WEIR_OK ? ops->open(&args, &source, &err) : rc;
    if (rc == WEIR_OK) {
        (void)printf("ok");
    }
    end(rc, &err);
    while (rc == WEIR_OK && fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        err = (struct weir_error){ 0 };
        end(obey(line, &err), &err);
    }
    ops->close(source);
    weir_arena_fini(&arena);
    return 0;
}
