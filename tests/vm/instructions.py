# SPDX-License-Identifier: Apache-2.0
"""What the verifier walked for each program, against what it walked when tests/vm/instructions was written."""
import glob
import json
import os
import re

import tap

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions")
HEADER = """# SPDX-License-Identifier: Apache-2.0
# kernel program variant instructions, written by tests/vm/matrix --write-instructions
"""
GROWTH_MAX = 1.2
LINE = re.compile(r"^# instructions (\S+ \S+) (\d+)$")


def read(lines):
    """{"program variant": count} of the lines that say so."""
    return {m.group(1): int(m.group(2)) for m in map(LINE.match, lines) if m}


def known(label):
    if not os.path.exists(TABLE):
        return {}
    with open(TABLE) as f:
        rows = [line.split() for line in f if not line.startswith("#")]
    return {f"{program} {variant}": int(count) for kernel, program, variant, count in rows if kernel == label}


def judge(label, counts):
    old = known(label)
    grown = [f"{name}: {old[name]} -> {count}" for name, count in sorted(counts.items())
             if name in old and count > GROWTH_MAX * old[name]]
    return tap.Case("verifier", "instruction counts grow by 20 % at most", "failed" if grown else "ok",
                    "; ".join(grown))


def write(results):
    """Of all kernels whose results are there."""
    with open(TABLE, "w") as out:
        out.write(HEADER)
        for path in sorted(glob.glob(os.path.join(results, "*.json"))):
            with open(path) as f:
                result = json.load(f)
            for name, count in sorted(result["instructions"].items()):
                out.write(f"{result['label']} {name} {count}\n")
