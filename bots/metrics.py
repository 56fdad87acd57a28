"""The engine's counters in Prometheus' form.

Received is answered plus queued plus refused; a rule that drops a message in silence breaks the sum.
Knows: what the counters are called and what is constant. Must not know: who counts, who asks.
Read when somebody asks, so counting costs the engine nothing more. No label carries a person, a place or a session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

GAUGES = {"queued": "Messages of people that wait: for the turn that runs, or for somebody's choice."}


def registry(counts: Mapping[str, int], about: Mapping[str, str]) -> CollectorRegistry:
    """A registry that shows `counts` as they are when asked; a key `event.X` becomes the label `kind="X"`."""
    made = CollectorRegistry()
    made.register(_Counts(counts, about))
    return made


class _Counts(Collector):
    def __init__(self, counts: Mapping[str, int], about: Mapping[str, str]) -> None:
        self._counts = counts
        self._about = about

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("rejoinder", "What runs here.", value=dict(self._about))
        families: dict[str, CounterMetricFamily] = {}
        for key, count in sorted(self._counts.items()):
            name, _, kind = key.partition(".")
            if name in GAUGES:
                yield GaugeMetricFamily(f"rejoinder_{name}", GAUGES[name], value=count)
                continue
            if name not in families:
                text = f"Engine counter {name}, since this process began."
                families[name] = CounterMetricFamily(f"rejoinder_{name}", text, labels=["kind"] if kind else None)
            families[name].add_metric([kind] if kind else [], count)
        yield from families.values()
