"""The meter: metrics go to CloudWatch as log lines of the Embedded Metric Format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from aws_lambda_powertools.metrics import EphemeralMetrics

from callseal.core.metrics import NAMESPACE, UNITS, Metric


class MetricsEmitter:
    """Writes samples, each with the dimension `Stack`; those that have a reason once more with `Reason`."""

    def __init__(self, stack: str) -> None:
        """Take the stack's name."""
        self._stack = stack

    def put(self, samples: Iterable[Metric]) -> None:
        """Write samples, one line for each set of dimensions."""
        all_samples = list(samples)
        self._write(all_samples)
        reasons = sorted((one for one in all_samples if one.reason), key=lambda one: str(one.reason))
        for reason, group in groupby(reasons, key=lambda one: one.reason):
            self._write(list(group), Reason=str(reason))

    def _write(self, samples: Iterable[Metric], **dimensions: str) -> None:
        # Not the service that Powertools' logger is told of: a metric is found by exactly its dimensions.
        metrics = EphemeralMetrics(namespace=NAMESPACE, service="")
        for name, value in {"Stack": self._stack, **dimensions}.items():
            metrics.add_dimension(name, value)
        for sample in samples:
            metrics.add_metric(sample.name, UNITS[sample.name], sample.value)
        if metrics.metric_set:
            metrics.flush_metrics()
