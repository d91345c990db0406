"""coverage.py: the table of `./dev coverage`, of what gcovr counted.

Uses     the standard library. Reads gcovr's JSON.
usage: coverage.py FILE.json [--wanted PERCENT] [--report FILE] [--missing]

A branch is one way out of a condition, as the compiler sees it. The exit code is 1 when fewer
than PERCENT of all of them were taken; the files with too few are then named.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("file", "lines", "lines_taken", "line_percent", "branches", "branches_taken",
           "branch_percent")


@dataclass
class Counted:
    """One source file, or all of them."""

    name: str
    lines: int = 0
    lines_taken: int = 0
    branches: int = 0
    branches_taken: int = 0

    def add(self, other: "Counted") -> None:
        self.lines += other.lines
        self.lines_taken += other.lines_taken
        self.branches += other.branches
        self.branches_taken += other.branches_taken

    def is_short(self, wanted: float) -> bool:
        return 100 * self.branches_taken < wanted * self.branches

    def cells(self) -> list[str]:
        return [self.name, str(self.lines), str(self.lines_taken),
                percent(self.lines_taken, self.lines), str(self.branches),
                str(self.branches_taken), percent(self.branches_taken, self.branches)]


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 100:.1f}"


def count(entry: dict) -> Counted:
    ret = Counted(entry["file"])
    for line in entry["lines"]:
        if not line.get("gcovr/noncode"):
            ret.lines += 1
            ret.lines_taken += line["count"] != 0
            ret.branches += len(line["branches"])
            ret.branches_taken += sum(branch["count"] != 0 for branch in line["branches"])
    return ret


def print_table(rows: list[Counted]) -> None:
    table = [list(COLUMNS), *(row.cells() for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        print(row[0].ljust(widths[0]), *(cell.rjust(width)
                                         for cell, width in zip(row[1:], widths[1:], strict=True)))


def print_missing(entry: dict) -> None:
    source = (ROOT / entry["file"]).read_text().splitlines()
    for line in entry["lines"]:
        counts = [branch["count"] for branch in line["branches"]]
        if line.get("gcovr/noncode") or all(counts) and line["count"] != 0:
            continue
        taken = f"{sum(x != 0 for x in counts)}/{len(counts)}" if counts else "never"
        number = line["line_number"]
        print(f"{entry['file']}:{number}: {taken:>5}  {source[number - 1].strip()}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="coverage.py")
    parser.add_argument("json", type=Path)
    parser.add_argument("--wanted", type=float, default=0.0)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--missing", action="store_true")
    args = parser.parse_args()
    entries = sorted(json.loads(args.json.read_text())["files"], key=lambda entry: entry["file"])
    rows = [count(entry) for entry in entries]
    total = Counted("total")
    for row in rows:
        total.add(row)
    if args.missing:
        for entry in entries:
            print_missing(entry)
    print_table([*rows, total])
    if args.report:
        lines = ["\t".join(COLUMNS), *("\t".join(row.cells()) for row in [*rows, total])]
        args.report.write_text("\n".join(lines) + "\n")
    print(f"branches of wal/ and src/txn: {percent(total.branches_taken, total.branches)} %")
    if not total.is_short(args.wanted):
        return 0
    print(f"under {args.wanted:g} %: {', '.join(row.name for row in rows if row.is_short(args.wanted))}")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
