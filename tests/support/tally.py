"""tally.py: counts what a test run reported, for the last line of `./dev test`.

Uses     meson's testlog.junit.xml and testlog.json, pytest's --junitxml.
usage: tally.py REPORTS meson|pytest SUITE PATH
Writes REPORTS/SUITE.tally ("passed failed skipped") and appends the names of what failed to
REPORTS/failures.

Y1  A program that fails without a failed case of its own (it crashed, hung, or ran fewer tests than
    it planned) counts as one failure; one that reports no cases counts as one test.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


def verdict(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return FAILED
    return SKIPPED if case.find("skipped") is not None else PASSED


def cases_of(junit: Path) -> list[tuple[str, str, str]]:
    """(program or class, case, verdict) of every test case of the file."""
    found = []
    for suite in ElementTree.parse(junit).iter("testsuite"):
        for case in suite.findall("testcase"):
            owner = case.get("classname") or suite.get("name") or ""
            found.append((owner, case.get("name") or "", verdict(case)))
    return found


def meson_cases(logs: Path) -> list[tuple[str, str, str]]:
    found = cases_of(logs / "testlog.junit.xml")
    failed_owners = " ".join(owner for owner, _, result in found if result == FAILED)
    for line in (logs / "testlog.json").read_text().splitlines():
        program = json.loads(line)
        name, result = program["name"].rpartition(" / ")[2], program["result"]
        if result not in ("OK", "SKIP", "EXPECTEDFAIL") and name not in failed_owners:
            found.append((name, result.lower(), FAILED))
    return found


def main(reports: Path, kind: str, suite: str, path: Path) -> None:
    cases = meson_cases(path) if kind == "meson" else cases_of(path)
    count = {PASSED: 0, FAILED: 0, SKIPPED: 0}
    with open(reports / "failures", "a") as failures:
        for owner, case, result in cases:
            count[result] += 1
            if result == FAILED:
                failures.write(f"{suite}: {owner}: {case}\n")
    (reports / f"{suite}.tally").write_text(" ".join(str(n) for n in count.values()) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
