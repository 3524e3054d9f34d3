"""What does not work at the moment, in the words of who noticed it."""

from __future__ import annotations

from collections.abc import Sequence

from pegel.pipeline.delivery import Delivery
from pegel.pipeline.reader import Reader
from pegel.pipeline.view import View
from pegel.state.bulletin import Part


def troubles(
    readers: Sequence[Reader], deliveries: Sequence[Delivery], views: Sequence[View]
) -> tuple[dict[Part, tuple[str, bool]], set[Part]]:
    """A sentence for every part that does not work (and whether it waits on purpose), and the parts that do."""
    wrong: dict[Part, tuple[str, bool]] = {}
    fine: set[Part] = set()
    for reader in readers:
        status = reader.plan.source.status()
        if reader.failing:
            wrong["source", reader.name] = (reader.failing, False)
        elif status.state == "waiting":
            wrong["source", reader.name] = (status.reason, True)
        elif reader.caught_up:
            fine.add(("source", reader.name))
    senders: list[Delivery | View] = [*deliveries, *views]
    for sender in senders:
        if sender.trouble:
            wrong["sink", sender.name] = (sender.trouble, False)
        elif not sender.busy:
            fine.add(("sink", sender.name))
    return wrong, fine
