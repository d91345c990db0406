"""catalogue.py: which fault of the catalogue is shown by which test, and whether those tests passed.

Uses     faults.txt beside it; the sources of the tests; build/reports/*.cases, which tally.py writes.
usage: catalogue.py list [--report FILE]      prints a line a fault, and how many are shown
       catalogue.py page                      prints docs/FAULTS.md
       catalogue.py check                     says what is wrong with tags or page; exit status 1 if
                                              anything is

A test carries the ids of the faults that it shows in a comment before it: `covers: D-15, D-24`. In a
table of tests the comment stands before the row, whose first string is the test's name. A file all of
whose cases are one test (a fuzz target) says `covers as a whole: X-11` in its head.

Y1  A test is tagged with a fault only if it fails when weir answers otherwise than faults.txt says.
Y2  A fault counts as shown when a test of it passed in the last `./dev test`, and none failed.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
ROOT = TESTS.parent
REPORTS = ROOT / "build" / "reports"
PAGE = ROOT / "docs" / "FAULTS.md"

TAG = re.compile(r"\bcovers( as a whole)?: ([A-Z]-\d\d(?:, [A-Z]-\d\d)*)(?![\w,])")
LOOKS_LIKE_TAG = re.compile(r"\bcovers(?: as a whole)?: *[A-Z]-")
IN_C = re.compile(r'static void (\w+)\(void \*\*state\)|\{ "([^"]+)"')
IN_PYTHON = re.compile(r"def (test_\w+)\(")
LINES_BETWEEN_MAX = 60  # a tag and its test: decorators and a helper of the test's own

GROUPS = {
    "P": "Process, host, clock, instances", "D": "Disk and log", "R": "State store",
    "K": "Kafka source", "T": "Kafka sink", "G": "PostgreSQL sink", "F": "Files and sockets",
    "N": "Network", "E": "Engine and pipeline", "X": "Hostile input and configuration",
}
HEAD = """# Faults, what weir does, and the tests that show it

Made by `./dev docs` from `tests/catalogue/faults.txt` and from the comments `covers: ID` in the tests. `./dev catalogue` tells
which of these tests passed in the last `./dev test`.

| word | what it means |
| --- | --- |
| fine | nothing to see: the same rows, each as often as without the fault |
| again | tried again, ever more seldom, until it works or `retry_limit` is over; nothing is lost or doubled |
| left out | what was in flight may be missing, and is counted; nothing else is |
| twice | what was in flight may show twice, and is counted; nothing else does |
| once | what was in flight is looked up in the ledger, or rebuilt from its plan: there once |
| bad record | `on_error` decides: stop there, keep it as a dead letter, or skip and count it |
| halt | this run ends with exit status 74; the next one recovers by itself |
| stop | the pipeline ends and stays ended until somebody decides; the word behind it is in [ERRORS.md](ERRORS.md) |
| refused | it does not start |
| fenced | the older instance ends with exit status 76, at the latest when it wants to commit |

`=` is the same as to the left. Rows with `-` are about parts of weir that are not built yet.
"""


@dataclass
class Test:
    """One test function or row of a table; name is None for a file as a whole."""

    path: Path
    name: str | None
    verdict: str = "not run"

    def __str__(self) -> str:
        return f"{self.path.stem}: {self.name}" if self.name else self.path.stem


@dataclass
class Fault:
    id: str
    text: str
    answers: list[str]
    tests: list[Test] = field(default_factory=list)

    @property
    def is_built(self) -> bool:
        return self.answers != ["-", "-", "-"]

    @property
    def verdict(self) -> str:
        verdicts = {test.verdict for test in self.tests}
        if not self.is_built:
            return "not built yet"
        if not verdicts:
            return "no test"
        return next((one for one in ("failed", "passed") if one in verdicts), "not run")


# ---- reading -----------------------------------------------------------------------------------


def read_faults() -> dict[str, Fault]:
    faults = {}
    for line in (HERE / "faults.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            number, text, *answers = line.split("|")
            assert len(answers) == 3 and number not in faults, line
            faults[number] = Fault(number, text, answers)
    return faults


def find_test(path: Path, lines: list[str], at: int) -> str | None:
    """The name of the first test behind a tag."""
    pattern = IN_PYTHON if path.suffix == ".py" else IN_C
    for line in lines[at:at + LINES_BETWEEN_MAX]:
        if match := pattern.search(line):
            return next(name for name in match.groups() if name)
    return None


def read_tags(faults: dict[str, Fault]) -> list[str]:
    """Adds to each fault its tests; returns what is wrong with tags."""
    problems = []
    for path in sorted([*TESTS.rglob("*.c"), *TESTS.rglob("test_*.py")]):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            where = f"{path.relative_to(ROOT)}:{number + 1}"
            tag = TAG.search(line)
            if tag is None:
                if LOOKS_LIKE_TAG.search(line):
                    problems.append(f"{where}: a tag is `covers: A-01, B-02`: {line.strip()}")
                continue
            name = None if tag[1] else find_test(path, lines, number)
            if name is None and not tag[1]:
                problems.append(f"{where}: no test follows this tag")
            for one in tag[2].split(", "):
                if one not in faults:
                    problems.append(f"{where}: the catalogue has no {one}")
                elif not faults[one].is_built:
                    problems.append(f"{where}: {one} is about what is not built yet")
                else:
                    faults[one].tests.append(Test(path, name))
    return problems


def read_results(faults: dict[str, Fault]) -> None:
    """Gives each test its verdict: failed if it failed anywhere, passed if it ran and did not."""
    results = [line.split("\t") for cases in sorted(REPORTS.glob("*.cases"))
               for line in cases.read_text().splitlines()]
    for fault in faults.values():
        for test in fault.tests:
            of_file = re.compile(rf"(^|[._]){test.path.stem}(_|$)")
            found = {verdict for verdict, program, case in results if of_file.search(program)
                     and (test.name is None or is_case(case, test))}
            test.verdict = next((one for one in ("failed", "passed", "skipped") if one in found),
                                "not run")


def is_case(case: str, test: Test) -> bool:
    """`name`, `backend: name`, `name, setting` or `name[parameters]`."""
    if test.path.suffix == ".py":
        return case.partition("[")[0] == test.name
    return case.startswith(f"{test.name}, ") or f": {case}".endswith(f": {test.name}")


# ---- telling -----------------------------------------------------------------------------------


def tests_of(fault: Fault) -> str:
    return ", ".join(dict.fromkeys(str(test) for test in fault.tests))


def page(faults: dict[str, Fault]) -> str:
    parts = [HEAD]
    for letter, title in GROUPS.items():
        parts.append(f"\n## {letter}. {title}\n\n| id | fault | at_most_once | at_least_once | "
                     "exactly_once | shown by |\n| --- | --- | --- | --- | --- | --- |\n")
        for fault in faults.values():
            if fault.id[0] == letter:
                cells = [fault.id, fault.text, *fault.answers, tests_of(fault)]
                parts.append(f"| {' | '.join(cells)} |\n".replace("|  |", "| |"))
    return "".join(parts)


def report(faults: dict[str, Fault]) -> str:
    lines = ["id\tshown\tverdict\tfault\ttests"]
    for fault in faults.values():
        is_shown = "yes" if fault.verdict == "passed" else "no"
        lines.append(f"{fault.id}\t{is_shown}\t{fault.verdict}\t{fault.text}\t{tests_of(fault)}")
    return "\n".join(lines) + "\n"


def print_list(faults: dict[str, Fault]) -> None:
    for fault in faults.values():
        print(f"{fault.id}  {fault.verdict:13}  {fault.text}")
        for test in dict.fromkeys(map(str, fault.tests)):
            print(f"          {test}")
    tagged = sum(bool(fault.tests) for fault in faults.values())
    unbuilt = sum(not fault.is_built for fault in faults.values())
    passing = sum(fault.verdict == "passed" for fault in faults.values())
    print(f"{tagged} rows have a test, {unbuilt} are about what is not built yet")
    print(f"catalogue: {passing} of {len(faults)} rows have a passing test")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["list", "page", "check"])
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    faults = read_faults()
    problems = read_tags(faults)
    if arguments.what == "page":
        sys.stdout.write(page(faults))
    elif arguments.what == "check":
        if not PAGE.exists() or PAGE.read_text() != page(faults):
            problems.append("docs/FAULTS.md is not what tests and catalogue say: run ./dev docs")
    else:
        read_results(faults)
        print_list(faults)
        if arguments.report:
            arguments.report.write_text(report(faults))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
