/* test_proxy.c: each weather of the proxy, on a link whose both ends are ours. */
#include "prove/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "prove/moment.h"
#include "tests/support/test.h"

enum { WAIT_MS = 5000, QUIET_MS = 100, BIG_BYTES = 3 << 20 };

/* A server of ours, a proxy before it, and one link through both. */
struct fixture {
    struct prove_proxy *proxy;
    int listen_fd;
    uint16_t port;      /* of the proxy */
    int client, server; /* the two ends; -1: closed */
};

static void wait_for(int fd, short events)
{
    struct pollfd wait = { .fd = fd, .events = events };

    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
}

static bool is_quiet(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };

    return poll(&wait, 1, QUIET_MS) == 0;
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Begins to connect; returns the socket. */
static int dial(const struct fixture *fixture)
{
    const struct sockaddr_in address = loopback(fixture->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        assert_int_equal(errno, EINPROGRESS);
    }
    return fd;
}

/* How it went: an errno, or 0. */
static int dialled(int fd)
{
    int problem = 0;
    socklen_t bytes = sizeof(problem);

    wait_for(fd, POLLOUT);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &bytes), 0);
    return problem;
}

static void link_up(struct fixture *fixture)
{
    fixture->client = dial(fixture);
    assert_int_equal(dialled(fixture->client), 0);
    wait_for(fixture->listen_fd, POLLIN);
    fixture->server = accept4(fixture->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fixture->server >= 0);
}

static void hang_up(struct fixture *fixture)
{
    if (fixture->client >= 0) {
        assert_int_equal(close(fixture->client), 0);
    }
    if (fixture->server >= 0) {
        assert_int_equal(close(fixture->server), 0);
    }
    fixture->client = fixture->server = -1;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct sockaddr_in address = loopback(0);
    socklen_t bytes = sizeof(address);
    struct weir_error err;
    char port[16];

    fixture.client = fixture.server = -1;
    fixture.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture.listen_fd, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(fixture.listen_fd, 16), 0);
    assert_int_equal(getsockname(fixture.listen_fd, (struct sockaddr *)&address, &bytes), 0);
    (void)snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
    assert_int_equal(prove_proxy_open(&fixture.proxy, &err), WEIR_OK);
    assert_int_equal(prove_proxy_add(fixture.proxy, "127.0.0.1", port, &fixture.port, &err),
                     WEIR_OK);
    int probe =
        accept4(fixture.listen_fd, NULL, NULL, SOCK_CLOEXEC); /* by which it looked for us */
    assert_int_equal(close(probe), 0);
    link_up(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    hang_up(fixture);
    prove_proxy_close(fixture->proxy);
    return close(fixture->listen_fd);
}

static void say(int fd, const void *bytes, size_t count)
{
    assert_int_equal(send(fd, bytes, count, MSG_NOSIGNAL), count);
}

/* Reads until so many bytes are there, or the end. Returns how many; *ret_errno 0 for an orderly end
 * or enough bytes. */
static size_t hear(int fd, void *ret, size_t count, int *ret_errno)
{
    size_t have = 0;

    *ret_errno = 0;
    while (have < count) {
        wait_for(fd, POLLIN);
        ssize_t more = recv(fd, (char *)ret + have, count - have, 0);
        if (more <= 0) {
            *ret_errno = more == 0 ? 0 : errno;
            break;
        }
        have += (size_t)more;
    }
    return have;
}

static void expect(int fd, const char *text)
{
    char bytes[256];
    int problem;

    assert_int_equal(hear(fd, bytes, strlen(text), &problem), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void expect_end(int fd, int problem_wanted)
{
    char byte;
    int problem;

    assert_int_equal(hear(fd, &byte, 1, &problem), 0);
    assert_int_equal(problem, problem_wanted);
}

static void set(const struct fixture *fixture, struct prove_weather weather)
{
    prove_proxy_set(fixture->proxy, &weather);
}

static uint64_t struck(const struct fixture *fixture)
{
    struct prove_proxy_counts counts;

    prove_proxy_count(fixture->proxy, &counts);
    return counts.struck;
}

/* Waits until the proxy has so many links. */
static void await_links(const struct fixture *fixture, uint32_t count)
{
    struct prove_proxy_counts counts = { .open = count + 1 };

    for (double until = prove_now() + 5; counts.open != count && prove_now() < until;) {
        prove_proxy_count(fixture->proxy, &counts);
        prove_sleep(0.001);
    }
    assert_int_equal(counts.open, count);
}

/* ---- calm ---- */

static void many_bytes_arrive_as_they_are(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t sent[BIG_BYTES], came[BIG_BYTES];
    size_t to = 0, from = 0;

    for (size_t i = 0; i < BIG_BYTES; i++) {
        sent[i] = (uint8_t)prove_mix(1, i);
    }
    while (from < BIG_BYTES) { /* more than the proxy's queue and the kernel's together at first */
        ssize_t count = send(fixture->client, sent + to, BIG_BYTES - to, MSG_NOSIGNAL);
        to += count > 0 ? (size_t)count : 0;
        wait_for(fixture->server, POLLIN);
        count = recv(fixture->server, came + from, BIG_BYTES - from, 0);
        assert_true(count > 0);
        from += (size_t)count;
    }
    assert_memory_equal(sent, came, BIG_BYTES);
}

static void a_half_closed_link_still_answers(void **state)
{
    struct fixture *fixture = *state;

    say(fixture->client, "last words", 10);
    assert_int_equal(shutdown(fixture->client, SHUT_WR), 0);
    expect(fixture->server, "last words");
    expect_end(fixture->server, 0);
    say(fixture->server, "answer", 6);
    expect(fixture->client, "answer");
    assert_int_equal(close(fixture->server), 0);
    fixture->server = -1;
    expect_end(fixture->client, 0);
    await_links(fixture, 0);
}

static void a_reset_is_passed_on(void **state)
{
    struct fixture *fixture = *state;
    const struct linger at_once = { .l_onoff = 1 };

    assert_int_equal(setsockopt(fixture->server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
                     0);
    assert_int_equal(close(fixture->server), 0);
    fixture->server = -1;
    expect_end(fixture->client, ECONNRESET);
    await_links(fixture, 0);
}

static void a_unix_socket_can_be_the_server(void **state)
{
    const struct fixture *fixture = *state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char directory[] = "/tmp/weir-proxy-XXXXXX";
    struct fixture local = { .proxy = fixture->proxy };
    struct weir_error err;

    assert_non_null(mkdtemp(directory));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", directory);
    local.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(local.listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(local.listen_fd, 16), 0);
    assert_int_equal(prove_proxy_add(local.proxy, directory, "5432", &local.port, &err), WEIR_OK);
    assert_int_equal(close(accept4(local.listen_fd, NULL, NULL, SOCK_CLOEXEC)), 0);
    link_up(&local);
    say(local.client, "by socket", 9);
    expect(local.server, "by socket");
    hang_up(&local);
    assert_int_equal(close(local.listen_fd), 0);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void nobody_there_is_said_at_once(void **state)
{
    const struct fixture *fixture = *state;
    struct weir_error err;
    uint16_t port;

    assert_int_equal(prove_proxy_add(fixture->proxy, "127.0.0.1", "1", &port, &err), WEIR_EAWAY);
    assert_string_equal(err.text, "cannot connect to 127.0.0.1, port 1");
}

/* ---- strikes at a byte ---- */

/* PX1 */
static void a_reset_lets_just_the_bytes_before_it_pass(void **state)
{
    struct fixture *fixture = *state;
    char bytes[64];
    int problem;

    for (uint64_t at = 0; at <= 20; at++) {
        for (int way = 0; way < PROVE_WAY_COUNT; way++) {
            int from = way == PROVE_REQUESTS ? fixture->client : fixture->server;
            int to = way == PROVE_REQUESTS ? fixture->server : fixture->client;

            set(fixture, (struct prove_weather){
                             .kind = PROVE_RESET, .way = (enum prove_way)way, .at_byte = at });
            say(from, "abcdefghijklmnopqrstuvwxyz", 26);
            assert_int_equal(hear(to, bytes, sizeof(bytes), &problem), at);
            assert_int_equal(problem, ECONNRESET);
            assert_memory_equal(bytes, "abcdefghijklmnopqrstuvwxyz", at);
            expect_end(from, ECONNRESET);
            assert_int_equal(struck(fixture), 1);
            hang_up(fixture);
            link_up(fixture); /* only one is struck */
            say(fixture->client, "well", 4);
            expect(fixture->server, "well");
        }
    }
}

static void a_close_lets_just_the_bytes_before_it_pass(void **state)
{
    struct fixture *fixture = *state;
    char bytes[64];
    int problem;

    for (uint64_t at = 0; at <= 20; at++) {
        set(fixture,
            (struct prove_weather){ .kind = PROVE_CLOSE, .way = PROVE_REPLIES, .at_byte = at });
        say(fixture->server, "abcdefghijklmnopqrstuvwxyz", 26);
        assert_int_equal(hear(fixture->client, bytes, sizeof(bytes), &problem), at);
        assert_int_equal(problem, 0);
        expect_end(fixture->server, 0);
        hang_up(fixture);
        await_links(fixture, 0);
        link_up(fixture);
    }
}

static void a_change_is_of_one_bit(void **state)
{
    const struct fixture *fixture = *state;
    char bytes[26];
    int problem;

    set(fixture,
        (struct prove_weather){
            .kind = PROVE_CHANGE, .way = PROVE_REPLIES, .at_byte = 3, .after = "ij", .seed = 7 });
    say(fixture->server, "abcdefghijklmnopqrstuvwxyz", 26);
    assert_int_equal(hear(fixture->client, bytes, sizeof(bytes), &problem), 26);
    assert_int_equal(__builtin_popcount((unsigned)(bytes[10] ^ 'k')), 1);
    bytes[10] = 'k';
    assert_memory_equal(bytes, "abcdefghijklmnopqrstuvwxyz", 26);
    say(fixture->server, "ijk", 3); /* only once */
    expect(fixture->client, "ijk");
}

/* ---- silence ---- */

static void a_black_hole_keeps_the_link_and_tells_nobody(void **state)
{
    struct fixture *fixture = *state;

    set(fixture, (struct prove_weather){ .kind = PROVE_BLACK_HOLE });
    say(fixture->client, "lost", 4);
    say(fixture->server, "lost", 4);
    assert_true(is_quiet(fixture->client) && is_quiet(fixture->server));
    set(fixture, (struct prove_weather){ .kind = PROVE_CALM });
    say(fixture->client, "deaf for good", 13);
    assert_true(is_quiet(fixture->server));
    assert_int_equal(close(fixture->client), 0); /* the server does not hear of that either */
    fixture->client = -1;
    assert_true(is_quiet(fixture->server));
    await_links(fixture, 1);
    set(fixture, (struct prove_weather){ .kind = PROVE_CALM });
    expect_end(fixture->server, ECONNRESET);
    await_links(fixture, 0);
}

static void each_way_can_be_deaf_alone(void **state)
{
    struct fixture *fixture = *state;

    set(fixture, (struct prove_weather){ .kind = PROVE_NO_REPLIES });
    say(fixture->client, "heard", 5);
    expect(fixture->server, "heard");
    say(fixture->server, "lost", 4);
    assert_true(is_quiet(fixture->client));
    hang_up(fixture);
    set(fixture, (struct prove_weather){ .kind = PROVE_NO_REQUESTS });
    link_up(fixture); /* a new link is no better */
    say(fixture->client, "lost", 4);
    assert_true(is_quiet(fixture->server));
    say(fixture->server, "heard", 5);
    expect(fixture->client, "heard");
}

/* PL3 */
static void held_requests_survive_their_client(void **state)
{
    struct fixture *fixture = *state;
    int old_server = fixture->server;

    set(fixture, (struct prove_weather){ .kind = PROVE_HOLD });
    say(fixture->client, "commit", 6);
    assert_int_equal(close(fixture->client), 0);
    assert_true(is_quiet(old_server));
    link_up(fixture); /* meanwhile a new link is well */
    say(fixture->client, "retry", 5);
    expect(fixture->server, "retry");
    set(fixture, (struct prove_weather){ .kind = PROVE_CALM });
    expect(old_server, "commit");
    expect_end(old_server, 0);
    assert_int_equal(close(old_server), 0);
}

/* ---- slowness ---- */

static void delayed_bytes_keep_their_order(void **state)
{
    const struct fixture *fixture = *state;
    double began_at = prove_now();
    char bytes[20], wanted[20];
    int problem;

    set(fixture, (struct prove_weather){ .kind = PROVE_DELAY, .delay_s = 0.05, .seed = 3 });
    for (int i = 0; i < 20; i++) {
        wanted[i] = (char)('a' + i);
        say(fixture->client, &wanted[i], 1);
        prove_sleep(0.002);
    }
    assert_int_equal(hear(fixture->server, bytes, sizeof(bytes), &problem), sizeof(bytes));
    assert_memory_equal(bytes, wanted, sizeof(bytes));
    assert_true(prove_now() - began_at > 0.03);
}

static void a_trickle_is_as_slow_as_asked(void **state)
{
    const struct fixture *fixture = *state;
    char bytes[200], first[200];
    double began_at = prove_now();
    int problem;

    memset(bytes, 'x', sizeof(bytes));
    set(fixture,
        (struct prove_weather){ .kind = PROVE_TRICKLE, .write_bytes = 7, .bytes_per_s = 1000 });
    say(fixture->client, bytes, sizeof(bytes));
    wait_for(fixture->server, POLLIN);
    assert_in_range(recv(fixture->server, first, sizeof(first), 0), 1, 28);
    set(fixture,
        (struct prove_weather){ .kind = PROVE_TRICKLE, .write_bytes = 50, .bytes_per_s = 1000 });
    assert_true(hear(fixture->server, first, 150, &problem) == 150);
    assert_true(prove_now() - began_at > 0.09);
}

/* ---- no way in ---- */

/* PD1 */
static void refused_for_a_time(void **state)
{
    struct fixture *fixture = *state;

    set(fixture, (struct prove_weather){ .kind = PROVE_REFUSE });
    expect_end(fixture->client, ECONNRESET);
    expect_end(fixture->server, ECONNRESET);
    hang_up(fixture);
    fixture->client = dial(fixture);
    assert_int_equal(dialled(fixture->client), ECONNREFUSED);
    hang_up(fixture);
    set(fixture, (struct prove_weather){ .kind = PROVE_CALM });
    link_up(fixture);
    say(fixture->client, "again", 5);
    expect(fixture->server, "again");
}

static void connecting_hangs_for_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct pollfd wait = { .events = POLLOUT };

    set(fixture, (struct prove_weather){ .kind = PROVE_HANG });
    hang_up(fixture);
    fixture->client = dial(fixture);
    wait.fd = fixture->client;
    assert_int_equal(poll(&wait, 1, QUIET_MS), 0);
    hang_up(fixture);
    set(fixture, (struct prove_weather){ .kind = PROVE_CALM });
    link_up(fixture);
}

static void flapping_comes_and_goes(void **state)
{
    struct fixture *fixture = *state;
    unsigned refused = 0, taken = 0;

    set(fixture, (struct prove_weather){ .kind = PROVE_FLAP, .up_s = 0.02, .down_s = 0.02 });
    expect_end(fixture->client, ECONNRESET);
    for (double until = prove_now() + 5; (refused < 5 || taken < 5) && prove_now() < until;) {
        int fd = dial(fixture);
        if (dialled(fd) == 0) {
            taken++;
        } else {
            refused++;
        }
        assert_int_equal(close(fd), 0);
        prove_sleep(0.002);
    }
    assert_true(refused >= 5 && taken >= 5);
    set(fixture, (struct prove_weather){ .kind = PROVE_CALM });
    hang_up(fixture);
    while (!is_quiet(fixture->listen_fd)) {
        assert_int_equal(close(accept4(fixture->listen_fd, NULL, NULL, SOCK_CLOEXEC)), 0);
    }
    await_links(fixture, 0); /* all that it cut are gone */
}

/* PX2 */
static void waiting_costs_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rusage before, after;

    set(fixture, (struct prove_weather){ .kind = PROVE_HOLD });
    say(fixture->client, "held", 4);
    assert_int_equal(close(fixture->client), 0);
    fixture->client = -1;
    prove_sleep(0.05);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    prove_sleep(0.3);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
                    (after.ru_utime.tv_usec - before.ru_utime.tv_usec) <
                50000);
}

#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINK(many_bytes_arrive_as_they_are),
        WITH_LINK(a_half_closed_link_still_answers),
        WITH_LINK(a_reset_is_passed_on),
        WITH_LINK(a_unix_socket_can_be_the_server),
        WITH_LINK(nobody_there_is_said_at_once),
        WITH_LINK(a_reset_lets_just_the_bytes_before_it_pass),
        WITH_LINK(a_close_lets_just_the_bytes_before_it_pass),
        WITH_LINK(a_change_is_of_one_bit),
        WITH_LINK(a_black_hole_keeps_the_link_and_tells_nobody),
        WITH_LINK(each_way_can_be_deaf_alone),
        WITH_LINK(held_requests_survive_their_client),
        WITH_LINK(delayed_bytes_keep_their_order),
        WITH_LINK(a_trickle_is_as_slow_as_asked),
        WITH_LINK(refused_for_a_time),
        WITH_LINK(connecting_hangs_for_a_time),
        WITH_LINK(flapping_comes_and_goes),
        WITH_LINK(waiting_costs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
