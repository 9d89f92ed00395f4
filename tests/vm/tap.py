# SPDX-License-Identifier: Apache-2.0
"""Test results of the guests: reads what cmocka programs print (TAP, one plan a group), writes TAP for tests/run."""
import re

# cmocka 1.1 prints a skipped test as "not ok 1 # SKIP name"; a group's own "# ok - name" is a comment.
LINE = re.compile(r"^(not ok|ok)\b\s*\d*\s*(?:- )?(# SKIP\s+)?(.*)$", re.I)
PLAN = re.compile(r"^1\.\.(\d+)\s*$")


class Case:
    """state: "ok", "failed" or "skipped"; why: the reason of the last two, for a person."""

    def __init__(self, program, name, state, why=""):
        self.program, self.name, self.state, self.why = program, name, state, why

    def row(self):
        return dict(program=self.program, name=self.name, state=self.state, why=self.why)


def state_of(verdict, skip):
    return "skipped" if skip else "ok" if verdict == "ok" else "failed"


def read(program, lines, status):
    """The cases of one program that ended with this exit status (None: it did not end)."""
    cases, planned = [], 0
    for line in lines:
        plan, result = PLAN.match(line), LINE.match(line)
        if plan:
            planned += int(plan.group(1))
        elif result:
            verdict, skip, name = result.groups()
            name, _, reason = name.partition(" # SKIP ")
            cases.append(Case(program, name, state_of(verdict.lower(), skip or reason), reason))
        elif line.startswith("# ") and cases and cases[-1].state == "failed":
            cases[-1].why = (cases[-1].why + " " + line[2:]).strip()
    problem = None
    if status is None:
        problem = "the guest ended before it did"
    elif not planned or len(cases) < planned:
        problem = f"ran {len(cases)} of {planned} planned tests, exit status {status}"
    elif status and not any(case.state == "failed" for case in cases):
        problem = f"exit status {status}"
    if problem:
        cases.append(Case(program, "ran to its end", "failed", problem))
    return cases


class Writer:
    """Prints cases as TAP, their names behind a prefix, and counts them."""

    def __init__(self, prefix):
        self.prefix, self.cases = prefix, []

    def put(self, case):
        self.cases.append(case)
        verdict = "not ok" if case.state == "failed" else "ok"
        skip = f" # SKIP {case.why}".rstrip() if case.state == "skipped" else ""
        print(f"{verdict} {len(self.cases)} - {self.prefix} {case.program}: {case.name}{skip}", flush=True)
        if case.state == "failed" and case.why:
            print(f"# {case.why}", flush=True)

    def plan(self):
        print(f"1..{len(self.cases)}", flush=True)

    def count(self, state):
        return sum(case.state == state for case in self.cases)
