"""pg_values.py: asks PostgreSQL 15 what values mean, for the tables that tests/unit/chunk compares with.

Writes tests/unit/chunk/expected_text.inc (input, output and binary form of texts as every type) and
expected_ops.inc (results of operators and functions). Run it again after adding a case:

    PGHOST=... PGPORT=... PGUSER=... python3 tests/support/pg_values.py

It needs a server of version 15 with encoding UTF8 and locale C.UTF-8, and psql. Where weir means
to differ, the case is not here but in the tests themselves."""

import re
import subprocess
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "unit" / "chunk"

# SQL name: (constant, base of the input and output functions, send function)
TYPES = {
    "boolean": ("BOOL", "bool", "boolsend"),
    "smallint": ("INT2", "int2", "int2send"),
    "integer": ("INT4", "int4", "int4send"),
    "bigint": ("INT8", "int8", "int8send"),
    "real": ("FLOAT4", "float4", "float4send"),
    "double precision": ("FLOAT8", "float8", "float8send"),
    "numeric": ("NUMERIC", "numeric_", "numeric_send"),
    "text": ("TEXT", "text", "textsend"),
    "varchar": ("VARCHAR", "varchar", "varcharsend"),
    "char": ("BPCHAR", "bpchar", "bpcharsend"),
    "bytea": ("BYTEA", "bytea", "byteasend"),
    "date": ("DATE", "date_", "date_send"),
    "time": ("TIME", "time_", "time_send"),
    "timestamp": ("TIMESTAMP", "timestamp_", "timestamp_send"),
    "timestamptz": ("TIMESTAMPTZ", "timestamptz_", "timestamptz_send"),
    "interval": ("INTERVAL", "interval_", "interval_send"),
    "uuid": ("UUID", "uuid_", "uuid_send"),
    "jsonb": ("JSONB", "jsonb_", "jsonb_send"),
}
WITH_TYPMOD = {"NUMERIC", "VARCHAR", "BPCHAR", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL"}

NUMBERS = """0|-0|1|+1| 1 |1.|.1|.|1.10|00001.100|1e5|1e-5|1E+5|1e|1e5.5|1.23e-10|-1.5e-3|1e40|1e-40
0e200000|1e1000000000|1e2147483648|1e99999999999999999999|1e131072|1e-16384|nan|-nan|inf|Infinity
-Infinity|+inf|infinit|12345678901234567890|123456789012345678|1234567890123456789
9223372036854775807|9223372036854775808|-9223372036854775808|-9223372036854775809
0.123456789012345678|0.1234567890123456789|999999999999999999.9|1_000|0x10|1 2|abc||1,5|99.995|99.994
999.995|-999.995|0.005|0.0049999999999999999999999|0.5|2.5|-2.5|99999999999999999999999999.99999
5000|4999.9999|10000|0.00005|9999.99999|99999999.5|-0.00001234|12345.6789e4"""
INTEGERS = """0|-0|+5| 12 |12a||-|+|- 1|32767|32768|-32768|-32769|2147483647|2147483648|-2147483648
-2147483649|9223372036854775807|9223372036854775808|-9223372036854775808|-9223372036854775809
99999999999999999999999|000000000000000000000000001|1.0|1e3|1 1"""
FLOATS = """1e308|1.7976931348623157e308|1.7976931348623159e308|1e309|4.9e-324|2.4e-324|1e-400
2.2250738585072014e-308|1e23|5e22|18014398509481988|0.1|0.3|1e15|999999999999999|123456789012345680
1e-4|1e-5|0.00012345|3.4028235e38|3.4028236e38|1.4e-45|1e-46|1.17549435e-38|16777217|33554434
9007199254740993|5.684341886080801e-14|1e+|1d|-.5|5.|1.0e-7|100000|1000000|1234567|123456.7|8388608
1.5|-2.25|1e22|1e-22|123456789.125|0.1e1"""
BOOLEANS = "t|true|TRUE|tr|f|fal|yes|ye|no|n|on|o|of|off|1|0|10|| true |truee"
UUIDS = """a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11
{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}|a0eebc999c0b4ef8bb6d6bb9bd380a11
a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1
a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111||{}|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g
a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11"""
BYTEAS = r"|\x|\xdeadBEEF|\xde ad|\xd|\xdg|\xg|\xdea|abc|a\\b|\001\377|\400|\|a\b|é|\x00"
TEXTS = "|a|abc|abcd|abc   |ab  c|äöü|äöüß|äöü  |😀😀😀|😀😀😀😀|  "
TIMES = """2013-01-01T05:00:00Z|2013-01-01T05:00:00+02:00|2013-01-01 05:00:00.123456-08
2013-01-01 05:00:00.1234567|2013-01-01 05:00:00.12345650|2013-01-01|2013-1-1|January 8, 1999
1999-01-08|1/8/1999|1/18/1999|18/1/1999|01/02/03|1999-Jan-08|08-Jan-1999|99-Jan-08|08-Jan-99
19990108|990108|1999.008|J2451187|January 8, 99 BC|04:05:06.789|04:05|040506|04:05 AM|04:05 PM
12:00 AM|12:00 PM|04:05:06.789-8|04:05:06-08:00|040506+07:30:00|04:05:06 PST|20010203T040506
20010203 040506|2001-02-03T040506.789-08|2001-02-03 040506-08|Wed Dec 17 07:37:16 1997 PST
Dec 17 07:37:16 1997 +05:30|17 Dec 1997 07:37|1997 Dec 17|epoch|infinity|-infinity|+infinity|allballs
2000-02-29|1900-02-29|2001-02-29|0001-01-01|0001-01-01 BC|0000-01-01|4714-11-24 BC|4714-11-23 BC
294276-12-31 23:59:59.999999|294277-01-01|5874897-12-31|5874898-01-01|24:00:00|24:00:01|23:59:60
23:59:59.9999999|2001-01-01 24:00:00|2001-01-01 12:60:00|2001-13-01|2001-00-10|2001-01-32||garbage
2001-01-01 garbage|2001-01-01 13:00 PM|2001-01-01 12:00:00+16|2001-01-01 12:00:00+15:59
2001-01-01 12:00:00 UTC|2001-01-01 12:00:00z|2001-01-01 12:00:00 EST|2001-01-01 2001-01-02
2001-01-01T|T12:00|2001-01-01T12:00|2001-01-01 12|12|2001|2001-001|2000-366|Monday 2001-01-01
2001/01/01|01.02.2003|2001-01-01,12:00|(2001-01-01)|2001-01-01 12:00:00.|12:34.5|2001-01-01 AD
2001-01-01 BC|70-01-01|69-01-01|1/1/100|1 Jan 5|Jan 2001|2001-01-01 12:00:00 est dst
2001-01-01 12:00:00 +05:30:15|2001-01-01 12:00:00 + 05|20010101T1200Z|20010101120000.5
2147483648-01-01|2001-01-01 infinity|epoch epoch|2001-01-01T12:00:00.123456789+00:00"""
FRACTIONS = """2001-01-01 12:00:00.5|1999-01-01 12:00:00.5|1999-01-01 12:00:00.4999995
2001-01-01 23:59:59.999999|-infinity|1999-01-01 12:00:00.125"""
INTERVALS = """1 year 2 months 3 days 04:05:06.789|1 day|-1 day|1 day -1 hour|-1 day +1 hour|1 mon -1 day
-1 year -2 mons +3 days -04:05:06|@ 1 minute ago|1-2|-1-2|1-2 3 4:05:06|+1-2 -3 +4:05:06
P1Y2M3DT4H5M6S|P0001-02-03T04:05:06|P00010203T040506|P1.5Y|P1.5M|P1.5W|PT1.5H|P-1Y-2M3DT-4H-5M-6S|P1Y2W
PT|P|PT36H|p1d|P10-10|PT10:10|PT101010.5|1.5 years|1.5 months|1.5 weeks|1.5 days|1.5 hours|1.5 ms|0.5 us
1.5 decades|1 century|1 millennium|1 quarter|1|-1.5|1:2|1:2.5|-100:00:00|1 02:03|1 2 hours|1 2
1 day 2 days|2147483647 months|2147483648 months|178956971 years|2147483648 days|9223372036854775807 us
9223372036854775808 us|2562047788:00:54.775808|-2562047788:00:54.775807|1 foo||infinity|1 ago day|1day
1d2h3m4s|1 y 2 mon 3 w 4 d 5 h 6 m 7 s 8 ms 9 us|1.123456789 s|0.0000015 s|-00:00:01|3.14159 months
-0.7 months|1.5.5 days|.5 days|999999999999 years"""
JSONS = r"""{"a":1|{"a":tru}||"\ud800"|"\udc00"|"\ud83d\ude00"|"\u0000"|[1,]|{"a":1,}|"\q"|"\u00g0"|-|01|1.
1e|1E+2|1e200000|{"bb":1,"a":{"z":1.50,"y":[1,2, {"q":null}]},"a":2, "\u00e9\n\u0001":-0, "": -0.0}
"a|1 2|null| true |nulll|True|[]|{}|[[]]|[{}]|[1,"2",null,true,false,{"b":[]}]|"\/\"\\\b\f\n\r\t\u001f"
{"a":1 "b":2}|{a:1}|[1 2]|{"é":1,"e":2,"zz":3,"f":4}|{"b":1,"a":2,"b":3,"a":4}|1.10|1e-5|1a|{"k":1}  """


def lines(*texts):
    return [item for text in texts for line in text.split("\n") for item in line.split("|")]


def text_cases():
    """(type, typmod, text)"""
    ask = []
    for name in ("smallint", "integer", "bigint"):
        ask += [(name, -1, t) for t in lines(INTEGERS)]
    for name in ("real", "double precision"):
        ask += [(name, -1, t) for t in lines(NUMBERS, FLOATS)]
    for p, s in ((None, 0), (5, 2), (10, 0), (3, -2), (2, 4), (38, 10), (18, 6)):
        typmod = -1 if p is None else (p << 16 | (s & 0x7FF)) + 4
        ask += [("numeric", typmod, t) for t in lines(NUMBERS)]
    ask += [("boolean", -1, t) for t in lines(BOOLEANS)]
    ask += [("uuid", -1, t) for t in lines(UUIDS)]
    ask += [("bytea", -1, t) for t in lines(BYTEAS)]
    ask += [(n, m, t) for n, m in (("text", -1), ("varchar", 7), ("char", 7)) for t in lines(TEXTS)]
    for name in ("date", "time", "timestamp", "timestamptz"):
        ask += [(name, -1, t) for t in lines(TIMES)]
    for name in ("time", "timestamp", "timestamptz"):
        ask += [(name, p, t) for p in (0, 2) for t in lines(FRACTIONS)]
    ask += [("interval", -1, t) for t in lines(INTERVALS)]
    ask += [("interval", 0x7FFF0002, t) for t in ("1.555 s", "-1.555 s", "1 day")]
    ask += [("interval", 0x0004FFFF, "1 year 2 mons 3 days"), ("interval", 0x0408FFFF, "1 02:03:04")]
    ask += [("jsonb", -1, t) for t in lines(JSONS)]
    return [case for case in ask if not is_different_on_purpose(*case)]


def is_different_on_purpose(name, typmod, text):
    """Bare words that PostgreSQL reads as names of zones; see test_value_text.c for ours."""
    return (name, text) in {("time", "1999-Jan-08"), ("time", "Jan 2001")}


NUMERICS = """0|1|-1|1.5|-2.50|0.000|9223372036854775807|-9223372036854775808|9223372036854775808|1e-18
123456789.123456789|10000|9999.9999|1e30|-1e-30|12345678901234567890.0987654321|NaN|Infinity|-Infinity|0.5
2.5|-0.5|5e-5|1e100|7|32767.5|-32768.5|2147483647.5|9223372036854775807.5|1e400|4e38"""
STAMPS = """2001-02-03 04:05:06.789|1999-12-31 23:59:59.999999|2000-02-29|0001-01-01|0001-12-31 BC
4714-11-24 BC|294276-12-31 23:59:59.999999|infinity|-infinity|1970-01-01|2004-01-31|2005-12-31|0101-05-05 BC"""
SPANS = """0|1 mon|-1 day|1 year 2 mons 3 days 04:05:06.789|-1 year -2 mons +3 days -04:05:06.789|-1000 years
300000 years|2147483647 days|-2147483648 days|2147483647 mons|9223372036854775807 us|-25:00:00
29 days 47:00|-30 days +23:00|-35 days|1 mon -1 us|30 days 24:00:00"""
UNITS = """microseconds|milliseconds|second|minute|hour|day|week|month|quarter|year|decade|century|millennium
dow|isodow|doy|isoyear|julian|epoch|timezone|foo|MS"""
CLOCKS = "00:00|24:00|12:34:56.789"
MEMBERS = r"""null|1|1.0|2|"a"|true|false|[]|[1]|[1.0]|[1, 2]|{}|{"a": 1}|{"b": 1}|{"a": 1.00}|[[]]|[null]
{"a": "x\"y", "n": null, "é": [1, {"k": "v"}]}|[0, "s", [1, 2], {"a": "]"}, "{", -5]|"""
WORDS = "|abc|ABC äöü ÄÖÜ ß|ΑΒΓ αβγ ς|Привет|İı|ŉ ǰ ﬁ|😀a😀|ÿŸ|ǅ ǆ Ǆ|ẞ|Ⅷ ａＢ|ééééééééaaaaaaaaa"

ORDER = "case when {0} < {1} then -1 when {0} > {1} then 1 else 0 end"
OPS = {
    "numeric +": "$1::numeric + $2::numeric",
    "numeric -": "$1::numeric - $2::numeric",
    "numeric *": "$1::numeric * $2::numeric",
    "numeric /": "$1::numeric / $2::numeric",
    "numeric %": "$1::numeric % $2::numeric",
    "numeric <=>": ORDER.format("$1::numeric", "$2::numeric"),
    "numeric neg": "-($1::numeric)",
    "numeric abs": "abs($1::numeric)",
    "numeric floor": "floor($1::numeric)",
    "numeric ceil": "ceil($1::numeric)",
    "numeric round": "round($1::numeric, $2::int)",
    "numeric trunc": "trunc($1::numeric, $2::int)",
    "numeric to int2": "$1::numeric::int2",
    "numeric to int4": "$1::numeric::int4",
    "numeric to int8": "$1::numeric::int8",
    "numeric to float4": "$1::numeric::float4",
    "numeric to float8": "$1::numeric::float8",
    "float4 to numeric": "$1::float4::numeric",
    "float8 to numeric": "$1::float8::numeric",
    "timestamp + interval": "$1::timestamp + $2::interval",
    "timestamp - interval": "$1::timestamp - $2::interval",
    "timestamp - timestamp": "$1::timestamp - $2::timestamp",
    "timestamp to date": "$1::timestamp::date",
    "timestamp to time": "$1::timestamp::time",
    "timestamp extract": "extract($2 from $1::timestamp)",
    "timestamptz extract": "extract($2 from $1::timestamptz)",
    "timestamp trunc": "date_trunc($2, $1::timestamp)",
    "date + integer": "$1::date + $2::int",
    "date - date": "$1::date - $2::date",
    "date + time": "$1::date + $2::time",
    "date <=> timestamp": ORDER.format("$1::date", "$2::timestamp"),
    "date extract": "extract($2 from $1::date)",
    "time + interval": "$1::time + $2::interval",
    "time - interval": "$1::time - $2::interval",
    "time - time": "$1::time - $2::time",
    "time extract": "extract($2 from $1::time)",
    "interval to time": "$1::interval::time",
    "interval + interval": "$1::interval + $2::interval",
    "interval - interval": "$1::interval - $2::interval",
    "interval <=>": ORDER.format("$1::interval", "$2::interval"),
    "interval neg": "-($1::interval)",
    "interval *": "$1::interval * $2::float8",
    "interval /": "$1::interval / $2::float8",
    "interval justify_hours": "justify_hours($1::interval)",
    "interval justify_days": "justify_days($1::interval)",
    "interval justify": "justify_interval($1::interval)",
    "interval extract": "extract($2 from $1::interval)",
    "interval trunc": "date_trunc($2, $1::interval)",
    "jsonb <=>": ORDER.format("$1::jsonb", "$2::jsonb"),
    "jsonb -> key": "$1::jsonb -> $2",
    "jsonb ->> key": "$1::jsonb ->> $2",
    "jsonb -> index": "$1::jsonb -> $2::int",
    "text upper": "upper($1)",
    "text lower": "lower($1)",
    "text length": "length($1)",
    "text substring": "substring($1 from $2::int)",
    "text substring 2": "substring($1 from $2::int for 2)",
}
# Which operands each operator gets: every pair of the two lists.
OPERANDS = [
    (("numeric +", "numeric -", "numeric *", "numeric /", "numeric %", "numeric <=>"), NUMERICS, NUMERICS),
    (("numeric neg", "numeric abs", "numeric floor", "numeric ceil", "numeric to int2", "numeric to int4",
      "numeric to int8", "numeric to float4", "numeric to float8"), NUMERICS, None),
    (("numeric round", "numeric trunc"), NUMERICS, "0|1|2|-1|-3|20|-30|30"),
    (("float4 to numeric", "float8 to numeric"), "0|1|-1.5|1e20|NaN|-Infinity|0.1|123456.789|1e-7", None),
    (("timestamp + interval", "timestamp - interval"), STAMPS, SPANS),
    (("timestamp - timestamp", "date - date", "date <=> timestamp"), STAMPS, STAMPS),
    (("date <=> timestamp",), "5874897-12-31|294277-01-01", STAMPS),
    (("timestamp to date", "timestamp to time"), STAMPS, None),
    (("timestamp extract", "timestamptz extract", "date extract", "timestamp trunc"), STAMPS, UNITS),
    (("date + integer",), STAMPS, "0|1|-1|2147483647|-2147483648"),
    (("date + time",), STAMPS + "|294276-12-31|5874897-12-31", CLOCKS),
    (("time + interval", "time - interval"), CLOCKS, SPANS),
    (("time - time",), CLOCKS, CLOCKS),
    (("time extract",), CLOCKS, UNITS),
    (("interval + interval", "interval - interval", "interval <=>"), SPANS, SPANS),
    (("interval neg", "interval justify_hours", "interval justify_days", "interval justify",
      "interval to time"), SPANS, None),
    (("interval *", "interval /"), SPANS, "0|1|-1|0.5|-0.3|7|1e10|1e-3|NaN|2.7"),
    (("interval extract", "interval trunc"), SPANS, UNITS),
    (("jsonb <=>",), MEMBERS[:-1], MEMBERS[:-1]),
    (("jsonb -> key", "jsonb ->> key"), MEMBERS[:-1], "a|n|é|zz|"),
    (("jsonb -> index",), MEMBERS[:-1], "0|1|-1|-6|-7|3"),
    (("text upper", "text lower", "text length"), WORDS, None),
    (("text substring", "text substring 2"), WORDS, "-2147483648|-1|0|1|2|3|100|2147483647"),
]


def op_cases():
    return [(op, a, b) for ops, left, right in OPERANDS for op in ops for a in lines(left)
            for b in (lines(right) if right is not None else [""])]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def evaluate(expressions):
    """What PostgreSQL says to each: text, "!SQLSTATE message", or None for null."""
    rows = "".join(f"{i}\t" + e.replace("\\", "\\\\") + "\n" for i, e in enumerate(expressions))
    sql = f"""set client_min_messages = error;
set timezone = 'UTC';
create function pg_temp.evaluate(e text) returns text language plpgsql as $$
declare r text;
begin execute 'select (' || e || ')::text' into r; return r;
exception when others then return '!' || sqlstate || ' ' || sqlerrm; end $$;
create temp table asked (i int, e text);
copy asked from stdin;
{rows}\\.
copy (select coalesce(encode(convert_to(pg_temp.evaluate(e), 'UTF8'), 'hex'), '~') from asked order by i)
to stdout;
"""
    done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1"], input=sql, text=True, check=True,
                          capture_output=True)
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(expressions)
    return [None if a == "~" else bytes.fromhex(a).decode() for a in answers]


def c_string(text):
    if text is None:
        return "NULL"
    out = "".join(c if 0x20 <= ord(c) < 0x7F and c not in '"\\?' else
                  "".join(f"\\{b:03o}" for b in c.encode()) for c in text)
    return f'"{out}"'


def write(name, what, rows):
    head = f"/* {name}: {what}, as PostgreSQL 15 has it. Written by tests/support/pg_values.py. */\n"
    (TARGET / name).write_text(head + "".join(rows))


def main():
    cases = text_cases()
    expressions = []
    for name, typmod, text in cases:
        constant, base, send = TYPES[name]
        more = f", 0, {typmod}" if constant in WITH_TYPMOD else ""
        read = f"{base}in({quoted(text)}::cstring{more})"
        expressions += [f"{base}out({read})", f"encode({send}({read}), 'hex')"]
    answers = evaluate(expressions)
    write("expected_text.inc", "the output and binary form of texts", (
        f"{{ WEIR_TYPE_{TYPES[name][0]}, {typmod}, {c_string(text)}, {c_string(answers[2 * i])}, "
        f"{c_string('' if answers[2 * i].startswith('!') else answers[2 * i + 1])} }},\n"
        for i, (name, typmod, text) in enumerate(cases)))

    cases = op_cases()
    # Quoted in the text already: a jsonb operator must see its key as text, not as unknown.
    answers = evaluate([re.sub(r"\$([12])", lambda m: quoted(case[int(m[1])]), OPS[case[0]])
                        for case in cases])
    write("expected_ops.inc", "results of operators and functions", (
        f"{{ {c_string(op)}, {c_string(a)}, {c_string(b)}, {c_string(answer)} }},\n"
        for (op, a, b), answer in zip(cases, answers)))


if __name__ == "__main__":
    main()
