"""Faults on request: a ratio of predictions that fail, time added to each, and a replica that never says it is ready.

Off unless configured. Predictions' faults are never on probes, nor the probe's on predictions.
"""

import asyncio
import random
from dataclasses import dataclass, field

from app.errors import FaultInjected


@dataclass(frozen=True)
class Faults:
    """What is to go wrong.

    Attributes:
        error_ratio: 0..1 of predictions fail.
        latency_seconds: added to every prediction.
        unready: the probe of readiness says no.
        chance: where the failing ones are drawn from.
    """

    error_ratio: float = 0.0
    latency_seconds: float = 0.0
    unready: bool = False
    chance: random.Random = field(default_factory=random.Random)

    async def strike(self) -> None:
        """Wait, then perhaps fail.

        Raises:
            FaultInjected: this one was to fail.
        """
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        if self.chance.random() < self.error_ratio:
            raise FaultInjected(f"this error is injected into a ratio of {self.error_ratio} of predictions")
