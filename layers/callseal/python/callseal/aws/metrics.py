"""Emits metrics to CloudWatch as log lines in the Embedded Metric Format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from aws_lambda_powertools.metrics import EphemeralMetrics

from callseal.core.metrics import NAMESPACE, UNITS, Metric


class MetricsEmitter:
    """Emits metrics with the dimension `Stack`, and those with a reason once more with the dimension `Reason` too."""

    def __init__(self, stack: str) -> None:
        self._stack = stack

    def put(self, metrics: Iterable[Metric]) -> None:
        """Emit metrics, in one log line for each set of dimensions."""
        emitted = list(metrics)
        self._write(emitted)
        with_reason = sorted((metric for metric in emitted if metric.reason), key=lambda metric: str(metric.reason))
        for reason, group in groupby(with_reason, key=lambda metric: metric.reason):
            self._write(list(group), Reason=str(reason))

    def _write(self, emitted: Iterable[Metric], **dimensions: str) -> None:
        # No service, although Powertools' logger has one: CloudWatch finds a metric only by its exact dimensions.
        metrics = EphemeralMetrics(namespace=NAMESPACE, service="")
        for name, value in {"Stack": self._stack, **dimensions}.items():
            metrics.add_dimension(name, value)
        for metric in emitted:
            metrics.add_metric(metric.name, UNITS[metric.name], metric.value)
        if metrics.metric_set:
            metrics.flush_metrics()
