"""The benchmarks of the project, in their order."""

from collections.abc import Sequence
from typing import Final

from tests.benchmarks import (
    broker,
    cold_start,
    depth,
    discovery,
    fair,
    film,
    incident_burst,
    invocations,
    log_append,
    log_export,
    log_growth,
    memory,
    metadata,
    notices,
    start,
    uploads,
    verify_log,
)
from tests.benchmarks.benchmark import Benchmark

BENCHMARKS: Final[Sequence[Benchmark]] = (
    cold_start.BENCHMARK,
    start.BENCHMARK,
    invocations.BENCHMARK,
    broker.BENCHMARK,
    depth.BENCHMARK,
    uploads.BENCHMARK,
    fair.BENCHMARK,
    film.BENCHMARK,
    memory.BENCHMARK,
    metadata.BENCHMARK,
    discovery.BENCHMARK,
    notices.BENCHMARK,
    incident_burst.BENCHMARK,
    log_append.BENCHMARK,
    log_growth.BENCHMARK,
    log_export.BENCHMARK,
    verify_log.BENCHMARK,
)
