#!/usr/bin/env python3
"""Who may include whom: the table of docs/ARCHITECTURE.md, run as a test.

Prints TAP: one test a source file, and one for each rule that speaks of the whole tree. Every
#include of a project header must come from the file's own folder, include/weir/, src/base/, or what
the table allows; every outside library is known to the files named here and to nobody else.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Folder: other folders ("chunk/") and single headers ("io/io.h") it may include.
MAY_INCLUDE = {
    "src/base": [],
    "src/io": [],
    "src/chunk": [],
    "wal": ["io/io.h"],
    "src/format": ["chunk/"],
    "src/expr": ["chunk/"],
    "src/state": ["chunk/"],
    "src/source": ["chunk/", "format/", "io/io.h"],
    "src/sink": ["chunk/", "format/", "io/io.h"],
    "src/op": ["chunk/", "expr/", "state/state.h"],
    "src/sql": ["chunk/", "expr/expr.h", "format/format.h", "source/source.h", "op/op.h",
                "state/state.h", "sink/sink.h"],
    "src/txn": ["chunk/", "wal/wal.h", "io/io.h", "source/source.h", "state/state.h",
                "sink/sink.h"],
    "src/engine": ["chunk/", "format/", "expr/", "op/", "sql/", "state/", "source/", "sink/",
                   "txn/", "wal/wal.h", "io/io.h"],
    "src/serve": [],
    # A client of the command, not a part of the engine: it sees only the outside of what it hurts.
    "src/prove": [],
    "src/cli": ["prove/prove.h"],
}

# These see the public headers and their line above only: not even src/base/.
PUBLIC_ONLY = {"src/serve", "src/cli"}

# Header of an outside library: the files that may know it.
OUTSIDE = {
    r"liburing\.h": r"src/io/uring_io\.c",
    r"zstd\.h": r"wal/compress\.c",
    r"xxhash\.h": r"src/base/hash\.c",
    r"simdjson\.h": r"src/format/json_\w+\.cc",
    r"rocksdb/.*": r"src/state/rocksdb_state\.c",
    r"librdkafka/.*": r"src/((source|sink)/kafka_\w+\.[ch]|prove/(load|topic)\.c)",
    r"libpq-fe\.h|libpq/.*|postgresql/.*": r"src/(sink/postgres_\w+\.[ch]|prove/session\.c)",
    r"pg_query.*": r"src/sql/(parse\w*\.[ch]|report\.c)",
    r"microhttpd\.h": r"src/serve/http\.c",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def folder_of(path):
    parts = path.parts
    return parts[0] if parts[0] == "wal" else "/".join(parts[:2])


def allowed(folder, header):
    own = folder.removeprefix("src/") + "/"
    if header.startswith("weir/") or header.startswith(own):
        return True
    if header.startswith("base/") and folder not in PUBLIC_ONLY:
        return True
    return any(header == rule or (rule.endswith("/") and header.startswith(rule))
               for rule in MAY_INCLUDE[folder])


def check_file(path):
    """Yields what is wrong with one file."""
    folder = folder_of(path)
    if folder not in MAY_INCLUDE:
        yield f"folder {folder} is not in the table of tests/lint/layers.py"
        return
    for quote, header in INCLUDE.findall((ROOT / path).read_text()):
        if ".." in header.split("/"):
            yield f'"{header}": paths start at the root of their tree'
        if quote == '"':
            if "/" not in header:
                yield f'"{header}": paths start at the root of their tree'
            elif not allowed(folder, header):
                yield f'"{header}": {folder} may not include it'
        for library, users in OUTSIDE.items():
            if re.fullmatch(library, header) and not re.fullmatch(users, str(path)):
                yield f"<{header}>: only {users} may know it"


def check_names(paths):
    """File names are unique in the tree: logs and backtraces show them bare."""
    seen = {}
    for path in paths:
        if path.name in seen:
            yield f"{path} has the name of {seen[path.name]}"
        seen.setdefault(path.name, path)


def main():
    paths = sorted(p.relative_to(ROOT) for root in ("src", "wal") for p in (ROOT / root).rglob("*")
                   if p.suffix in (".c", ".h", ".cc"))
    results = [(str(path), list(check_file(path))) for path in paths]
    results.append(("file names are unique", list(check_names(paths))))
    print(f"1..{len(results)}")
    for number, (name, faults) in enumerate(results, 1):
        print(f"{'not ok' if faults else 'ok'} {number} - {name}")
        for fault in faults:
            print(f"# {name}: {fault}")
    return 1 if any(faults for _, faults in results) else 0


if __name__ == "__main__":
    sys.exit(main())
