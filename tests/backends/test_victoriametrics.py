#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""VictoriaMetrics takes what is pushed by OTLP, and answers PromQL with tokscope's own numbers."""
import contextlib
import math

import backend as b
import harness as h
from backend import equal


@contextlib.contextmanager
def pushed(histogram):
    """The database once it has all of a load, and the load."""
    port = h.free_port()
    with h.temporary_folder() as folder, \
            b.Backend("victoriametrics", f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}",
                      "-opentelemetry.usePrometheusNaming", "-opentelemetry.promoteScopeMetadata=false",
                      "-opentelemetry.promoteAllResourceAttributes=false",
                      f"-opentelemetry.promoteResourceAttributes={','.join(b.IDENTITY)}",
                      "-search.latencyOffset=0s", "-search.disableCache", port=port, ready="/health") as database, \
            b.load(b.stream_server(), "--otlp.histogram", histogram,
                   OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"http://127.0.0.1:{port}/opentelemetry/v1/metrics") as load:
        h.wait_for(lambda: flush(database) and b.has_counters(database, load), "the last export", 30)
        flush(database)  # histograms come before the counters in a message, but may be shown after them
        yield database, load


def flush(database):
    return h.exchange(database, h.get("/internal/force_flush")).status == 200


def counts_agree(database, load):
    """Every count and sum of the server's series."""
    for name in b.COUNTERS:
        b.series_agree(database, load, name)
    for family in b.FAMILIES.values():
        b.series_agree(database, load, f"{family}_count")
        b.series_agree(database, load, f"{family}_sum")


def test_explicit_histograms():
    with pushed("explicit_bucket_histogram") as (database, load):
        counts_agree(database, load)
        for what, family in b.FAMILIES.items():
            own = b.bucket_counts(load.scrape, family)
            theirs = database.promql(f"sum by (le) ({family}_bucket)")
            equal(sorted((float(labels["le"]), value) for labels, value in theirs), own, family)
            for q in b.QUANTILES:
                b.close(database.number(f"histogram_quantile({q}, sum by (le) ({family}_bucket))"),
                        b.bucket_quantile(own, q), f"{what} {q}")


def test_exponential_histograms():
    """It keeps each slot as a range, and interpolates linearly within: by at most one slot."""
    with pushed("base2_exponential_bucket_histogram") as (database, load):
        counts_agree(database, load)
        for what in ("ttft", "duration"):
            family, own = b.FAMILIES[what], b.slots(load.values(what))
            ranges = database.promql(f"sum by (vmrange) ({family}_bucket)")
            equal({upper_slot(labels["vmrange"]): value for labels, value in ranges}, dict(own), family)
            for q in b.QUANTILES:
                b.close(database.number(f"histogram_quantile({q}, sum by (vmrange) ({family}_bucket))"),
                        b.slot_quantile(own, q), f"{what} {q}", relative=2 ** (1 / 8) - 1)


def upper_slot(vmrange):
    return round(math.log2(float(vmrange.split("...")[1])) * 8)


h.main(__name__)
