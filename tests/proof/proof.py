"""proof.py: keeps the results of long campaigns, and makes docs/PROOF.md of them.

Uses     the standard library, git. Reads what `./dev sim --report`, `weir prove --json`,
         `./dev fuzz --report`, `./dev coverage --report`, `./dev catalogue --report` and `./dev test`
         leave.
usage: proof.py record NAME [--command TEXT] [--commit REV] FILE...
                                        keeps a campaign's result as tests/proof/results/NAME.tsv
       proof.py page                    prints docs/PROOF.md

A result is a table with tabs, and before it lines `# key: value`: the commit whose build was hurt, the
day, the command, the machine.

PR1  Nothing on the page is typed in by hand but track_record.md and not_covered.md, which lie here.
PR2  A figure without a result says "not run", and one that falls short says so.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results"
MODES = ("exactly_once", "at_least_once", "at_most_once")
CATALOGUE_WANTED = 120
COVERAGE_WANTED = 95.0
SCHEDULES_WANTED = 10_000_000
KILLS_WANTED = 5_000
FUZZ_SECONDS_WANTED = 600
LINK_FAULTS_WANTED = 10

# ---- results --------------------------------------------------------------------------------


@dataclass
class Result:
    """One campaign: what it was, and its table."""

    about: dict[str, str]
    rows: list[dict[str, str]]

    def sum(self, column: str) -> int:
        return sum(int(float(row[column] or 0)) for row in self.rows)


def load(name: str) -> Result | None:
    path = RESULTS / f"{name}.tsv"
    if not path.exists():
        return None
    lines = path.read_text().splitlines()
    about = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    rows = list(csv.DictReader((x for x in lines if not x.startswith("# ")), delimiter="\t"))
    return Result(about, rows)


def machine() -> str:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").open()
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}, Linux {platform.release().split('-')[0]}"


def save(name: str, files: list[Path], command: str, commit: str) -> None:
    rev = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short=10", commit],
                         capture_output=True, text=True, check=True).stdout.strip()
    table = prove_table(files) if files[0].suffix == ".json" else added_up(files)
    about = {"commit": rev, "day": datetime.date.today().isoformat(), "command": command,
             "machine": machine()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.tsv").write_text(
        "".join(f"# {key}: {value}\n" for key, value in about.items()) + table)


def added_up(files: list[Path]) -> str:
    """Several tables of one kind: rows of the same first column become one, and their numbers a sum;
    ranges of seeds grow from the lowest to the highest."""
    if len(files) == 1:
        return files[0].read_text()
    total: dict[str, dict[str, str]] = {}
    for path in files:
        with path.open() as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                key = next(iter(row.values()))
                total[key] = {c: joined(c, total[key][c], v) for c, v in row.items()} \
                    if key in total else row
    rows = list(total.values())
    return "".join("\t".join(cells) + "\n" for cells in [rows[0].keys(), *(r.values() for r in rows)])


def joined(column: str, one: str, other: str) -> str:
    if one == other == "" or not other.replace(".", "", 1).isdigit():
        return one
    pick = {"from": min, "to": max}.get(column, lambda a, b: a + b)
    return f"{pick(float(one), float(other)):.15g}"


PROVE_COLUMNS = ("fault", "tried", "survived", "lost", "doubled", "p50_s", "p99_s", "max_s")


def prove_table(files: list[Path]) -> str:
    """One table of the reports of several runs of `weir prove --json`: counts are added, the p50 is the
    median of the runs' and the p99 the largest of them."""
    total: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    medians: dict[str, list[float]] = defaultdict(list)
    for path in files:
        report = json.loads(path.read_text())
        for fault, row in report["faults"].items():
            for column in ("tried", "survived", "lost", "doubled"):
                total[fault][column] += row[column]
            seconds = row["seconds_to_next_commit"]
            if seconds is not None:
                medians[fault].append(seconds["p50"])
                for column in ("p99", "max"):
                    total[fault][f"{column}_s"] = max(total[fault][f"{column}_s"], seconds[column])
        for column in ("missing", "doubled", "altered", "invented"):
            total["verdict"][column] += report[column]["count"]
        for column in ("sent", "outside_flight"):
            total["verdict"][column] += report[column]
        total["verdict"]["held"] += bool(report["held"])
    lines = ["\t".join(PROVE_COLUMNS)]
    for fault, row in total.items():
        if fault != "verdict":
            row["p50_s"] = statistics.median(medians[fault]) if medians[fault] else 0
            lines.append("\t".join([fault, *(f"{row[c]:g}" for c in PROVE_COLUMNS[1:])]))
    said = "".join(f"# {key}: {value:.0f}\n" for key, value in total["verdict"].items())
    return f"# runs: {len(files)}\n{said}" + "\n".join(lines) + "\n"


# ---- the page -------------------------------------------------------------------------------


def number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


def table(rows: list[list[str]], head: list[str]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def short_of(seen: float, wanted: float) -> str:
    return "" if seen >= wanted else f"; **{number(wanted)} wanted**"


def tell_schedules(result: Result) -> str:
    played = result.sum("schedules")
    return (f"{number(played)}, {number(result.sum('violations'))} violations"
            f"{short_of(played, SCHEDULES_WANTED)}")


def tell_variants(result: Result) -> str:
    caught = [row for row in result.rows if row["caught"] == "yes"]
    most = max((int(row["seeds"]) for row in caught), default=0)
    return f"{len(caught)} of {len(result.rows)}, the last after {number(most)} seeds"


def tell_exhaustive(result: Result) -> str:
    return f"{number(result.sum('played'))} histories, {number(result.sum('failed'))} failed"


def tell_prove(result: Result) -> str:
    tried = {row["fault"]: float(row["tried"]) for row in result.rows}
    kills = sum(count for fault, count in tried.items() if fault.startswith("kill"))
    about = {key: float(value) for key, value in result.about.items()
             if key in ("missing", "doubled", "sent", "outside_flight")}
    told = (f"{number(kills)} kills and {number(tried['all'] - kills)} other faults: "
            f"{number(about['missing'])} missing, {number(about['doubled'])} doubled of "
            f"{number(about['sent'])} rows")
    if about["missing"] + about["doubled"] > 0:
        told += f", {number(about['outside_flight'])} of these not in flight at a fault"
    return told


def tell_kills(result: Result) -> str:
    kills = sum(float(row["tried"]) for row in result.rows if row["fault"].startswith("kill"))
    return tell_prove(result) + short_of(kills, KILLS_WANTED)


def tell_links(result: Result) -> str:
    kinds = [row for row in result.rows if row["fault"] != "all"]
    least = min(int(float(row["tried"])) for row in kinds)
    return (f"{len(kinds)} kinds and endpoints, {least} or more each, {result.about['missing']} "
            f"missing, {result.about['doubled']} doubled{short_of(least, LINK_FAULTS_WANTED)}")


def tell_points(result: Result) -> str:
    names = {row["point"] for row in result.rows}
    wrong = sum(row["result"] != "passed" for row in result.rows)
    return f"{len(names)} points, {number(len(result.rows))} deaths and failures, {wrong} wrong"


def tell_fuzz(result: Result) -> str:
    least = min(int(float(row["seconds"])) for row in result.rows)
    return (f"{len(result.rows)} targets, {least} s or more each, {number(result.sum('runs'))} inputs, "
            f"{result.sum('findings')} findings{short_of(least, FUZZ_SECONDS_WANTED)}")


def tell_coverage(result: Result) -> str:
    total = next(row for row in result.rows if row["file"] == "total")
    percent = float(total["branch_percent"])
    return f"{percent:.1f} % of branches{short_of(percent, COVERAGE_WANTED)}"


def tell_catalogue(result: Result) -> str:
    shown = sum(row["shown"] == "yes" for row in result.rows)
    return f"{shown} of {len(result.rows)} rows{short_of(shown, CATALOGUE_WANTED)}"


KILLED = "real kills, on real PostgreSQL and Kafka, "
KILLED_IN_TEST = "`test_prove.py`, `test_kills.py`"
# What, the name of its result, what tells it, what every `./dev test` does of it.
FIGURES = (
    ("schedules of the simulator", "sim", tell_schedules, "`./dev test sim`"),
    ("pairs of a crash and a crash in its recovery, all; n-th call fails, all n", "exhaustive",
     tell_exhaustive, "all, in `./dev test sim`"),
    ("rules left out that are noticed", "variants", tell_variants, "all, in `./dev test sim`"),
    (KILLED + "exactly_once", "prove-exactly_once", tell_kills, KILLED_IN_TEST),
    (KILLED + "at_least_once", "prove-at_least_once", tell_prove, KILLED_IN_TEST),
    (KILLED + "at_most_once", "prove-at_most_once", tell_prove, KILLED_IN_TEST),
    ("fail points died at, in each mode", "fail-points", tell_points, "all, in `test_fail_points.py`"),
    ("faults of the network, each at broker and database", "network", tell_links, "one each"),
    ("inputs made up for decoders", "fuzz", tell_fuzz, "the corpus"),
    ("branches of `wal/` and `src/txn` that tests take", "coverage", tell_coverage, "in each `./dev test`"),
    ("rows of the catalogue of faults with a passing test", "catalogue", tell_catalogue,
     "counted at its end"),
)


def figures() -> str:
    rows = []
    for what, name, tell, in_test in FIGURES:
        result = load(name)
        told = ["not run", ""] if result is None else [tell(result), f"`{result.about['commit']}`"]
        rows.append([what, in_test, *told])
    return table(rows, ["what", "in every `./dev test`", "run once", "build"])


def section(title: str, name: str, columns: tuple[str, ...] = ()) -> str:
    """A result as it was kept."""
    result = load(name)
    if result is None or not result.rows:
        return ""
    shown = list(columns) or list(result.rows[0])
    rows = [[row.get(column) or "" for column in shown] for row in result.rows]
    about = result.about
    return (f"\n## {title}\n\n```sh\n{about['command']}\n```\n\n"
            f"Build `{about['commit']}`, {about['day']}, {about['machine']}.\n\n"
            + table(rows, [column.replace("_", " ") for column in shown]))


def groups_of_catalogue() -> str:
    result = load("catalogue")
    if result is None:
        return ""
    count: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in result.rows:
        count[row["id"][0]][0] += row["shown"] == "yes"
        count[row["id"][0]][1] += 1
    missing = [row["id"] for row in result.rows if row["shown"] != "yes"]
    return ("\n## The catalogue of faults\n\n[FAULTS.md](FAULTS.md) names each row and its tests.\n\n"
            + table([[group, str(shown), str(total)] for group, (shown, total) in count.items()],
                    ["group", "rows with a passing test", "rows"])
            + "\nWithout one: " + ", ".join(missing) + ".\n")


HEAD = """# What was tried, and what came of it

Made by `./dev docs` from `tests/proof/results/`. [TESTING.md](TESTING.md) says how each of these works, and how to run it
again; [EXACTLY_ONCE.md](EXACTLY_ONCE.md) what is promised. A result is that of the build that it names.

"""


def page() -> str:
    return (HEAD + figures() + "\n" + (HERE / "not_covered.md").read_text()
            + "\n" + (HERE / "track_record.md").read_text()
            + section("Known-bad variants", "variants")
            + section("The simulator", "sim")
            + section("Enumerated histories", "exhaustive")
            + "".join(section(f"`weir prove`, {mode}", f"prove-{mode}") for mode in MODES)
            + section("Faults of the network", "network")
            + section("Made-up inputs", "fuzz")
            + section("Branches taken by tests", "coverage")
            + groups_of_catalogue())


def main() -> None:
    parser = argparse.ArgumentParser(prog="proof.py")
    verbs = parser.add_subparsers(dest="verb", required=True)
    record = verbs.add_parser("record")
    record.add_argument("name")
    record.add_argument("files", nargs="+", type=Path)
    record.add_argument("--command", required=True)
    record.add_argument("--commit", default="HEAD")
    verbs.add_parser("page")
    args = parser.parse_args()
    if args.verb == "record":
        save(args.name, args.files, args.command, args.commit)
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
