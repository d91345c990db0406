"""test_oracle.py: every expression of cases.py means in weir what it means in PostgreSQL 15.

Both compute each expression for the same rows; types, values (as text, to the last digit) and
SQLSTATEs must be the same for every row. What PostgreSQL refuses while it parses or plans, weir must
refuse while it binds, or row by row.

Uses     tests/support/servers.py for a private PostgreSQL; weir_oracle for weir's answers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import cases  # noqa: E402
import servers  # noqa: E402

ORACLE = Path(os.environ.get("WEIR_ORACLE", servers.BUILD / "gcc/tests/oracle/weir_oracle"))
SHOWN_MAX = 5

# Computes one expression row by row, so that a row that fails does not hide the others.
ROW_BY_ROW = """
CREATE FUNCTION row_by_row(expression text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE answer text; state text; message text;
BEGIN
  FOR n IN 1 .. (SELECT count(*) FROM t) LOOP
    BEGIN
      EXECUTE 'SELECT CASE WHEN x IS NULL THEN ''null'' ELSE format(''=%s'', x) END FROM '
              '(SELECT (' || expression || ') AS x FROM t WHERE row_number = $1 OFFSET 0) AS s'
        INTO answer USING n;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
      answer := '!' || state || ' ' || message;
    END;
    RETURN NEXT answer;
  END LOOP;
END $$;
"""


@dataclass
class Answer:
    """What one side says: a refusal as a whole, or a type and a value for each row."""

    refused: str | None = None
    type: str = ""
    rows: list[str] = field(default_factory=list)


def copy_text(value: str | None) -> str:
    if value is None:
        return "\\N"
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def escape(text: str) -> str:
    """Text as weir_oracle prints it."""
    return "".join(f"\\{ord(c):03o}" if c < " " or c == "\\" else c for c in text)


def ask_weir(expressions: list[str]) -> list[Answer]:
    lines = ["table " + cases.table_sql()]
    lines += ["row " + "\t".join(map(copy_text, row)) for row in cases.table_rows()]
    lines += ["select SELECT " + expression.replace("\n", " ") for expression in expressions]
    done = subprocess.run([ORACLE], input="\n".join(lines) + "\n", capture_output=True, text=True)
    assert done.returncode == 0, f"weir_oracle ended with {done.returncode}: {done.stderr}"
    answers, answer = [], Answer()
    for line in done.stdout.split("\n")[:-1]:
        if line == "end":
            answers.append(answer)
            answer = Answer()
        elif line.startswith("refused "):
            answer.refused = line[8:]
        elif line.startswith("type "):
            answer.type = line[5:]
        else:
            answer.rows.append(line)
    return answers


def refusal(pgconn: psycopg.pq.PGconn, expression: str) -> str | None:
    """What PostgreSQL says when it cannot even plan the expression."""
    plan = pgconn.exec_(f"EXPLAIN SELECT {expression} FROM t".encode())
    if plan.status == psycopg.pq.ExecStatus.TUPLES_OK:
        return None
    state = plan.error_field(psycopg.pq.DiagnosticField.SQLSTATE).decode()
    return f"{state} {plan.error_field(psycopg.pq.DiagnosticField.MESSAGE_PRIMARY).decode()}"


def ask_postgres(connection: psycopg.Connection, expression: str) -> Answer:
    pgconn = connection.pgconn
    answer = Answer()
    result = pgconn.exec_(f"SELECT {expression} FROM t ORDER BY row_number".encode())
    if result.status == psycopg.pq.ExecStatus.TUPLES_OK:
        values = [result.get_value(row, 0) for row in range(result.ntuples)]
        answer.rows = ["null" if v is None else "=" + escape(v.decode()) for v in values]
    else:
        answer.refused = refusal(pgconn, expression)
        if answer.refused is not None:
            return answer
        with connection.cursor() as cursor:
            cursor.execute("SELECT row_by_row(%s)", [expression])
            answer.rows = [escape(value) for value, in cursor]
        result = pgconn.exec_(f"SELECT {expression} FROM t WHERE false".encode())
    if result.status == psycopg.pq.ExecStatus.TUPLES_OK:
        answer.type = TYPE_NAMES.get(result.ftype(0), str(result.ftype(0)))
    return answer


TYPE_NAMES: dict[int, str] = {}


@pytest.fixture(scope="session")
def answers():
    """Both sides' answers to all cases."""
    server = servers.Postgres(servers.BUILD / "test/oracle", {"fsync": "off"})
    server.destroy()
    with server.start(), psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(ROW_BY_ROW)
        connection.execute("SET jit = off")
        connection.execute(cases.table_sql())
        with connection.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
            for row in cases.table_rows():
                copy.write("\t".join(map(copy_text, row)) + "\n")
        connection.execute("ALTER TABLE t ADD row_number serial")
        connection.execute("ANALYZE t")
        types = connection.execute("SELECT oid, format_type(oid, NULL) FROM pg_type").fetchall()
        TYPE_NAMES.update(types)
        postgres = [ask_postgres(connection, expression) for _, expression in cases.CASES]
    server.destroy()
    return list(zip(ask_weir([e for _, e in cases.CASES]), postgres, strict=True))


def same(weir: str, postgres: str) -> bool:
    """Values to the letter; of errors the SQLSTATE, and PostgreSQL's message at the beginning (the
    detail may follow)."""
    if weir.startswith("!") and postgres.startswith("!"):
        return weir[1:6] == postgres[1:6] and weir.startswith(postgres[:200])
    return weir == postgres


def differences(weir: Answer, postgres: Answer) -> list[str]:
    if postgres.refused is not None:
        refusing = weir.refused is not None
        state = postgres.refused[:5]
        if refusing or (weir.rows and all(row.startswith("!" + state) for row in weir.rows)):
            return []
        return [f"PostgreSQL refuses: {postgres.refused}; weir: {weir.type} {weir.rows[:3]}"]
    if weir.refused is not None:
        return [f"weir refuses: {weir.refused}; PostgreSQL: {postgres.type} {postgres.rows[:3]}"]
    found = []
    if weir.type != postgres.type:
        found.append(f"weir's type is {weir.type}, PostgreSQL's {postgres.type}")
    for number, (ours, theirs) in enumerate(zip(weir.rows, postgres.rows, strict=True)):
        if not same(ours, theirs):
            values = dict(zip([f"{n}{k}" for n in cases.NAMES for k in (1, 2)],
                              cases.table_rows()[number]))
            found.append(f"row {number}: weir {ours!r}, PostgreSQL {theirs!r} of {values}")
    return found


IDS = [f"{group}-{number}" for number, (group, _) in enumerate(cases.CASES)]


@pytest.mark.parametrize("number", range(len(cases.CASES)), ids=IDS)
def test_expression(answers, number):
    expression = cases.CASES[number][1]
    weir, postgres = answers[number]
    found = differences(weir, postgres)
    if found:
        pytest.fail(f"{expression}\n" + "\n".join(found[:SHOWN_MAX]), pytrace=False)


@pytest.fixture(scope="session")
def refusals():
    return ask_weir(cases.REFUSED)


@pytest.mark.parametrize("number", range(len(cases.REFUSED)))
def test_what_is_missing_is_refused(refusals, number):
    """Where a constant decides, while binding; where only a row can tell, for every row of it."""
    answer = refusals[number]
    by_row = bool(answer.rows) and all(r == "null" or r.startswith("!0A000") for r in answer.rows)
    assert answer.refused is not None or by_row, f"{cases.REFUSED[number]}: {answer.rows[:3]}"
