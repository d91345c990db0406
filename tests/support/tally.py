"""tally.py: counts what a test run reported, for the last line of `./dev test`.

Uses     meson's testlog.json with the TAP that each program printed, pytest's --junitxml.
usage: tally.py REPORTS meson|pytest SUITE PATH
Writes REPORTS/SUITE.tally ("passed failed skipped") and REPORTS/SUITE.cases (verdict, program, case;
a line each, with tabs), and appends the names of what failed to REPORTS/failures.

Y1  A program that fails without a failed case of its own (it crashed, hung, or ran fewer cases than
    it planned) counts as one failure more; one that prints no TAP counts as one case.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
TAP_LINE = re.compile(r"^(not )?ok\b(?: +\d+)?(?: *- *)?(.*)$", re.MULTILINE)
MESON_VERDICTS = {"OK": PASSED, "EXPECTEDFAIL": PASSED, "SKIP": SKIPPED}


def pytest_cases(junit: Path) -> list[tuple[str, str, str]]:
    """(program, case, verdict) of every case of the file."""
    found = []
    for case in ElementTree.parse(junit).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            verdict = FAILED
        else:
            verdict = PASSED if case.find("skipped") is None else SKIPPED
        found.append((case.get("classname"), case.get("name"), verdict))
    return found


def tap_cases(text: str) -> list[tuple[str, str]]:
    found = []
    for wrong, name in TAP_LINE.findall(text):
        skipped = re.search(r"# *skip", name, re.IGNORECASE)
        found.append((name, FAILED if wrong else SKIPPED if skipped else PASSED))
    return found


def meson_cases(log: Path) -> list[tuple[str, str, str]]:
    found = []
    for line in log.read_text().splitlines():
        program = json.loads(line)
        name = program["name"].rpartition(" / ")[2]
        whole = MESON_VERDICTS.get(program["result"], FAILED)
        cases = tap_cases(program.get("stdout", ""))
        if not cases or (whole == FAILED and all(verdict != FAILED for _, verdict in cases)):
            cases.append((program["result"].lower(), whole))
        found += [(name, case, verdict) for case, verdict in cases]
    return found


def main(reports: Path, kind: str, suite: str, path: Path) -> None:
    count = {PASSED: 0, FAILED: 0, SKIPPED: 0}
    with open(reports / "failures", "a") as failures, open(reports / f"{suite}.cases", "w") as cases:
        for program, case, verdict in meson_cases(path) if kind == "meson" else pytest_cases(path):
            count[verdict] += 1
            cases.write(f"{verdict}\t{program}\t{case}\n")
            if verdict == FAILED:
                failures.write(f"{suite}: {program}: {case}\n")
    (reports / f"{suite}.tally").write_text(" ".join(str(n) for n in count.values()) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
