/* test_crc32c.c: the vectors of RFC 3720, section B.4, and continuation. */
#include "base/crc32c.h"
#include "tests/support/test.h"

static void known_vectors(void **state)
{
    uint8_t bytes[32] = { 0 };

    (void)state;
    assert_int_equal(weir_crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(weir_crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(weir_crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
    assert_int_equal(weir_crc32c(0, "123456789", 9), 0xe3069283);
}

static void parts_make_the_whole(void **state)
{
    const char *text = "a weir is a low wall across a river";
    size_t len = strlen(text);

    (void)state;
    for (size_t cut = 0; cut <= len; cut++) {
        uint32_t head = weir_crc32c(0, text, cut);
        assert_int_equal(weir_crc32c(head, text + cut, len - cut), weir_crc32c(0, text, len));
    }
}

/* Long ones are taken in lanes, which must come to what byte by byte comes to. */
static void lanes_make_the_whole(void **state)
{
    static uint8_t bytes[5000];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * i >> 3);
    }
    for (size_t from = 0; from < 8; from++) {
        uint32_t crc = 0;
        for (size_t len = 0; from + len < sizeof(bytes); len++) {
            assert_int_equal(weir_crc32c(0, bytes + from, len), crc);
            crc = weir_crc32c(crc, bytes + from + len, 1);
        }
    }
}

/* One bit a step, straight from the polynomial. */
static uint32_t crc_by_bits(const uint8_t *at, size_t bytes)
{
    uint32_t crc = UINT32_MAX;

    for (; bytes > 0; at++, bytes--) {
        crc ^= *at;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
        }
    }
    return ~crc;
}

/* Lanes are 256 bytes, three at a time: every length around where they begin and end. */
static void long_runs_come_out_the_same(void **state)
{
    enum { MAX = 3 * 768 + 16 };
    static uint8_t bytes[MAX], copy[MAX + 1];
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < MAX; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    for (size_t lanes = 0; lanes <= 3; lanes++) {
        for (size_t len = lanes * 768; len < lanes * 768 + 16; len++) {
            for (size_t from = 0; from < 2 && from <= len; from++) { /* also from an odd address */
                uint32_t want = crc_by_bits(bytes + from, len - from);

                assert_int_equal(weir_crc32c(0, bytes + from, len - from), want);
                memset(copy, 0xa5, sizeof(copy));
                assert_int_equal(weir_crc32c_copy(0, copy, bytes + from, len - from), want);
                assert_memory_equal(copy, bytes + from, len - from);
                assert_int_equal(copy[len - from], 0xa5);
            }
        }
    }
    assert_int_equal(weir_crc32c_copy(7, NULL, NULL, 0), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(parts_make_the_whole),
        cmocka_unit_test(lanes_make_the_whole),
        cmocka_unit_test(long_runs_come_out_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
