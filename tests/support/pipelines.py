"""pipelines.py: pipeline files for tests and benches.

Uses     orders.py for the columns.
Addresses come from the environment (KAFKA, PG_DSN), as in a user's file: a proxy or a restored
server is then a matter of starting the same file with another environment.
"""

from __future__ import annotations

from pathlib import Path

import orders

INDEX_KEY = {"append": "", "upsert": ", PRIMARY KEY (customer)"}


def settings_lines(settings: dict[str, object]) -> str:
    return "".join(f"SET pipeline.{name} = '{value}';\n" for name, value in settings.items())


def with_clause(options: dict[str, object]) -> str:
    """`a_b` becomes a_b; `kafka_a_b` becomes "kafka.a.b"."""
    parts = []
    for name, value in options.items():
        if name.startswith("kafka_"):
            name = '"' + name.replace("_", ".") + '"'
        parts.append(f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}")
    return ", ".join(parts)


def source(topic: str, columns: str = orders.SOURCE_COLUMNS, name: str = "incoming",
           **options: object) -> str:
    everything = {"connector": "kafka", "brokers": "${KAFKA}", "topic": topic, "format": "json",
                  **options}
    return f"CREATE TABLE {name} (\n{columns}\n) WITH ({with_clause(everything)});\n"


def target(table: str, columns: str = orders.TARGET_COLUMNS, **options: object) -> str:
    everything = {"connector": "postgres", "dsn": "${PG_DSN}", "create_table": True, **options}
    return f"CREATE TABLE {table} (\n{columns}\n) WITH ({with_clause(everything)});\n"


def order_pipeline(topic: str, kind: str = "append", table: str = "public.orders",
                   source_options: dict[str, object] | None = None,
                   target_options: dict[str, object] | None = None, where: str = "",
                   **settings: object) -> str:
    """Every order of the topic into one table, with its coordinates; kind is append or upsert."""
    settings = {"name": "orders", **settings}
    return "\n".join([
        settings_lines(settings),
        source(topic, **(source_options or {})),
        target(table, orders.TARGET_COLUMNS + INDEX_KEY[kind], **(target_options or {})),
        f"INSERT INTO {table}\nSELECT {orders.SELECTED}\nFROM incoming{where};\n",
    ])


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
