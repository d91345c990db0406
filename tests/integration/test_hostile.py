"""test_hostile.py: names, data, options and files that somebody made to do harm.

Uses     stage.py, pipelines.py; a pseudo-terminal.
"""

from __future__ import annotations

import json
import os
import pty
import random
import subprocess
import time

import pytest

import ledger
import pipelines
from stage import SEED, Stage
from topics import Topic
from weir_process import binary, run, wait_until

DONE, BAD_DATA, REFUSED = 0, 65, 78


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# ---- names -----------------------------------------------------------------------------------------


NAMES = ['we"ird', "o'rders; DROP TABLE victim; --", "line\nfeed", "tab\tand back\\slash", "SELECT",
         "größer 日本", " space ", "$1", "%s%n", '"', "a" * 63]


#
@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_names_of_every_kind_are_only_names(stage: Stage, kind: str):
    """Each as schema, table and column at once, all in one pipeline."""
    stage.make_topic(partitions=1)
    database = stage.connect()
    database.execute("CREATE TABLE public.victim (id bigint)")
    tables = [f"{quoted(name)}.{quoted(name)}" for name in NAMES]
    for name in NAMES:
        database.execute(f"CREATE SCHEMA {quoted(name)}".encode())
    Topic(stage.kafka.bootstrap, stage.topic_name).send(
        (0, json.dumps(dict.fromkeys(NAMES, number)).encode()) for number in range(20))
    columns = ", ".join(f"{quoted(name)} bigint" for name in NAMES)
    parts = [pipelines.settings_lines({"name": "names"}), pipelines.source(stage.topic_name, columns)]
    for name, table in zip(NAMES, tables):
        key = f", PRIMARY KEY ({quoted(name)})" if kind == "upsert" else ""
        parts.append(pipelines.target(table, f"{quoted(name)} bigint NOT NULL{key}"))
        parts.append(f"INSERT INTO {table} SELECT {quoted(name)} FROM incoming;")
    path = stage.file("\n".join(parts))
    stage.weir(path).finish()
    ddl = run("ddl", path, env=stage.environment())
    for again in (False, True):
        for name, table in zip(NAMES, tables):
            found = database.execute(f"SELECT count(*), sum({quoted(name)}) FROM {table}".encode())
            assert found.fetchone() == ((0, None) if again else (20, 190)), (name, again)
            if not again:
                database.execute(f"DROP TABLE {table}".encode())
        if not again:
            database.execute(ddl.stdout.encode())
    assert database.execute("SELECT to_regclass('public.victim')").fetchone()[0] == "victim"


#
@pytest.mark.parametrize("name", ["", "a b", "a'b", 'a"b', "a;b", "a\nb", "a" * 64, "größe", "../x"])
def test_pipeline_names_are_plain(stage: Stage, name: str):
    text = pipelines.order_pipeline("t").replace("'orders'", "'" + name.replace("'", "''") + "'", 1)
    done = run("validate", stage.file(text), env=stage.environment())
    assert done.returncode == REFUSED, done.stderr


# ---- data ------------------------------------------------------------------------------------------


TEXTS = ["\\.", "\\N", "\\", "'; DROP TABLE orders; --", "$$", "a\tb\nc\rd", '"', "''", "%s", "{}",
         "NULL", "COMMIT", "\x7f", "\u0085\u2028", "日本語🐟", " lead", "trail ", "\b\f\v\x01\x1f"]
TEXTS += [chr(code) * 3 for code in range(1, 256)]


#
@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_data_that_looks_like_sql_is_data(stage: Stage, kind: str):
    stage.make_topic(partitions=1)
    Topic(stage.kafka.bootstrap, stage.topic_name).send(
        (0, json.dumps({"id": number, "customer": text}).encode(), text.encode())
        for number, text in enumerate(TEXTS))
    key = ", PRIMARY KEY (id)" if kind == "upsert" else ""
    text = (pipelines.settings_lines({"name": "texts"})
            + pipelines.source(stage.topic_name, "id bigint, customer text")
            + pipelines.target("public.texts", "id bigint, customer text, key bytea" + key)
            + "INSERT INTO public.texts SELECT id, customer, _key FROM incoming;")
    stage.weir(stage.file(text)).finish()
    rows = stage.connect().execute("SELECT customer, key FROM texts ORDER BY id").fetchall()
    assert rows == [(text, text.encode()) for text in TEXTS]


BOMBS = {
    "nested arrays": b'{"id":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested objects": b'{"id":1,"x":' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "open brackets": b'{"id":1,"x":' + b"[" * 100_000,
    "a million digits": b'{"id":1' + b"0" * 1_000_000 + b"}",
    "a huge exponent": b'{"amount":1e1000000000}',
    "a tiny exponent": b'{"amount":1e-1000000000}',
    "not a number": b'{"amount":NaN}',
    "endless": b'{"amount":-Infinity}',
    "half a surrogate": b'{"customer":"\\ud800"}',
    "a zero character": b'{"customer":"a\\u0000b"}',
    "overlong": b'{"customer":"\xc0\xaf"}',
    "a key twice": b'{"id":1,"id":2}',
    "a megabyte of keys": b"{" + b",".join(b'"k%d":1' % n for n in range(70_000)) + b',"id":"x"}',
}


# covers: G-10, X-01, X-02, X-03
def test_hostile_messages_are_bad_records(stage: Stage):
    """Each between two good ones, in one batch; whatever they hold, it is soon over."""
    topic = stage.make_topic(partitions=1)
    messages = [message for number, bomb in enumerate(BOMBS.values())
                for message in (b'{"id":%d}' % number, bomb)]
    topic.send(((0, message) for message in messages), **{"message.max.bytes": 1_048_000})
    weir = stage.weir(stage.order_file(source_options={"on_error": "dead_letter"}))
    begin = time.monotonic()
    weir.finish(30)
    assert time.monotonic() - begin < 15
    letters = ledger.dead_letters(stage.connect())
    found = [list(BOMBS)[x["offset"] // 2] for x in letters]
    tiny = stage.connect().execute("SELECT amount FROM orders WHERE id IS NULL").fetchall()
    # 1e-1000000000 is a number; in a column of two digits behind the point it is 0, or too much.
    assert [name for name in BOMBS if name not in found] in ([], ["a tiny exponent"]), found
    assert all(amount == 0 for amount, in tiny)
    good = stage.connect().execute("SELECT id FROM orders WHERE id IS NOT NULL ORDER BY id").fetchall()
    assert good == [(n,) for n in range(len(BOMBS))]


#
def test_numbers_keep_every_digit(stage: Stage):
    """Nothing is rounded on its way into a key."""
    dice = random.Random(SEED)
    numbers = ["-0", "0.0", "1e2", "1E-5", "9007199254740993", "0.1", "123456789012345678901234567890"]
    numbers += [f"{dice.randrange(10**40)}.{dice.randrange(10**30):030d}" for _ in range(100)]
    topic = stage.make_topic(partitions=1)
    topic.send((0, b'{"n":%s}' % number.encode()) for number in numbers)
    text = (pipelines.settings_lines({"name": "numbers"}) + pipelines.source(stage.topic_name, "n numeric")
            + pipelines.target("public.numbers", "n numeric, pos bigint, PRIMARY KEY (pos)")
            + "INSERT INTO public.numbers SELECT n, _offset FROM incoming;")
    stage.weir(stage.file(text)).finish()
    database = stage.connect()
    there = database.execute("SELECT n::text FROM numbers ORDER BY pos").fetchall()
    assert there == [database.execute("SELECT %s::numeric::text", (number,)).fetchone()
                     for number in numbers]


# ---- what is logged --------------------------------------------------------------------------------


#
def test_what_is_told_of_data_is_one_plain_line(stage: Stage):
    topic = stage.make_topic(partitions=1)
    topic.send([(0, b'{"id":"\\u001b[31m\\n{\\"event\\":\\"forged\\"}\\r\\u0007\\u007f"}')])
    weir = stage.weir(stage.order_file())
    weir.start(until_caught_up=True)
    weir.expect(BAD_DATA)
    for line in weir.text().splitlines():
        assert json.loads(line)["event"] != "forged"
        assert all(ord(character) >= 32 and character != "\x7f" for character in line), line


#
def test_a_terminal_gets_no_orders_from_data(stage: Stage):
    topic = stage.make_topic(partitions=1)
    topic.send([(0, b'{"id":"\\u001b[31m\\u001b]0;title\\u0007"}')])
    weir = stage.weir(stage.order_file())
    leader, follower = pty.openpty()
    process = subprocess.Popen([binary(), "run", weir.pipeline, "--data", weir.data,
                                "--until-caught-up", "--no-progress"], stdin=subprocess.DEVNULL,
                               stdout=follower, stderr=follower, env={**os.environ, **weir.env})
    os.close(follower)
    text = b""
    try:
        while block := os.read(leader, 4096):
            text += block
    except OSError:  # the other end is closed: that is how a terminal ends
        pass
    os.close(leader)
    assert process.wait(20) == BAD_DATA, text
    assert b"weir: error: " in text, text
    assert b"\x1b" not in text.replace(b"\r\x1b[K", b"") and b"\x07" not in text, text


# ---- files and options -----------------------------------------------------------------------------


#
@pytest.mark.parametrize("what", ["ten megabytes", "parentheses", "ten thousand tables"])
def test_pipeline_files_of_monstrous_size(stage: Stage, what: str):
    head = pipelines.order_pipeline("t")
    text = {"ten megabytes": head + "-- " + "x" * 10_000_000,
            "parentheses": head.replace("SELECT id,", "SELECT " + "(" * 10_000 + "id" + ")" * 10_000
                                        + ","),
            "ten thousand tables": head + pipelines.source("t", "a int", name="x") * 5_000}[what]
    begin = time.monotonic()
    done = run("validate", stage.file(text), env=stage.environment(), timeout_s=30)
    assert done.returncode == REFUSED and done.stderr, done.stderr[:500]
    assert len(done.stderr) < 10_000 and time.monotonic() - begin < 20


OPTIONS = [
    ("SET pipeline.batch_rows = '0'", "batch_rows"), ("SET pipeline.batch_rows = '-1'", "batch_rows"),
    ("SET pipeline.batch_rows = '99999999999999999999'", "batch_rows"),
    ("SET pipeline.batch_rows = '1e3'", "batch_rows"), ("SET pipeline.trigger = '10'", "trigger"),
    ("SET pipeline.trigger = '10 parsecs'", "trigger"), ("SET pipeline.trigger = '-1 s'", "trigger"),
    ("SET pipeline.batch_bytes = '1 mile'", "batch_bytes"), ("SET pipeline.batch_bytes = ''", "batch_"),
    ("SET pipeline.output_partitions = '100000'", "output_partitions"),
    ("SET pipeline.delivery = 'EXACTLY_ONCE'", "delivery"), ("SET pipeline.nonsense = '1'", "nonsense"),
    ("SET pipeline.log.segment_bytes = '4097'", "segment_bytes"),
    ("SET pipeline.log.segment_bytes = '1 B'", "segment_bytes"),
    ("SET pipeline.name = 'again'", "twice"), ("SET pipeline.partition_by = 'moon'", "partition_by"),
]


#
@pytest.mark.parametrize("line, word", OPTIONS, ids=[line[13:] for line, _ in OPTIONS])
def test_impossible_options_are_refused_with_their_line(stage: Stage, line: str, word: str):
    text = pipelines.order_pipeline("t") + line + ";\n"
    done = run("validate", stage.file(text, "odd.sql"), env=stage.environment())
    assert done.returncode == REFUSED and word in done.stderr, done.stderr
    assert f"odd.sql:{len(text.splitlines())}:" in done.stderr, done.stderr


#
@pytest.mark.parametrize("option", ["plugin.library.paths", "ssl.engine.location",
                                    "sasl.kerberos.kinit.cmd", "ssl.providers", "dr_cb", "opaque",
                                    "sasl.kerberos.min.time.before.relogin", "ssl.engine.id"])
def test_options_that_load_code_are_refused_by_name(stage: Stage, option: str):
    marker = stage.dir / "ran"
    text = pipelines.order_pipeline("t", source_options={f"kafka_{option.replace('.', '_')}": "x"})
    text = text.replace(f'"kafka.{option.replace("_", ".")}" = \'x\'',
                        f'"kafka.{option}" = \'touch {marker}\'')
    assert f'"kafka.{option}" = ' in text
    for verb in ("check", "run"):
        done = run(verb, stage.file(text), env=stage.environment())
        assert done.returncode == REFUSED and option in done.stderr, done.stderr
    assert not marker.exists()


#
def test_a_principal_is_no_command(stage: Stage):
    """For a Kerberos ticket librdkafka would have a shell run kinit, with the principal in its line."""
    marker = stage.dir / "ran"
    options = {"kafka_security_protocol": "sasl_plaintext", "kafka_sasl_mechanism": "GSSAPI",
               "kafka_sasl_kerberos_keytab": "none", "kafka_sasl_kerberos_principal": f"x; touch {marker} #"}
    done = run("check", stage.order_file(source_options=options), env=stage.environment())
    assert done.returncode != DONE and not marker.exists(), done.stderr


#
@pytest.mark.parametrize("separator", ["?", " "], ids=["URI", "words"])
def test_a_key_in_an_engine_is_refused(stage: Stage, separator: str):
    """libpq loads the engine, a library, of which `sslkey=ENGINE:KEY` speaks."""
    stage.make_topic()
    dsn = (f"{stage.dsn}?sslkey=pkcs11:mine" if separator == "?" else
           f"host=127.0.0.1 port={stage.postgres.port} dbname={stage.database} sslkey=pkcs11:mine")
    for verb in ("check", "run"):
        done = run(verb, stage.order_file(), env={**stage.environment(), "PG_DSN": dsn})
        assert done.returncode == REFUSED and "sslkey" in done.stderr, done.stderr


#
def test_planted_secrets_show_nowhere(stage: Stage):
    """Not in the process list, not in the data directory, not in the database, not in a core's
    readers: nobody but its user may look into a weir's environment."""
    secret = "tr0ub4dor-pl4nted"
    stage.send(500)
    weir = stage.weir(stage.order_file(source_options={"kafka_sasl_password": secret}))
    weir.env["PG_DSN"] = weir.env["PG_DSN"].replace("postgres@", f"postgres:{secret}@")
    weir.start()
    wait_until(lambda: len(weir.events("progress")) >= 2, 15, "progress", 0.1)
    assert secret.encode() not in open(f"/proc/{weir.pid}/cmdline", "rb").read()
    assert weir.term() == DONE
    for path in weir.data.iterdir():
        assert secret.encode() not in path.read_bytes(), path
    assert secret not in weir.text(all_lives=True)
    shown = stage.connect().execute(
        "SELECT (SELECT string_agg(p::text, '') FROM weir.pipeline p) || "
        "(SELECT string_agg(b::text, '') FROM weir.batch b) || "
        "(SELECT string_agg(l::text, '') FROM weir.ledger l)").fetchone()[0]
    assert secret not in shown
