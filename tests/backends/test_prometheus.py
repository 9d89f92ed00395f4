#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prometheus 3 takes OTLP: exponential histograms become native ones, whose quantiles are tokscope's own."""
import contextlib

import backend as b
import harness as h

CONFIG = f"otlp: {{promote_resource_attributes: [{', '.join(b.IDENTITY)}]}}\n"


@contextlib.contextmanager
def pushed():
    """The database once it has all of a load, and the load."""
    port = h.free_port()
    with h.temporary_folder() as folder, \
            b.Backend("prometheus", f"--config.file={b.config_file(folder, CONFIG)}",
                      f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
                      "--web.enable-otlp-receiver", port=port, ready="/-/ready") as database, \
            b.load(b.stream_server(), "--otlp.histogram", "base2_exponential_bucket_histogram",
                   OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"http://127.0.0.1:{port}/api/v1/otlp/v1/metrics") as load:
        h.wait_for(lambda: b.has_counters(database, load), "the last export", 30)
        yield database, load


def test_counters_and_identity():
    with pushed() as (database, load):
        for name in b.COUNTERS:
            b.series_agree(database, load, name)


def test_native_histograms():
    with pushed() as (database, load):
        for what, family in b.FAMILIES.items():
            b.close(database.number(f"sum(histogram_count({family}))"), load.scrape.value(f"{family}_count"), family)
            b.close(database.number(f"sum(histogram_sum({family}))"), load.scrape.value(f"{family}_sum"), family)
            for q in b.QUANTILES:
                theirs = database.number(f"histogram_quantile({q}, sum({family}))")
                if what == "itl":  # the records do not hold each gap: the classic bucket is what is known
                    lower, upper, *_ = b.bucket_of(b.bucket_counts(load.scrape, family), q)
                    assert lower / 2 ** (1 / 8) <= theirs <= upper * 2 ** (1 / 8), (q, lower, theirs, upper)
                else:
                    b.close(theirs, b.slot_quantile(b.slots(load.values(what)), q), f"{what} {q}")


h.main(__name__)
