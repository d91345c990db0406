"""test_command.py: the command as people and scripts meet it: verbs, exit codes, messages, signals,
and what it refuses.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import time

import psycopg
import pytest

import ledger
import pipelines
import weir_process
from orders import TARGET_COLUMNS
from stage import Stage
from topics import Topic
from weir_process import wait_until

DONE, FAILURE, USAGE, AWAY, PIPELINE = 0, 1, 2, 69, 78
VERBS = ("run", "validate", "check", "explain", "ddl", "wal", "version")


def text_of(done) -> str:
    return done.stdout + done.stderr


def invoke(stage: Stage, verb: str, *arguments: object):
    return weir_process.run(verb, *arguments, env=stage.environment())


# ---- verbs and usage -------------------------------------------------------------------------------


def test_version_and_help():
    assert re.search(r"\d+\.\d+", weir_process.run("version").stdout)
    overview = weir_process.run("--help")
    assert overview.returncode == DONE
    for verb in VERBS:
        assert verb in overview.stdout
        one = weir_process.run(verb, "--help")
        assert one.returncode == DONE and verb in one.stdout and "usage" in one.stdout.lower()


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run"], ["run", "--nonsense", "x.sql"],
                                       ["run", "a.sql", "b.sql"], ["validate"], ["wal", "eat", "x"]])
def test_usage_errors(arguments):
    done = weir_process.run(*arguments)
    assert done.returncode == USAGE, text_of(done)
    assert done.stderr


def test_an_unknown_option_is_told_by_the_whole_name():
    for verb in ("run", "prove"):
        done = weir_process.run(verb, "--nonsense")
        assert done.returncode == USAGE and done.stderr.startswith(f"weir {verb}: "), text_of(done)


def test_a_file_that_is_not_there(scratch):
    done = weir_process.run("run", scratch / "nothing.sql")
    assert done.returncode in (FAILURE, PIPELINE), text_of(done)
    assert "nothing.sql" in text_of(done)


def test_validate_needs_no_server(stage: Stage):
    done = weir_process.run("validate", stage.order_file(), env={"KAFKA": "127.0.0.1:1", "PG_DSN":
                            "postgresql://nobody@127.0.0.1:1/none"})
    assert done.returncode == DONE, text_of(done)


def test_a_string_that_is_no_dsn_is_found_without_a_server(stage: Stage):
    for verb in ("validate", "ddl"):
        done = weir_process.run(verb, stage.order_file(), env={"KAFKA": "127.0.0.1:1",
                                                               "PG_DSN": "postgresql://h/d?nonsense=1"})
        assert done.returncode == PIPELINE and "not a connection string" in done.stderr, text_of(done)


def test_a_column_for_short_texts_is_warned_of_and_its_dead_letters_are_told(stage: Stage):
    columns = TARGET_COLUMNS.replace("customer text", "customer varchar(1)")
    stage.connect().execute(f"CREATE TABLE public.orders ({columns})")
    stage.send(100)
    path = stage.order_file(source_options={"on_error": "dead_letter"},
                            target_options={"create_table": False})
    done = invoke(stage, "check", path)
    assert done.returncode == DONE and '"column_narrow"' in done.stderr, text_of(done)
    weir = stage.weir(path)
    weir.finish()
    told = weir.events("dead_letters")
    assert "100 rows" in told[-1]["message"] and "too long" in told[-1]["message"], weir.text()
    assert len(told) >= 2, weir.text()


MISTAKES = [
    ("SELECT idd FROM incoming", "idd", "an unknown column"),
    ("SELECT id FROM nowhere", "nowhere", "an unknown table"),
    ("SELECT id + customer FROM incoming", "+", "no such operator"),
    ("SELECT count(*) FROM incoming", "count", "not built yet, and said by name"),
    ("SELEC id FROM incoming", "SELEC", "a syntax error"),
    ("SELECT id, id FROM incoming", "", "more values than columns"),
]


#
@pytest.mark.parametrize("query, word, why", MISTAKES, ids=[why for _, _, why in MISTAKES])
def test_errors_look_like_a_compilers(stage: Stage, query: str, word: str, why: str):
    text = (pipelines.settings_lines({"name": "wrong"}) + pipelines.source("t")
            + pipelines.target("public.one", "id bigint") + f"INSERT INTO public.one\n  {query};\n")
    path = stage.file(text, "wrong.sql")
    done = invoke(stage, "validate", path)
    assert done.returncode == PIPELINE, text_of(done)
    found = re.search(r"wrong\.sql:(\d+):(\d+): error: \S", done.stderr)
    assert found, done.stderr
    line, column = int(found[1]), int(found[2])
    source_line = text.splitlines()[line - 1]
    assert source_line in done.stderr and "^" in done.stderr
    if word:
        assert source_line[column - 1:].startswith(word), f"{why}: column {column} of {source_line!r}"


#
@pytest.mark.parametrize("old, new", [
    ("connector = 'kafka'", "connector = 'carrier pigeon'"),
    ("format = 'json'", "format = 'morse'"),
    ("create_table = true", "creat_table = true"),
    ("pipeline.name", "pipeline.nam"),
    ("id bigint", "id biggint"),
])
def test_wrong_options_are_named(stage: Stage, old: str, new: str):
    text = pipelines.order_pipeline("t").replace(old, new)
    done = invoke(stage, "validate", stage.file(text, "wrong.sql"))
    assert done.returncode == PIPELINE, text_of(done)
    word = re.sub(r".*[. ']([^' ]+)'?$", r"\1", new.split(" = ")[0] if "creat" in new else new)
    assert word in done.stderr, done.stderr


def test_wrong_library_options_are_refused_before_anything_starts(stage: Stage):
    text = pipelines.order_pipeline("t", source_options={"kafka_no_such_thing": "1"})
    for verb in ("check", "run"):
        done = invoke(stage, verb, stage.file(text))
        assert done.returncode == PIPELINE and "no.such.thing" in done.stderr, text_of(done)


def test_what_fails_before_the_run_is_a_line_with_its_reason(stage: Stage, scratch):
    link, shared, plain = scratch / "link.weir", scratch / "shared.weir", scratch / "plain.weir"
    shared.mkdir()
    shared.chmod(0o777)
    link.symlink_to(shared)
    plain.write_text("")
    good, gone = stage.order_file(), stage.file(pipelines.order_pipeline("not_there"), "gone.sql")
    stage.make_topic()
    for reason, arguments, environment in (
            ("data_dir", ["--data", link, good], {}), ("data_dir", ["--data", shared, good], {}),
            ("data_dir", ["--data", plain, good], {}),
            ("data_dir", ["--data", scratch / "no" / "such.weir", good], {}),
            ("config", [good], {"PG_DSN": "postgresql://h/d?nonsense=1"}),
            ("config", [stage.file("SELEC;", "wrong.sql")], {}),
            ("config", [scratch / "nothing.sql"], {}), ("topic_missing", [gone], {})):
        done = weir_process.run("run", *arguments, env={**stage.environment(), **environment},
                                timeout_s=60, cwd=scratch)
        last = json.loads(done.stderr.splitlines()[-1])
        assert last["event"] == reason and last["code"].startswith("WEIR_E"), text_of(done)


def test_a_missing_variable_says_what_to_set(stage: Stage):
    text = pipelines.order_pipeline("t").replace("${PG_DSN}", "${NOT_SET_AT_ALL:?say where}")
    done = invoke(stage, "validate", stage.file(text))
    assert done.returncode == PIPELINE, text_of(done)
    assert "NOT_SET_AT_ALL" in done.stderr and "say where" in done.stderr


def test_explain_prints_plan_and_promise(stage: Stage):
    done = invoke(stage, "explain", stage.order_file())
    assert done.returncode == DONE, text_of(done)
    assert "exactly_once" in done.stdout or "exactly once" in done.stdout
    assert stage.topic_name in done.stdout and "public.orders" in done.stdout


def test_ddl_makes_what_a_poor_user_needs(stage: Stage):
    """The DDL run by an administrator, then weir as a role that owns nothing."""
    stage.send(500)
    pipeline = stage.order_file(target_options={"create_table": False})
    done = invoke(stage, "ddl", pipeline)
    assert done.returncode == DONE, text_of(done)
    role = f"poor_{stage.database}"
    with psycopg.connect(stage.dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
        admin.execute(done.stdout)
        admin.execute(f"GRANT USAGE ON SCHEMA weir TO {role}")
        admin.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA weir TO {role}")
        admin.execute(f"GRANT INSERT ON public.orders TO {role}")
    weir = stage.weir(pipeline)
    weir.env["PG_DSN"] = weir.env["PG_DSN"].replace("postgres@", f"{role}@")
    weir.finish()
    stage.assert_exact()


def test_a_made_table_has_columns_that_nothing_writes(stage: Stage):
    """By `create_table` and by `weir ddl` alike: somebody else may fill them."""
    stage.send(100)
    columns = "number bigint NOT NULL, customer text, checked boolean, remark varchar(20)"
    pipeline = stage.file("SET pipeline.name = 'wide';\n"
                          + pipelines.source(stage.topic_name)
                          + pipelines.target("wide", columns)
                          + "INSERT INTO wide (number) SELECT id FROM incoming;\n")
    stage.weir(pipeline).finish()
    database = stage.connect()
    shape = ("SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
             "WHERE attrelid = 'wide'::regclass AND attnum > 0 ORDER BY attnum")
    made = database.execute(shape).fetchall()
    assert made == [("number", "bigint", True), ("customer", "text", False),
                    ("checked", "boolean", False), ("remark", "character varying(20)", False)]
    assert database.execute("SELECT count(number), count(remark) FROM wide").fetchone() == (100, 0)
    database.execute("DROP TABLE wide")
    database.execute(invoke(stage, "ddl", pipeline).stdout)
    assert database.execute(shape).fetchall() == made


def test_check_connects_and_writes_nothing(stage: Stage):
    stage.make_topic()
    pipeline = stage.order_file(target_options={"create_table": False})
    missing = invoke(stage, "check", pipeline)
    assert missing.returncode == PIPELINE, text_of(missing)
    assert "orders" in missing.stderr and "weir ddl" in missing.stderr
    assert not ledger.exists(stage.connect())
    stage.connect().execute(invoke(stage, "ddl", pipeline).stdout)
    assert invoke(stage, "check", pipeline).returncode == DONE


# covers: D-15
def test_wal_dump_and_verify(stage: Stage):
    stage.send(2000)
    weir = stage.weir(stage.order_file(batch_rows=500))
    weir.finish()
    verified = invoke(stage, "wal", "verify", weir.data)
    assert verified.returncode == DONE, text_of(verified)
    dumped = invoke(stage, "wal", "dump", weir.data)
    assert dumped.returncode == DONE and stage.topic_name in dumped.stdout, text_of(dumped)
    broken = stage.dir / "broken"
    shutil.copytree(weir.data, broken)
    flip_a_byte_of_every_log_file(broken)
    assert invoke(stage, "wal", "verify", broken).returncode not in (DONE, USAGE)


def flip_a_byte_of_every_log_file(directory) -> None:
    for path in directory.rglob("*"):
        if path.is_file() and path.stat().st_size > 4096:
            blob = bytearray(path.read_bytes())
            used = len(bytes(blob).rstrip(b"\0"))
            if used > 200:
                blob[used // 2] ^= 0x40
                path.write_bytes(blob)


def test_completion_is_there():
    root = weir_process.ROOT
    scripts = [path for path in root.glob("**/weir*bash*") if "build" not in path.parts]
    scripts += [path for path in root.glob("completions/*") if path not in scripts]
    assert scripts, "no bash completion"


# ---- settings and secrets ------------------------------------------------------------------------


def test_set_wins_over_the_file(stage: Stage):
    stage.send(2000)
    weir = stage.weir(stage.order_file(batch_rows=2000))
    weir.finish(60, "--set", "pipeline.batch_rows=100")
    assert stage.connect().execute("SELECT max(source_rows) FROM weir.batch").fetchone()[0] <= 100
    stage.assert_exact()


SECRET = "s3cr3t-w0rd"


#
def test_secrets_are_never_shown(stage: Stage):
    """Wrong and right passwords in the DSN and in librdkafka's options: none of them in any output."""
    stage.send(100)
    # librdkafka takes the mechanism's options without a SASL listener to use them on.
    pipeline = stage.order_file(source_options={"kafka_sasl_password": SECRET,
                                                "kafka_sasl_username": "me"})
    dsn = f"postgresql://postgres:{SECRET}@127.0.0.1:{stage.postgres.port}/{stage.database}"
    words = ""
    for environment in ({"PG_DSN": dsn},
                        {"PG_DSN": dsn.replace(str(stage.postgres.port), "1")},
                        {"PG_DSN": dsn.replace("postgres:", "nobody_here:")},
                        {"PG_DSN": dsn + "?nonsense=1"}):
        for verb in ("explain", "validate", "check", "ddl"):
            done = weir_process.run(verb, pipeline, env={**stage.environment(), **environment},
                                    timeout_s=90)
            words += text_of(done)
    weir = stage.weir(pipeline)
    weir.env["PG_DSN"] = dsn
    weir.finish()
    words += weir.text()
    words += text_of(weir_process.run("wal", "dump", weir.data))
    words += str(stage.connect().execute("SELECT * FROM weir.pipeline").fetchall())
    assert SECRET not in words


# ---- log lines -------------------------------------------------------------------------------------


def test_log_lines_are_json_and_progress_comes_every_second(stage: Stage):
    stage.send(1000)
    weir = stage.weir(stage.order_file())
    weir.start()
    wait_until(lambda: len(weir.events("progress")) >= 3, 15, "three progress lines", 0.1)
    assert weir.term() == DONE
    for line in weir.text().splitlines():
        event = json.loads(line)
        assert {"at", "level", "event", "message"} <= set(event) or event["event"] == "progress", line
    for field in ("batch", "lag"):
        assert any(field in name for name in weir.events("progress")[-1]), weir.events("progress")[-1]


# ---- signals ---------------------------------------------------------------------------------------


# covers: P-04
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_signal_finishes_the_batch(stage: Stage, number: int):
    stage.send(60_000)
    weir = stage.weir(stage.order_file(batch_rows=200))
    weir.start()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.batch_number(watch) >= 3, 30, "batch 3")
        weir.signal(number)
        weir.expect(DONE)
        last = ledger.batch_number(watch)
        assert last < 300, "it was to be stopped in the middle"
        weir.finish()
        assert not weir.events("rebuild") and not weir.events("batch_repeated"), weir.tail()
    stage.assert_exact()


def test_a_second_sigint_stops_at_once(stage: Stage):
    stage.send(2000)
    weir = stage.weir(stage.order_file(batch_rows=500))
    weir.finish()
    lock = stage.connect(autocommit=False)
    lock.execute("SELECT 1 FROM weir.ledger FOR UPDATE")
    stage.send(2000)
    weir.start()
    time.sleep(1)  # it waits for the ledger
    weir.signal(signal.SIGINT)
    time.sleep(0.3)
    weir.signal(signal.SIGINT)
    assert weir.wait(5) != DONE
    lock.rollback()
    weir.finish()
    stage.assert_exact()


# ---- what is refused -------------------------------------------------------------------------------


# covers: P-11
def test_two_processes_on_one_directory(stage: Stage):
    stage.send(1000)
    pipeline = stage.order_file()
    first = stage.weir(pipeline)
    first.start()
    first.wait_event("generation_taken")
    second = stage.weir(pipeline)
    second.log_path = stage.dir / "second.log"
    second.start()
    assert second.wait(15) not in (DONE, USAGE, 70)
    assert "data" in second.text() and str(first.pid) in second.text() or "lock" in second.text()
    assert first.is_running
    with stage.connect() as connection:
        wait_until(lambda: connection.execute("SELECT count(*) FROM public.orders").fetchone()[0] == 1000,
                   20, "the rows of the first one")
    assert first.term() == DONE
    stage.assert_exact()


def test_the_directory_of_another_pipeline(stage: Stage):
    stage.send(500)
    stage.weir(stage.order_file()).finish()
    other = stage.weir(stage.order_file(name="someone_else"))
    other.start(until_caught_up=True)
    other.expect(FAILURE)
    assert "someone_else" in other.text() and "orders" in other.text()


def test_a_changed_definition_goes_on_when_nothing_is_in_flight(stage: Stage):
    stage.send(500)
    weir = stage.weir(stage.order_file())
    weir.finish()
    before = len(stage.sent)
    stage.send(500)
    text = pipelines.order_pipeline(stage.topic_name).replace("SELECT id,", "SELECT -id,")
    changed = stage.weir(stage.file(text, "changed.sql"))
    changed.finish()
    assert changed.events("definition_changed"), changed.tail()
    negative = stage.connect().execute("SELECT count(*) FROM orders WHERE id < 0").fetchone()[0]
    assert negative == len(stage.sent) - before


# covers: G-30
def test_a_ledger_of_another_uuid(stage: Stage):
    stage.send(500)
    weir = stage.weir(stage.order_file())
    weir.finish()
    with psycopg.connect(stage.dsn) as connection:
        connection.execute("ALTER TABLE weir.ledger DROP CONSTRAINT IF EXISTS ledger_pipeline_fkey")
        connection.execute("UPDATE weir.pipeline SET uuid = gen_random_uuid()")
        connection.execute("UPDATE weir.ledger SET pipeline = (SELECT uuid FROM weir.pipeline)")
    weir.start(until_caught_up=True)
    weir.expect(FAILURE)
    assert "uuid" in weir.text() or "ledger_of_another" in weir.text(), weir.tail()


# covers: G-23
@pytest.mark.parametrize("harm", ["DROP SCHEMA weir CASCADE", "DROP TABLE weir.ledger",
                                  "DELETE FROM weir.ledger; DELETE FROM weir.pipeline"])
def test_a_ledger_that_is_missing_is_never_made_again_silently(stage: Stage, harm: str):
    stage.send(500)
    weir = stage.weir(stage.order_file())
    weir.finish()
    stage.connect().execute(harm)
    stage.send(500)
    for _ in range(2):
        weir.start(until_caught_up=True)
        weir.expect(FAILURE)
        assert "ledger" in weir.text(), weir.tail()
    assert stage.connect().execute("SELECT count(*) FROM orders").fetchone()[0] == 500


# covers: P-30
@pytest.mark.parametrize("partitions", [1, 2])
def test_the_log_directory_is_lost(stage: Stage, partitions: int):
    pipeline = stage.order_file(batch_rows=300, output_partitions=partitions)
    stage.send(2000)
    weir = stage.weir(pipeline)
    weir.finish()
    shutil.rmtree(weir.data)
    stage.send(2000)
    weir.finish()
    stage.assert_exact()
    ledger.audit(stage.connect())


# covers: P-09, P-32
@pytest.mark.parametrize("partitions", [1, 2])
def test_the_log_is_put_back_from_an_older_copy(stage: Stage, partitions: int):
    pipeline = stage.order_file(batch_rows=300, output_partitions=partitions)
    stage.send(2000)
    weir = stage.weir(pipeline)
    weir.finish()
    shutil.copytree(weir.data, stage.dir / "older")
    stage.send(2000)
    weir.finish()
    shutil.rmtree(weir.data)
    shutil.copytree(stage.dir / "older", weir.data)
    stage.send(2000)
    weir.finish()
    stage.assert_exact()
    ledger.audit(stage.connect())


# covers: P-29
def test_the_number_of_output_partitions_changes(stage: Stage):
    for partitions in (1, 3, 2):
        stage.send(2000)
        stage.weir(stage.order_file(batch_rows=300, output_partitions=partitions)).finish()
        stage.assert_exact()


# ---- tables ----------------------------------------------------------------------------------------


MISFITS = [
    ("CREATE TABLE orders (id bigint)", "customer"),
    ("CREATE TABLE orders (id text, customer text, amount numeric(12,2), quantity integer, "
     "created_at timestamptz, note text, part integer, pos bigint)", "id"),
    ("CREATE TABLE orders (id bigint, customer text, amount numeric(12,2), quantity integer, "
     "created_at timestamptz, note text, part integer, pos bigint, more text NOT NULL)", "more"),
    ("CREATE TABLE orders (id bigint GENERATED ALWAYS AS (1) STORED, customer text, "
     "amount numeric(12,2), quantity integer, created_at timestamptz, note text, part integer, "
     "pos bigint)", "id"),
]


@pytest.mark.parametrize("table, word", MISFITS, ids=["missing column", "other type", "not null",
                                                      "generated"])
def test_a_table_that_does_not_fit(stage: Stage, table: str, word: str):
    stage.make_topic()
    stage.connect().execute(table)
    for verb in ("check", "run"):
        done = invoke(stage, verb, stage.order_file(), *(["--data", stage.dir / "d"]
                                                         if verb == "run" else []))
        assert done.returncode == PIPELINE, text_of(done)
        assert word in text_of(done) and "orders" in text_of(done)


def test_an_upsert_wants_a_unique_index(stage: Stage):
    stage.make_topic()
    stage.connect().execute(
        "CREATE TABLE orders (id bigint, customer text, amount numeric(12,2), quantity integer, "
        "created_at timestamptz, note text, part integer, pos bigint)")
    done = invoke(stage, "check", stage.order_file("upsert"))
    assert done.returncode == PIPELINE, text_of(done)
    assert "customer" in done.stderr and ("UNIQUE" in done.stderr.upper() or "PRIMARY" in done.stderr)


# covers: G-35
def test_two_tables_of_one_database_change_together(stage: Stage):
    """Each batch is in both tables or in none, under kills."""
    stage.send(20_000)
    text = "\n".join([
        pipelines.settings_lines({"name": "orders", "batch_rows": 500}),
        pipelines.source(stage.topic_name),
        pipelines.target("public.orders"),
        pipelines.target("public.large", "id bigint, pos bigint"),
        "INSERT INTO public.orders SELECT id, customer, amount, quantity, created_at, note, "
        "_partition, _offset FROM incoming;",
        "INSERT INTO public.large SELECT id, _offset FROM incoming WHERE amount >= 50000;"])
    weir = stage.weir(stage.file(text))
    together = ("SELECT (SELECT count(*) FROM orders WHERE amount >= 50000) = "
                "(SELECT count(*) FROM large)")
    for _ in range(4):
        weir.start()
        with psycopg.connect(stage.dsn, autocommit=True) as watch:
            before = ledger.batch_number(watch)
            wait_until(lambda: ledger.batch_number(watch) > before + 2 or not weir.is_running, 30,
                       "three batches")
            weir.kill9()
            assert watch.execute(together).fetchone()[0]
    weir.finish()
    stage.assert_exact()
    assert stage.connect().execute(together).fetchone()[0]


# ---- away ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", ["KAFKA", "PG_DSN"])
def test_gives_up_with_69_after_the_retry_limit(stage: Stage, gone: str):
    stage.send(100)
    weir = stage.weir(stage.order_file(retry_limit="2 s"))
    weir.env[gone] = {"KAFKA": "127.0.0.1:1",
                      "PG_DSN": "postgresql://postgres@127.0.0.1:1/none"}[gone]
    weir.start(until_caught_up=True)
    weir.expect(AWAY, 60)


def test_a_topic_that_does_not_exist(stage: Stage):
    weir = stage.weir(stage.order_file(retry_limit="2 s"))
    weir.start(until_caught_up=True)
    assert weir.wait(60) != DONE
    assert stage.topic_name in weir.text(), weir.tail()


# ---- sources ---------------------------------------------------------------------------------------


def test_start_latest_reads_only_what_comes_after(stage: Stage):
    stage.send(1000)
    weir = stage.weir(stage.order_file(source_options={"start": "latest"}))
    weir.finish()
    old = len(stage.sent)
    stage.send(1000)
    weir.finish()
    stage.assert_rows(line for (number, *_), line in
                      zip(stage.orders.placed(stage.sent), stage.orders.lines(stage.sent))
                      if number >= old)


#
def test_raw_format_and_headers(stage: Stage):
    topic = Topic(stage.kafka.bootstrap, stage.topic_name).create(1)
    topic.send([(0, bytes(range(256)), b"key"), (0, b"", None)])
    text = (pipelines.settings_lines({"name": "raw"})
            + pipelines.source(stage.topic_name, "value bytea", format="raw")
            + pipelines.target("public.raw", "value bytea, key bytea, pos bigint")
            + "INSERT INTO public.raw SELECT value, _key, _offset FROM incoming;")
    stage.weir(stage.file(text)).finish()
    rows = stage.connect().execute("SELECT value, key, pos FROM raw ORDER BY pos").fetchall()
    assert rows == [(bytes(range(256)), b"key", 0), (b"", None, 1)]
