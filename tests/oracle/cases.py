"""cases.py: the rows and the expressions that weir and PostgreSQL are both asked.

One table holds two columns of most types; its rows draw from each type's edge values, so that the
pairs of two columns meet in many combinations. CASES is a list of (group, expression); every
expression is computed for every row. All of it is the same in every run.
"""

from __future__ import annotations

import random

ROWS = 64
SEED = 20131

INT2 = ["0", "1", "-1", "2", "-2", "3", "7", "10", "-10", "100", "181", "182", "32767", "-32768"]
INT4 = INT2 + ["32768", "-32769", "65536", "46340", "46341", "2147483647", "-2147483648"]
INT8 = INT4 + ["2147483648", "-2147483649", "4294967296", "3037000499", "3037000500",
               "9007199254740993", "9223372036854775807", "-9223372036854775808"]
FLOAT_COMMON = ["0", "-0", "1", "-1", "0.5", "-0.5", "1.5", "2.5", "-2.5", "0.1", "3", "NaN",
                "Infinity", "-Infinity", "100", "32767.5", "-32768.5", "123456.789",
                "2147483648", "1e15", "1e-5", "0.0001"]
FLOAT4 = FLOAT_COMMON + ["3.4028235e38", "-3.4028235e38", "1e-45", "1.17549435e-38", "16777217"]
FLOAT8 = FLOAT_COMMON + ["1.7976931348623157e308", "-1.7976931348623157e308", "5e-324",
                         "2.2250738585072014e-308", "2147483647.5", "-2147483648.5", "1e16",
                         "9223372036854775807", "-9223372036854775808", "123456789.123456789",
                         "1e-300", "1e300"]
NUMERIC = ["0", "0.00", "1", "-1", "0.1", "-0.10", "0.5", "1.5", "2.5", "-2.5", "3", "7", "10",
           "123.456", "-123.4560", "99999999999999999999.9999", "0.00000000000000000001",
           "NaN", "Infinity", "-Infinity", "9223372036854775807", "9223372036854775808",
           "-9223372036854775808", "-9223372036854775809", "1e30", "-1e30", "32767.5", "-32768.5",
           "12345678901234567890.123456789", "0.000001", "1000000", "2147483647.4999", "1e-15"]
MONEY = ["0.00", "1.00", "-1.50", "9999999999.99", "-9999999999.99", "0.01", "12.34", "NaN",
         "100.00", "0.50", "2.50"]
TEXT = ["", "a", "A", "abc", "ABC", "Hello World", " padded ", "   ", "ä", "Ä", "ÄÖÜß", "€uro",
        "日本語", "😀", "x😀y", "a%b", "a_b", "\\", "a\\b", "tab\there", "a\nb", "123", "-5",
        " 42 ", "1.5", "e\u0301", "true", "2024-02-29", "İ", "ı", "ſ", "Σς", "abcabc", "aXbXc",
        "1e3", "null", "{}", "NaN", "zzz", "ǅ", "xyxy"]
VARCHAR5 = ["", "a", "abcde", "ABC", "  x  ", "ä€😀", "12", "a%b", "-1.5", "t"]
CHAR4 = ["", "a", "abcd", "ab", "AB", " x", "ä€", "12", "a%", "😀"]
BYTEA = ["\\x", "\\x00", "\\xff", "\\x616263", "\\xdeadbeef", "\\x6100", "\\x2561", "\\x5c",
         "\\x616263616263", "\\x20612020"]
BOOL = ["t", "f"]
DATE = ["2000-01-01", "1999-12-31", "2000-02-29", "2024-02-29", "2023-02-28", "1970-01-01",
        "infinity", "-infinity", "4714-11-24 BC", "0001-01-01", "0001-12-31 BC", "5874897-12-31",
        "294276-12-31", "294277-01-01", "2024-12-30", "2021-01-03", "1900-03-01", "2100-02-28",
        "2013-07-04"]
TIME = ["00:00:00", "24:00:00", "23:59:59.999999", "12:34:56.789", "00:00:00.000001", "06:00:00",
        "23:59:59.5"]
TIMESTAMP = ["2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2024-02-29 12:34:56.789012",
             "1970-01-01 00:00:00", "infinity", "-infinity", "4714-11-24 00:00:00 BC",
             "294276-12-31 23:59:59.999999", "0001-01-01 00:00:00", "0044-03-15 12:00:00 BC",
             "2023-03-26 02:30:00", "2013-07-04 09:15:30.5", "2024-12-30 23:59:59",
             "2021-01-03 00:00:00.000001", "1582-10-15 13:14:15", "2262-04-12 00:00:00",
             "1900-02-28 23:00:00"]
INTERVAL = ["0", "1 day", "-1 day", "1 mon", "-1 mon", "1 year", "1 mon -1 day", "01:02:03.456789",
            "-00:00:00.000001", "24:00:00", "36:00:00", "1000000:00:00", "2147483647 days",
            "178956970 years 7 mons", "-178956970 years -8 mons", "30 days",
            "1 year 2 mons 3 days 04:05:06.7",
            "-1 year -2 mons +3 days -04:05:06.7", "13 mons", "100 days 23:59:59.999999",
            "00:00:01.5",
            "7 days", "3 mons"]
UUID = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"]
JSONB = ["null", "true", "false", "0", "1", "-1.50", "1.5", "1.50", "1e2", '"a"', '""', '"ä€😀"',
         '"q\\"uote\\n"', "[]", "{}", '[1, 2, "x", null]', '[[1], {"a": 2}]', '{"a": 1}',
         '{"a": null, "b": {"c": [1, 2, 3]}}', '{"b": 1, "a": 2, "aa": 3}', '{"a": "text"}',
         '{"a": 12345678901234567890.5}', '{"": "empty"}', '"123"', "32768", "99999999999",
         '{"a": [1.0, true]}', '{"a": "x\\ty"}']

# name of the two columns, SQL type, edge values
COLUMNS = [
    ("b", "boolean", BOOL), ("s", "smallint", INT2), ("i", "integer", INT4), ("l", "bigint", INT8),
    ("r", "real", FLOAT4), ("d", "double precision", FLOAT8), ("n", "numeric", NUMERIC),
    ("m", "numeric(12,2)", MONEY), ("t", "text", TEXT), ("v", "varchar(5)", VARCHAR5),
    ("c", "char(4)", CHAR4), ("y", "bytea", BYTEA), ("da", "date", DATE), ("ti", "time", TIME),
    ("ts", "timestamp", TIMESTAMP), ("tz", "timestamptz",
     [v + "+00" if "BC" not in v and "inf" not in v else v for v in TIMESTAMP]),
    ("iv", "interval", INTERVAL), ("u", "uuid", UUID), ("j", "jsonb", JSONB),
]
NAMES = [name for name, _, _ in COLUMNS]
NUMBERS = ["s", "i", "l", "r", "d", "n", "m"]
TEXTS = ["t", "v", "c"]
STAMPS = ["da", "ts", "tz"]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]
# The types that a value may be cast to.
TYPES = ["boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "text",
         "varchar", "char(4)", "bytea", "date", "time", "timestamp", "timestamptz", "interval",
         "uuid", "jsonb"]


def table_sql() -> str:
    columns = [f"{name}{k} {sql}" for name, sql, _ in COLUMNS for k in (1, 2)]
    return f"CREATE TABLE t ({', '.join(columns)})"


def table_rows() -> list[list[str | None]]:
    """Each column goes through its values at least once where there are rows enough."""
    rng = random.Random(SEED)
    columns = []
    for _, _, values in COLUMNS:
        for _ in (1, 2):
            column: list[str | None] = [*values, None]
            while len(column) < ROWS:
                column.append(None if rng.random() < 0.05 else rng.choice(values))
            rng.shuffle(column)
            columns.append(column[:ROWS])
    return [list(row) for row in zip(*columns)]


# What PostgreSQL has and weir has not: refused by name, and not taken for something else.
REFUSED = ["substring('abc', 'b')", "substring('abc', '2')", "substring(t1, '2')",
           "substring(t1 from 'b')",
           "substring(t1 from NULL)", "concat(t1, 'x')", "j1 || j2", "j1 || '{}'", "j1 - 'a'",
           "j1 - 1", "i1 ^ 2", "d1 ^ d2",
           "sqrt(n1)", "t1 ~ 'a'", "t1 SIMILAR TO 'a'", "date_trunc('day', tz1, 'Europe/Berlin')",
           "to_timestamp(t1, 'YYYY')",
           "'y2024m02d29'::date", "random()", "clock_timestamp()", "count(*)", "'now'::timestamptz",
           "'today'::date", "j1 #> '{a}'",
           "tz1 AT TIME ZONE 'Europe/Berlin'", "string_to_array(t1, ',')", "ARRAY[1, 2]",
           "ROW(1, 2)", "(SELECT 1)", "lower(t1) COLLATE \"C\""]

CASES: list[tuple[str, str]] = []
_seen: set[str] = set()


def add(group: str, *expressions: str) -> None:
    for expression in expressions:
        if expression not in _seen:
            _seen.add(expression)
            CASES.append((group, expression))


def literal(text: str) -> str:
    quoted = text.replace("'", "''")
    if not any(c in text for c in "\\\n\t"):
        return f"'{quoted}'"
    for char, written in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t")):
        quoted = quoted.replace(char, written)
    return f"E'{quoted}'"


def arithmetic() -> None:
    for a in NUMBERS:
        for b in NUMBERS:
            for op in "+-*/%":
                add("arithmetic", f"{a}1 {op} {b}2")
        for f in ("-", "+"):
            add("arithmetic", f"{f} {a}1", f"{f}({f} {a}2)")
        for op in "+-*/%":
            add("arithmetic", f"{a}1 {op} 3", f"{a}1 {op} 2.5", f"{a}1 {op} '7'", f"1 {op} {a}2",
                f"10000000000 {op} {a}1", f"{a}1 {op} NULL")
        for f in ("abs", "round", "trunc", "floor", "ceil", "ceiling", "sign"):
            add("numbers", f"{f}({a}1)", f"{f}(-{a}2)")
        for places in (-2, 0, 1, 3, 25):
            add("numbers", f"round({a}1, {places})", f"trunc({a}1, {places})")
        for b in ("s", "i", "l", "n"):
            add("numbers", f"mod({a}1, {b}2)")
    add("numbers", "round(n1, s2)", "trunc(n1, i2 % 40)", "round(m1 * n2, 2)",
        "round(d1::numeric, 2)",
        "n1 * n2 * n1", "(n1 + n2) / 3", "m1 * 0.19", "round(m1 * 0.19, 2)", "m1 / 3", "i1 / 2.0",
        "(i1::numeric * i2) % 10", "i1 * 1.0 / nullif(i2, 0)", "s1 * i1", "2147483647 + s1",
        "-2147483648 - s1", "9223372036854775807 + s1", "32767::smallint + s1", "0.1 + 0.2",
        "0.1::double precision + 0.2", "1e400 + i1", "i1 + 1e-10", "n1 / 3.0000", "1 / n1",
        "m1 % 0.07")


def comparison() -> None:
    families = [NUMBERS, TEXTS, STAMPS, ["b"], ["y"], ["ti", "iv"], ["u"], ["j"]]
    for family in families:
        for a in family:
            for b in family:
                for op in COMPARISONS:
                    add("comparison", f"{a}1 {op} {b}2")
                add("distinct", f"{a}1 IS DISTINCT FROM {b}2", f"{a}1 IS NOT DISTINCT FROM {b}2")
    samples = {"b": "'t'", "s": "7", "i": "'10'", "l": "2147483648", "r": "0.1", "d": "0.5",
               "n": "1.50", "m": "'12.340'", "t": "'abc'", "v": "'ABC'", "c": "'ab'",
               "y": "'\\xff'",
               "da": "'2024-02-29'", "ti": "'06:00'", "ts": "'2000-01-01'",
               "tz": "'2000-01-01 00:00+00'",
               "iv": "'1 day'", "u": f"'{UUID[2]}'", "j": "'1.5'"}
    for name, sample in samples.items():
        one, two = f"{name}1", f"{name}2"
        for op in COMPARISONS:
            add("literal comparison", f"{one} {op} {sample}", f"{sample} {op} {two}")
        add("branches", f"{one} BETWEEN {two} AND {sample}",
            f"{one} NOT BETWEEN {sample} AND {two}",
            f"{one} BETWEEN SYMMETRIC {two} AND {sample}", f"{one} IN ({sample}, {two})",
            f"{one} NOT IN ({two}, {sample}, NULL)", f"{one} IN ({sample})",
            f"NULLIF({one}, {two})", f"NULLIF({one}, {sample})", f"COALESCE({one}, {two})",
            f"COALESCE({one}, {sample})", f"COALESCE(NULL, {two}, {sample})",
            f"CASE WHEN {one} = {two} THEN {one} WHEN {one} > {sample} THEN {sample} ELSE {two} END",
            f"CASE {one} WHEN {two} THEN 'same' WHEN {sample} THEN 'sample' END",
            f"{one} IS NULL", f"{one} IS NOT NULL", f"({one} = {two}) IS TRUE",
            f"({one} < {two}) IS NOT TRUE",
            f"({one} = {two}) IS UNKNOWN", f"({one} <> {two}) IS NOT FALSE", f"{one}",
            f"{one} = NULL")


def logic() -> None:
    parts = ["b1", "b2", "i1 > i2", "t1 = t2", "NOT b1", "NULL", "true", "false", "i1 IS NULL"]
    for a in parts:
        for b in parts:
            add("logic", f"({a}) AND ({b})", f"({a}) OR ({b})")
    add("logic", "NOT (b1 AND b2)", "b1 AND b2 OR b1", "b1 = b2 AND NOT b1", "b1 IS FALSE",
        "b1 IS NOT TRUE",
        "b1 AND i1 / NULLIF(i2, 0) > 0", "i2 <> 0 AND i1 / i2 > 0", "i2 = 0 OR i1 / i2 > 0",
        "CASE WHEN i2 = 0 THEN NULL ELSE i1 / i2 END", "CASE WHEN i2 <> 0 THEN i1 % i2 ELSE -1 END",
        "COALESCE(NULLIF(i2, 0), 1)", "i1 / COALESCE(NULLIF(i2, 0), 1)", "i1 / i2 = 1 AND b1",
        "b1 AND i1 / i2 = 1", "CASE WHEN b1 THEN i1 ELSE l1 END",
        "CASE WHEN b1 THEN i1 ELSE 1.5 END",
        "CASE WHEN b1 THEN s1 WHEN b2 THEN n1 ELSE d1 END", "COALESCE(s1, i1, l1)",
        "COALESCE(i1, d1)",
        "COALESCE(da1, ts1)", "COALESCE(ts1, tz1)", "COALESCE(v1, t1)", "COALESCE(c1, t1)",
        "COALESCE(v1, c1)",
        "CASE b1 WHEN true THEN 1 WHEN false THEN 0 ELSE -1 END", "i1 IN (1, 2, 3, NULL)",
        "i1 IN (1, 2.5, 7)",
        "l1 IN (i1, s1, 7)", "t1 IN ('a', v1, 'abc')", "i1 NOT IN (0, 1)", "n1 IN (1, 1.50, 0.1)",
        "da1 IN ('2000-01-01', da2)", "i1 BETWEEN 0 AND 100", "i1 BETWEEN '0' AND l1",
        "t1 BETWEEN 'a' AND 'b'",
        "(b1 = b2) = (i1 = i2)", "b1 > b2", "b1::integer + 1", "i1::boolean", "NOT NULL",
        "NULL IS NULL",
        "true AND NULL", "NULL OR true", "NULLIF(1, 2.5)", "NULLIF('a', 'a')", "COALESCE('a', 'b')",
        "'a' = 'a'")


def casts() -> None:
    for name in NAMES:
        for sql in TYPES:
            add("casts", f"CAST({name}1 AS {sql})")
        add("casts", f"{name}1::text::{dict((n, s) for n, s, _ in COLUMNS)[name]}",
            f"{name}2::varchar(3)", f"{name}2::char(3)", f"{name}1::text || '!'")
    for name in NUMBERS:
        for sql in ("numeric(5,2)", "numeric(3,0)", "numeric(4,-2)", "numeric(2,3)",
                    "numeric(20,10)", "varchar(2)"):
            add("modifiers", f"{name}1::{sql}")
    for name in ("t", "v", "c"):
        for sql in ("varchar(2)", "char(2)", "char(6)", "varchar(1)", "char", "char(1)"):
            add("modifiers", f"{name}1::{sql}", f"length({name}1::{sql})")
    for name in ("ti", "ts", "tz"):
        for digits in range(0, 7, 2):
            kind = {"ti": "time", "ts": "timestamp", "tz": "timestamptz"}[name]
            add("modifiers", f"{name}1::{kind}({digits})", f"{name}1::text::{kind}({digits})")


LITERALS = {
    "boolean": ["t", "f", "true", "FALSE", "yes", "no", "on", "off", "of", "o", "1", "0", "tr",
    " y ", "2", "", "truee"],
    "smallint": ["0", "-32768", "32767", "32768", " 7 ", "+5", "1.0", "", "0x10", "1e2", "--1",
    "- 1"],
    "integer": ["2147483647", "-2147483648", "2147483648", "  12", "12a", "", "1 2", "+0",
    "000012"],
    "bigint": ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "-",
    "12345678901234567890123"],
    "real": ["1", "1e38", "1e39", "1e-46", "1e-45", "nan", "inf", "-Infinity", "+inf", "infinit",
    " 1.5 ", "0x1p3", "1e", ".5", "5.", ".", "-0", "16777217"],
    "double precision": ["1e308", "1e309", "-1e309", "5e-324", "1e-324", "NaN", "INF", "0.1", "1_0",
    "1e+5", "123456789012345678", "0.1e-5", "1.7976931348623159e308"],
    "numeric": ["0", "-0", "0.00", "1e10", "1E-5", "NaN", "nan", "inf", "-Infinity", "+Inf", "1e",
    "1.2.3", "", " 5 ", ".5", "5.", ".", "1e1000", "0e5", "123456789012345678901234567890.12345",
    "1e-16383", "1e-16384", "1e131071", "1e131072", "- 1"],
    "numeric(5,2)": ["999.99", "999.994", "999.995", "1000", "-999.999", "0.005", "0.004", "NaN",
    "inf"],
    "numeric(3,-2)": ["12345", "99949", "99950", "49", "50"],
    "varchar(3)": ["abc", "abcd", "abc   ", "", "ä€😀x"],
    "char(3)": ["abc", "abcd", "a", "", "ä€😀x", "abc  "],
    "bytea": ["\\x", "\\x00FF", "\\xdeadbee", "\\xzz", "abc", "\\\\", "\\000", "\\123a", "\\12",
    "\\x 12 34", "\\x1 2", "\\xDE AD"],
    "date": ["2024-02-29", "2023-02-29", "2024-2-9", "20240229", "Feb 29 2024", "29 Feb 2024",
    "2024.060", "2024-060", "J2451545",
             "infinity", "-infinity", "epoch", "1/8/1999", "08-Jan-1999", "January 8, 1999",
             "0000-01-01", "4714-11-24 BC", "4715-01-01 BC",
             "5874897-12-31", "5874898-01-01", "2024-13-01", "2024-00-10", "", "abc",
             "2024-02-29 12:34", "99-01-08", "1999-Jan-08", "2024-02-29 BC"],
    "time": ["12:34:56", "24:00:00", "24:00:01", "23:59:60", "12:34:56.1234567", "12:34", "123456",
    "1234", "04:05 AM", "04:05 PM", "12:00 AM", "12:00 PM",
             "13:00 PM", "25:00", "12:60", "", "allballs", "12:34:56.999999999", "T040506",
             "04:05:06.789-8", "2003-04-12 04:05:06", "23:59:59.9999999"],
    "timestamp": ["2024-02-29 12:34:56.789", "2024-02-29T12:34:56", "2024-02-29 24:00:00",
    "2024-02-29 12:34:60", "20240229T123456", "infinity", "epoch",
                  "2024-02-29", "2024-02-29 12", "2024-02-29 25:00", "Thu Feb 29 12:34:56 2024",
                  "2024-02-29 12:34:56+05", "294276-12-31 23:59:59.999999",
                  "294277-01-01", "4714-11-24 00:00:00 BC", "4714-11-23 BC",
                  "2024-02-29 12:34:56.9999999", "", "foo", "1999-01-08 04:05:06 PM", "2024-02-30"],
    "timestamptz": ["2024-02-29 12:34:56+00", "2024-02-29 12:34:56Z", "2024-02-29 12:34:56+05:30",
    "2024-02-29 12:34:56-08", "2024-02-29 12:34:56 UTC",
                    "2024-02-29 12:34:56", "2024-02-29T12:34:56.5+01:00", "2024-02-29 12:34:56+16",
                    "2024-02-29 12:34:56+15:59:59", "-infinity", "epoch", "",
                    "2024-02-29 12:34:56 +0530", "294276-12-31 23:59:59.999999+00",
                    "294276-12-31 23:59:59-01", "2024-02-29 12:34:56 GMT"],
    "interval": ["1 day", "1 day 2 hours", "-1 day", "1 day ago", "@ 1 minute", "1:2:3", "1:2",
    "-1:2:3", "1 2:3:4", "1-2", "1-2 3 4:5:6", "P1Y2M3DT4H5M6S",
                 "P0001-02-03T04:05:06", "PT36H", "1.5 days", "1.5 months", "1.5 years",
                 "0.1 seconds", "1e3 seconds", "1 decade", "1 century", "1 millennium", "1 week",
                 "1 fortnight", "", "abc", "1", "1.5", "1 mon 1 mon", "2147483647 months",
                 "2147483648 months", "1 day 1 day", "100000000 years", "178956970 years 8 months",
                 "1 us", "1 ms", "1.0000005 s", "infinity", "+1 day -2 hours", "1 year ago 2 days",
                 "9223372036854775807 us", "1 h 1 m 1 s", "P1.5M", "PT0.1S", "P-1DT-1H",
                 "15 hours 61 minutes"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
             "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "",
             "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}"],
    "jsonb": ["null", " true ", "1.50", "-0", "1e5", "1E-5", "01", "1.", ".5", '"a"', '"\\u00e4"',
    '"\\ud83d\\ude00"', '"\\ud83d"', '"\\u0000"', '"\\x"', "[1,2", "[1,]", "{}", '{"a":1,"a":2}',
    '{"bb":1,"a":2}',
              "{a:1}", "", "tru", '{"a":{"b":[1,2.50,"x"]}}', '"\t"', "[]]", '"a', "nul", "1e400",
              "[1, 2 , 3 ]", '{"a" : 1 , "b":[ ]}'],
}


def literals() -> None:
    for sql, texts in LITERALS.items():
        for text in texts:
            add("literals", f"{literal(text)}::{sql}")
            base = sql.split("(")[0]
            if base not in ("varchar", "char"):
                # The same text as a value, where an error belongs to the row.
                add("text casts", f"({literal(text)}::text || left(t1, 0))::{sql}")


def texts() -> None:
    for a in TEXTS:
        add("text", f"lower({a}1)", f"upper({a}1)", f"length({a}1)", f"char_length({a}1)",
            f"character_length({a}1)",
            f"octet_length({a}1)", f"trim({a}1)", f"btrim({a}1)", f"ltrim({a}1)", f"rtrim({a}1)",
            f"trim(both 'a' from {a}1)",
            f"trim(leading ' a' from {a}1)", f"trim(trailing 'cbä😀' from {a}1)",
            f"btrim({a}1, 'xyä ')", f"ltrim({a}1, t2)",
            f"rtrim({a}1, '')", f"{a}1 || {a}2", f"{a}1 || 'x'", f"'x' || {a}1", f"{a}1 || NULL",
            f"{a}1 || i1", f"i1 || {a}1",
            f"position('b' in {a}1)", f"strpos({a}1, 'a')", f"strpos({a}1, t2)",
            f"position('' in {a}1)", f"replace({a}1, 'a', 'XX')",
            f"replace({a}1, '', 'X')", f"replace({a}1, 'abc', '')", f"replace({a}1, t2, v2)",
            f"left({a}1, 2)", f"right({a}1, 2)",
            f"left({a}1, -1)", f"right({a}1, -1)", f"left({a}1, s2)", f"right({a}1, s2)",
            f"left({a}1, -2147483648)", f"right({a}1, -2147483648)",
            f"right({a}1, 2147483647)", f"starts_with({a}1, 'a')", f"starts_with({a}1, t2)")
        for start in (-1, 0, 1, 2, 100):
            add("text", f"substring({a}1 from {start})", f"substring({a}1 from {start} for 2)",
                f"substr({a}1, {start}, 3)")
        add("text", f"substring({a}1 from 2 for -1)", f"substring({a}1 from -5 for 3)",
            f"substring({a}1 for 2)", f"substring({a}1, s1, i2)",
            f"substring({a}1 from -2147483648 for 2147483647)",
            f"substring({a}1 from 2147483647 for 2147483647)", f"substr({a}1, 2)",
            f"substring({a}1 from -2147483648 for -1)", f"substring({a}1, i1)")
        for b in TEXTS:
            add("text", f"{a}1 || {b}2", f"{a}1 LIKE {b}2", f"{a}1 ILIKE {b}2")
    patterns = ["", "%", "_", "__", "a%", "%a", "%b%", "a\\%b", "a\\_b", "a_b", "%\\", "\\", "\\\\",
                "%\\%%", "_%_", "ä", "_o%", "%😀%", "A%", "ABC", "%C",
                "%%", "%_%", "___%", "a%b%c", "%日_", "ÄÖ%", "hello w%", "a\nb", "%\t%", "abc\\"]
    for pattern in patterns:
        for a in TEXTS:
            add("like", f"{a}1 LIKE {literal(pattern)}", f"{a}1 NOT LIKE {literal(pattern)}",
                f"{a}1 ILIKE {literal(pattern)}", f"{a}1 NOT ILIKE {literal(pattern)}")
    for pattern, escape in [("a#%b", "#"), ("a%", "%"), ("ä€%", "ä"), ("a\\%b", ""), ("a#", "#"),
                            ("##", "#"), ("a%b", "\\"), ("%a%", "ab"), ("aXbX", "X"), ("%", "_")]:
        add("like", f"t1 LIKE {literal(pattern)} ESCAPE {literal(escape)}",
            f"v1 NOT LIKE {literal(pattern)} ESCAPE {literal(escape)}",
            f"t1 ILIKE {literal(pattern)} ESCAPE {literal(escape)}")
    add("bytea", "y1 || y2", "y1 || '\\x01'", "length(y1)", "octet_length(y1)",
        "substring(y1 from 2)", "substring(y1 from 1 for 2)", "substring(y1 from 0 for 2)",
        "substr(y1, 2, 100)",
        "substring(y1 from 2 for -1)", "position('\\x62' in y1)", "position(y2 in y1)",
        "btrim(y1, '\\x20')", "trim(both '\\x61' from y1)", "ltrim(y1, '\\x61')",
        "rtrim(y1, '\\x6300')",
        "y1 LIKE '%a%'", "y1 LIKE '_'", "y1 NOT LIKE 'a%'", "y1 LIKE y2", "y1 || t1", "t1 || y1",
        "y1 ILIKE 'a'", "lower(y1)")
    for name in NAMES:
        add("text", f"t1 || {name}2", f"{name}1 || '/'", f"'<' || {name}2 || '>'",
            f"upper({name}1)", f"length({name}1)")
        if name != "j":
            add("text", f"{name}1 || {name}2")
    add("text", "length(123)", "lower(NULL)", "length(NULL)", "t1 || 1.50", "1 || 2", "'a' || 'b'",
        "NULL || 'x'")


FIELDS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month",
          "quarter", "year", "decade", "century", "millennium",
          "dow", "isodow", "doy", "isoyear", "epoch", "julian", "timezone", "timezone_hour",
          "timezone_minute"]


def times() -> None:
    kinds = ["da", "ti", "ts", "tz", "iv", "i"]
    for a in kinds:
        for b in kinds:
            add("time arithmetic", f"{a}1 + {b}2", f"{a}1 - {b}2")
    for a in ("iv",):
        for b in ("s", "i", "r", "d", "n"):
            add("time arithmetic", f"{a}1 * {b}2", f"{b}2 * {a}1", f"{a}1 / {b}2")
        for factor in ("2", "0.5", "1.5", "-1", "'2'", "1e10", "0", "0.333333333"):
            add("time arithmetic", f"iv1 * {factor}", f"iv1 / {factor}")
    for a in ("da", "ts", "tz", "ti"):
        for span in ("1 day", "-1 mon", "1 year 2 mons 3 days 04:05:06", "00:00:00.000001",
                     "24:00:00", "1 mon -1 day", "100 years"):
            add("time arithmetic", f"{a}1 + interval '{span}'", f"{a}1 - interval '{span}'",
                f"interval '{span}' + {a}2")
    add("time arithmetic", "- iv1", "-(iv1 + iv2)", "da1 + 1", "da1 - 7", "1 + da1",
        "da1 - '2000-01-01'", "ts1 - '2000-01-01'", "tz1 - tz2 + tz2", "da1 + '1 day'",
        "ts1 + '1 day'", "tz1 - '1 hour'", "da1 + i1 % 1000",
        "da1 + ti1", "ti1 + da1", "da1 + 2147483647", "ts1::date - da1", "(ts1 - ts2) / 2",
        "tz1 - ts1", "ts1 - da1", "da1 - ts1", "ti1 - '01:00'", "ti1 + '01:00'", "iv1 + '1 day'",
        "+ iv1")
    for field in FIELDS:
        for a in ("da", "ti", "ts", "tz", "iv"):
            add("fields", f"extract({field} from {a}1)", f"date_part('{field}', {a}1)")
    for field in FIELDS + ["hours", "sec", "msec", "us", "mons", "yr", "c", "DAY", "nonsense", ""]:
        for a in ("da", "ts", "tz", "iv"):
            add("date_trunc", f"date_trunc('{field}', {a}1)")
    add("fields", "extract(nonsense from ts1)", "extract(hours from ts1)",
        "extract('hour' from tz1)", "date_part(t1, ts1)", "extract(dow from da1)::integer",
        "round(extract(epoch from ts1))", "extract(epoch from tz1 - tz2)")
    for zone in ("UTC", "utc", "GMT", "Z", "+02", "-05:30", "+00", "-167", "+1:2:3"):
        add("zones", f"ts1 AT TIME ZONE '{zone}'", f"tz1 AT TIME ZONE '{zone}'")
    for zone in ("02:00", "-05:30:15.5", "0", "1 day", "1 mon"):
        add("zones", f"ts1 AT TIME ZONE interval '{zone}'", f"tz1 AT TIME ZONE interval '{zone}'")
    add("zones", "tz1 AT TIME ZONE 'utc' AT TIME ZONE 'utc'", "da1 AT TIME ZONE 'UTC'",
        "date_trunc('day', tz1 AT TIME ZONE 'UTC')")
    add("time functions", "justify_hours(iv1)", "justify_days(iv1)", "justify_interval(iv1)",
        "isfinite(da1)", "isfinite(ts1)", "isfinite(tz1)", "isfinite(iv1)", "to_timestamp(d1)",
        "to_timestamp(i1)", "to_timestamp(l1)", "to_timestamp(n1)",
        "to_timestamp(1700000000.123456)", "to_timestamp(l1 / 1000.0)", "date(ts1)", "ts1::date",
        "tz1::date", "date_trunc('hour', ts1)::time", "to_timestamp(extract(epoch from tz1))")


def json() -> None:
    for key in ("'a'", "'b'", "''", "'zz'", "0", "1", "-1", "5", "t1", "i1", "-2147483648"):
        add("json", f"j1 -> {key}", f"j1 ->> {key}")
    add("json", "j1 -> 'b' -> 'c' -> 0", "j1 -> 'b' ->> 'c'", "j1 -> 'a' -> 0",
        "(j1 ->> 'a')::numeric", "(j1 -> 'a')::text", "(j1 ->> 'a') || 'x'", "j1 ->> 'a' = '1'",
        "j1 -> 'a' = '1'", "(j1 -> 'a')::integer",
        "jsonb_typeof(j1)", "jsonb_typeof(j1 -> 'a')", "COALESCE(j1 ->> 'a', 'none')",
        "(j1 ->> 'a')::boolean", "j1::text", "j1::text::jsonb", "(j1 ->> 0)::integer", "j1 -> NULL",
        "length(j1 ->> 'a')",
        "j1 = '{\"a\": 1.0}'", "j1 > '[]'", "(j1 -> 1)::smallint", "(j1 -> 'a')::double precision",
        "(j1 -> 'a')::real", "j1::numeric(5,1)")


class Trees:
    """Random expressions of a wanted type; failing ones are welcome, ill-typed ones are not."""

    CASTS = ["integer", "bigint", "numeric", "double precision", "real", "smallint", "numeric(8,2)"]

    def __init__(self, seed: int):
        self.rng = random.Random(seed)

    def make(self, kind: str, depth: int) -> str:
        rng = self.rng
        if depth == 0 or rng.random() < 0.1:
            return self.leaf(kind)
        if rng.random() < 0.2:
            return self.branch(kind, depth)
        return getattr(self, kind)(depth - 1)

    def leaf(self, kind: str) -> str:
        rng = self.rng
        columns = {"number": NUMBERS, "string": TEXTS, "truth": ["b"], "stamp": STAMPS,
        "span": ["iv"]}[kind]
        constants = {"number": ["0", "1", "-1", "2", "0.5", "100", "1e3", "NULL::integer"],
        "string": ["'a'", "''", "'äb'", "NULL::text", "'%a%'"],
                     "truth": ["true", "false", "NULL::boolean"],
                     "stamp": ["timestamp '2013-07-04 10:00'", "date '2024-02-29'",
                     "timestamptz '2000-01-01 00:00+00'"],
                     "span": ["interval '1 day'", "interval '1 mon'", "interval '-01:30'"]}[kind]
        if rng.random() < 0.75:
            return f"{rng.choice(columns)}{rng.choice('12')}"
        return rng.choice(constants)

    def branch(self, kind: str, depth: int) -> str:
        rng = self.rng
        a, b, when = self.make(kind, depth - 1), self.make(kind, depth - 1), self.make("truth",
                               depth - 1)
        return rng.choice([f"CASE WHEN {when} THEN {a} ELSE {b} END", f"COALESCE({a}, {b})",
                          f"NULLIF({a}, {b})",
                           f"CASE WHEN {when} THEN {a} WHEN {self.leaf('truth')} THEN {b} END"])

    def number(self, depth: int) -> str:
        rng = self.rng
        a, b = self.make("number", depth), self.make("number", depth)
        return rng.choice([f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} / {b})",
                          f"abs({a})", f"round({a})", f"floor({a})", f"(- {a})",
                           f"length({self.make('string', depth)})",
                           f"extract(day from {self.make('stamp', depth)})",
                           f"CAST({a} AS {rng.choice(Trees.CASTS)})"])

    def string(self, depth: int) -> str:
        rng = self.rng
        a, b = self.make("string", depth), self.make("string", depth)
        return rng.choice([f"({a} || {b})", f"lower({a})", f"upper({a})", f"substring({a} from 2)",
                          f"left({a}, 3)", f"trim({a})", f"replace({a}, 'a', 'b')",
                           f"({self.make('number', depth)})::text",
                           f"({self.make('stamp', depth)})::text", f"({a})::varchar(3)",
                           f"({a})::char(5)"])

    def truth(self, depth: int) -> str:
        rng = self.rng
        kind = rng.choice(["number", "string", "stamp", "span"])
        a, b = self.make(kind, depth), self.make(kind, depth)
        c, d = self.make("truth", depth), self.make("truth", depth)
        return rng.choice([f"({a} {rng.choice(COMPARISONS)} {b})", f"({c} AND {d})",
                          f"({c} OR {d})", f"(NOT {c})", f"({a} IS NULL)", f"({c} IS NOT TRUE)",
                           f"({a} IS DISTINCT FROM {b})", f"({a} IN ({b}, {self.leaf(kind)}))",
                           f"({a} BETWEEN {b} AND {self.leaf(kind)})",
                           f"({self.make('string', depth)} LIKE {self.leaf('string')})"])

    def stamp(self, depth: int) -> str:
        rng = self.rng
        a = self.make("stamp", depth)
        return rng.choice([f"({a} + {self.make('span', depth)})",
                          f"({a} - {self.make('span', depth)})",
                          f"date_trunc('{rng.choice(['hour', 'day', 'month', 'week'])}', {a})",
                           f"({a})::date", f"({a})::timestamp", f"({a})::timestamptz(0)"])

    def span(self, depth: int) -> str:
        rng = self.rng
        a = self.make("span", depth)
        return rng.choice([f"({a} + {self.make('span', depth)})",
                          f"({a} * {rng.choice(['2', '0.5', '-1', 's1'])})", f"(- {a})",
                          f"({self.leaf('stamp')}::timestamp - {self.leaf('stamp')}::timestamp)",
                           f"justify_hours({a})"])


def random_trees() -> None:
    trees = Trees(SEED)
    for kind in ("number", "string", "truth", "stamp", "span"):
        for depth in (2, 3):
            for _ in range(100):
                add("random", trees.make(kind, depth))


for _fill in (arithmetic, comparison, logic, casts, literals, texts, times, json, random_trees):
    _fill()
