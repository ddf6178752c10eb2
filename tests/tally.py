#!/usr/bin/env python3
"""Counts test cases: tally.py meson|tap|fuzz FILE... prints "PASSED FAILED".

A file that is missing or has no count is one failure: what ran no test has not passed.
"""

import json
import re
import sys


def meson(text):
    """meson's testlog.json: one JSON object a line; doctest's own counts where it printed them."""
    passed = failed = 0
    for line in text.splitlines():
        test = json.loads(line)
        ok = test["result"] in ("OK", "EXPECTEDFAIL")
        counts = re.findall(
            r"test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed", test.get("stdout") or ""
        )
        bad = sum(int(fails) for _, fails in counts)
        good = sum(int(passes) for passes, _ in counts)
        if not ok and bad == 0:
            bad = 1  # crashed, or was stopped, before or after its count
        if ok and good + bad == 0:
            good, bad = (0, 1) if "[doctest]" in (test.get("stdout") or "") else (1, 0)
        passed += good
        failed += bad
    return passed, failed


def tap(text):
    """The closing lines of node's test runner."""
    counts = dict(re.findall(r"^# (pass|fail|cancelled) (\d+)$", text, re.MULTILINE))
    return int(counts.get("pass", 0)), int(counts.get("fail", 1)) + int(counts.get("cancelled", 0))


def fuzz(text):
    """One line a fuzzer: "fuzzer NAME: ok" or "fuzzer NAME: failed"."""
    results = re.findall(r"^fuzzer \S+: (ok|failed)", text, re.MULTILINE)
    return results.count("ok"), results.count("failed")


def main():
    count = {"meson": meson, "tap": tap, "fuzz": fuzz}[sys.argv[1]]
    passed = failed = 0
    for name in sys.argv[2:]:
        try:
            with open(name, encoding="utf-8", errors="replace") as file:
                good, bad = count(file.read())
        except OSError as error:
            print(error, file=sys.stderr)
            good, bad = 0, 0
        if good + bad == 0:
            bad = 1
        passed += good
        failed += bad
    print(passed, failed)


main()
