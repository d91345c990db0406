"""test_poison.py: one message in 10 000 is broken, some for the decoder, some for the database.

on_error = dead_letter, fail and skip: the good rows are all there once, each bad record is in
exactly one place, with its coordinates and its bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

import ledger
import pipelines
from orders import SELECTED, TARGET_COLUMNS
from stage import LONG, Stage
from topics import Topic

ROWS = 300_000 if LONG else 60_000
ONE_IN = 10_000
BAD_DATA = 65
TABLE = f"""CREATE TABLE public.orders ({TARGET_COLUMNS},
    CONSTRAINT amount_is_sane CHECK (amount < 1000000))"""

# What breaks a message, and the SQLSTATE class of its error: 23 is the database's constraint.
DECODER, DATABASE = "22", "23"


def spoiled(good: bytes, variant: int) -> tuple[bytes, str]:
    variants = [
        (good[:len(good) // 2], DECODER),                                      # cut off
        (good.replace(b'"id":', b'"id":"not a number","x":'), DECODER),        # wrong type
        (good.replace(b'"customer":"', b'"customer":"\xff\xfe'), DECODER),     # not UTF-8
        (b"", DECODER),                                                        # nothing at all
        (json.dumps({"id": 1, "amount": 5000000, "note": "too much"}).encode(), DATABASE),
        (b'{"id":1,"amount":1000000.00,"note":"just too much"}', DATABASE),
    ]
    return variants[variant % len(variants)]


@dataclass(frozen=True)
class Bad:
    partition: int
    offset: int
    value: bytes
    kind: str


def send_with_poison(stage: Stage, rows: int, one_in: int) -> tuple[list[bytes], list[Bad]]:
    """Sends orders of which every one_in-th is broken; returns the rows to be there, and the bad."""
    stage.make_topic()
    messages, lines, bad = [], [], []
    for number, partition, offset in stage.orders.placed(range(rows)):
        value = stage.orders.message(number)
        if number % one_in == one_in // 2:
            value, kind = spoiled(value, len(bad))
            bad.append(Bad(partition, offset, value, kind))
        else:
            lines.append(stage.orders.line(number, partition, offset))
        messages.append((partition, value))
    Topic(stage.kafka.bootstrap, stage.topic_name).send(messages)
    return lines, bad


def pipeline(stage: Stage, on_error: str, **settings: object):
    return stage.order_file(source_options={"on_error": on_error},
                            target_options={"create_table": False}, **settings)


# covers: E-01, G-12
@pytest.mark.parametrize("kind", ["append", "upsert"])
@pytest.mark.parametrize("partitions", [1, 2])
def test_dead_letters_keep_every_bad_record_once(stage: Stage, partitions: int, kind: str):
    lines, bad = send_with_poison(stage, ROWS, ONE_IN // 4)
    if kind == "upsert":
        # Every row has a key of its own here: what is refused must not take another row with it.
        columns = TARGET_COLUMNS.replace("id bigint", "id bigint NOT NULL")
        text = "\n".join([
            pipelines.settings_lines({"name": "orders", "output_partitions": partitions}),
            pipelines.source(stage.topic_name, on_error="dead_letter"),
            pipelines.target("public.orders", columns + ", PRIMARY KEY (part, pos)",
                             create_table=False),
            f"INSERT INTO public.orders SELECT {SELECTED} FROM incoming;"])
        stage.connect().execute(TABLE.replace("CONSTRAINT", "PRIMARY KEY (part, pos), CONSTRAINT"))
        stage.weir(stage.file(text)).finish(120)
    else:
        stage.connect().execute(TABLE)
        stage.weir(pipeline(stage, "dead_letter", output_partitions=partitions)).finish(120)
    stage.assert_rows(lines)
    letters = ledger.dead_letters(stage.connect())
    there = [(x["stream_partition"], x["offset"], bytes(x["value"] or b"")) for x in letters]
    assert sorted(there) == sorted((x.partition, x.offset, x.value) for x in bad)
    kinds = {(x.partition, x.offset): x.kind for x in bad}
    for letter in letters:
        assert letter["stream"] == stage.topic_name and letter["source"] == "incoming"
        assert letter["sqlstate"].startswith(kinds[letter["stream_partition"], letter["offset"]]), letter
        assert letter["error"]
    ledger.audit(stage.connect())


# covers: E-01, G-12
def test_skip_leaves_the_bad_records_out_and_counts_them(stage: Stage):
    lines, bad = send_with_poison(stage, ROWS // 2, ONE_IN // 4)
    stage.connect().execute(TABLE)
    weir = stage.weir(pipeline(stage, "skip"))
    weir.finish(120)
    stage.assert_rows(lines)
    assert ledger.dead_letters(stage.connect()) == []
    connection = stage.connect()
    read, written = connection.execute("SELECT sum(source_rows), sum(rows - refused) FROM weir.batch"
                                       ).fetchone()
    assert read - written == len(bad)
    assert any(f"{len(bad)}" in json.dumps(event) for event in weir.events()
               if "skipped" in json.dumps(event)), weir.tail()


def rows_as_the_ledger_says(connection) -> int:
    """In one snapshot: the COMMIT of a weir that has just ended may still be on its way in."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        there = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
        assert there == ledger.rows_written(connection)
    return there


# covers: E-14
@pytest.mark.parametrize("variant", [0, 4], ids=["decoder", "database"])
def test_fail_stops_at_the_record_and_names_it(stage: Stage, variant: int):
    stage.connect().execute(TABLE)
    stage.send(5000)
    last = len(stage.sent)
    value, _ = spoiled(stage.orders.message(last), variant)
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    offset = topic.ends()[1]
    weir = stage.weir(pipeline(stage, "fail", batch_rows=1000))
    topic.send([(1, value)])
    weir.start(until_caught_up=True)
    weir.expect(BAD_DATA)
    words = weir.text()
    assert stage.topic_name in words and str(offset) in words, weir.tail()
    connection = stage.connect()
    there = rows_as_the_ledger_says(connection)
    # A restart decides nothing about the record. What lies before it, and in other partitions, may get in.
    for _ in range(2):
        weir.start(until_caught_up=True)
        weir.expect(BAD_DATA)
        then = rows_as_the_ledger_says(connection)
        assert there <= then
        there = then
    assert ledger.dead_letters(connection) == []
    # An operator decides: the record goes to the dead letters, everything else is there once.
    weir.pipeline = pipeline(stage, "dead_letter", batch_rows=1000)
    weir.finish()
    stage.assert_exact()
    letters = ledger.dead_letters(connection)
    assert [(x["stream_partition"], x["offset"], bytes(x["value"])) for x in letters] == [
        (1, offset, value)]


# covers: G-12
def test_a_poisoned_load_survives_kills(stage: Stage):
    """Halving under savepoints and dead letters, with kill -9 in the middle."""
    lines, bad = send_with_poison(stage, 30_000, 500)
    stage.connect().execute(TABLE)
    weir = stage.weir(pipeline(stage, "dead_letter", batch_rows=1000))
    for life_ms in (60, 80, 100, 120, 140, 160, 180, 200):
        weir.start(until_caught_up=True)
        try:
            weir.process.wait(life_ms / 1000)
        except Exception:  # noqa: BLE001 - still running
            weir.kill9()
    weir.finish(120)
    stage.assert_rows(lines)
    there = [(x["stream_partition"], x["offset"]) for x in ledger.dead_letters(stage.connect())]
    assert sorted(there) == sorted((x.partition, x.offset) for x in bad)
