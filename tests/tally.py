#!/usr/bin/env python3
"""Counts test cases: tally.py meson|tap|fuzz FILE... prints "PASSED FAILED", then a line for each
that failed, by name.

A file that is missing or has no count is one failure: what ran no test has not passed.
"""

import json
import re
import sys

error_length_max = 300


def meson(text):
    """meson's testlog.json: one JSON object a line; doctest's own counts where it printed them."""
    passed = failed = 0
    names = []
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
        if bad:
            cases = re.findall(r"^TEST CASE:\s+(.+)$", test.get("stdout") or "", re.MULTILINE)
            names += [f"{test['name']}: {case}" for case in dict.fromkeys(cases)] or [test["name"]]
        passed += good
        failed += bad
    return passed, failed, names


def tap(text):
    """The closing lines of node's test runner; a suite that fails by its tests is not one more."""
    counts = dict(re.findall(r"^# (pass|fail|cancelled) (\d+)$", text, re.MULTILINE))
    names = [why(*failure) for failure in re.findall(
        r"^ *not ok \d+ - (.+)\n *---\n((?:.*\n)*?) *\.\.\.$", text, re.MULTILINE)
        if "failureType: 'subtestsFailed'" not in failure[1]]
    bad = int(counts.get("fail", 1)) + int(counts.get("cancelled", 0))
    return int(counts.get("pass", 0)), bad, names


def why(name, block):
    """One line for a failed test of node's: its name, place and error."""
    place = re.search(r"location: '.*/(.+:\d+):\d+'", block)
    error = re.search(r"^( *)error: (?:\|-\n((?:\1  .*\n|\s*\n)*)|(.*))", block, re.MULTILINE)
    text = " ".join((error.group(2) or error.group(3) or "").split()) if error else ""
    return f"{name} ({place.group(1) if place else '?'}): {text[:error_length_max]}"


def fuzz(text):
    """One line a fuzzer: "fuzzer NAME: ok" or "fuzzer NAME: failed"."""
    results = re.findall(r"^fuzzer (\S+): (ok|failed)", text, re.MULTILINE)
    names = [name for name, result in results if result == "failed"]
    return len(results) - len(names), len(names), names


def main():
    count = {"meson": meson, "tap": tap, "fuzz": fuzz}[sys.argv[1]]
    passed = failed = 0
    names = []
    for name in sys.argv[2:]:
        try:
            with open(name, encoding="utf-8", errors="replace") as file:
                good, bad, those = count(file.read())
        except OSError as error:
            good, bad, those = 0, 1, [str(error)]
        if good + bad == 0:
            bad, those = 1, [f"{name}: no test ran"]
        passed += good
        failed += bad
        names += those
    print(passed, failed)
    for name in names:
        print(name)


main()
