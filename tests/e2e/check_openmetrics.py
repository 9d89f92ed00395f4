#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads an OpenMetrics exposition on stdin; exits 1 and says why when it breaks the format's rules.

Python's parser does the grammar; on top of it: every histogram is cumulative and agrees with its _count, `le` is in
float form, and counters and histograms say when they were created.
"""
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def labels_of(sample):
    return tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))


def check_histogram(family):
    last, counts = {}, {}
    for s in family.samples:
        key = labels_of(s)
        if s.name.endswith("_bucket"):
            assert s.labels["le"] == "+Inf" or "." in s.labels["le"] or "e" in s.labels["le"], s
            assert s.value >= last.get(key, 0), f"not cumulative: {s}"
            last[key] = s.value
        elif s.name.endswith("_count"):
            counts[key] = s.value
    assert counts and counts == last, f"{family.name}: _count is not the +Inf bucket"


def check_created(family):
    tail = "_count" if family.type == "histogram" else "_total"
    have = {labels_of(s) for s in family.samples if s.name == family.name + tail}
    created = {labels_of(s) for s in family.samples if s.name == family.name + "_created"}
    assert have and have == created, f"{family.name}: series without _created"


def main():
    families = list(text_string_to_metric_families(sys.stdin.read()))
    for family in families:
        assert family.type != "unknown" and family.documentation, family.name
        if family.type == "histogram":
            check_histogram(family)
        if family.type in ("histogram", "counter"):
            check_created(family)
    if not families:
        sys.exit("no metric family at all")


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, ValueError) as e:
        sys.exit(f"not valid OpenMetrics: {e}")
