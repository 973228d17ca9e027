"""An answer with everything in it: the model's looks and what differs from good parts (METHOD section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reason_iad.expert.heat import as_heat
from reason_iad.expert.suspicion import sides_at_spot, standing_out, what_is_usual
from reason_iad.inspection.questions import best_choice
from reason_iad.schema import Answer, Box, FusionEvidence

if TYPE_CHECKING:
    from reason_iad.expert import AnomalyMap
    from reason_iad.inspection.fusion import LateFusion
    from reason_iad.inspection.questions import Intent


@dataclass(frozen=True, slots=True)
class Looks:
    """What the model answered to the same question beside its first look.

    Attributes:
        answers: its further answers, for the evidence.
        near: probability of each letter at a closer look; None where nobody looked closer.
        read: the same by what the pixels say changed; None where they say nothing.
        box: the part of the picture of the closer look, at where most differs.
        change: what the pixels say changed there.
    """

    answers: tuple[Answer, ...] = ()
    near: Mapping[str, float] | None = None
    read: Mapping[str, float] | None = None
    box: Box | None = None
    change: str | None = None


def weigh(answer: Answer, intent: Intent, fusion: LateFusion, difference: AnomalyMap, looks: Looks) -> Answer:
    """The answer with everything weighed.

    What the initial latent state would have answered is weighed alike: the two differ by the reasoning only.
    """

    def weighed(model: Mapping[str, float]) -> dict[str, float]:
        values = list(model.values())
        if intent.asks == "whether":
            assert looks.near is not None and intent.yes is not None
            defect = fusion.probability(model[intent.yes], looks.near[intent.yes], difference)
            return {letter: defect if letter == intent.yes else 1 - defect for letter in model}
        if intent.asks == "place":
            found = fusion.places(values, difference, intent.places)
        elif intent.asks == "size":
            found = fusion.sizes(values, difference, intent.ranges)
        else:
            assert looks.near is not None
            read = None if looks.read is None else [looks.read[letter] for letter in model]
            found = fusion.types(values, [looks.near[letter] for letter in model], read)
        return dict(zip(model, found, strict=True))

    by_letter = weighed(answer.probabilities)
    choice = best_choice(by_letter)
    update = {
        "probabilities": by_letter,
        "choice": choice,
        "text": answer.options[choice],
        "initial_probabilities": weighed(answer.initial_probabilities) if answer.initial_probabilities else {},
    }
    return answer.model_copy(update=update)


def what_was_weighed(
    difference: AnomalyMap, fusion: LateFusion, own: Answer, near: Mapping[str, float], yes: str
) -> FusionEvidence:
    """What went into the question for a defect; `yes` is the letter of 'yes'."""
    patches, pixels = sides_at_spot(difference)
    return FusionEvidence(
        model_probability=own.probabilities[yes],
        patches=patches,
        pixels=pixels,
        closer_probability=near[yes],
        standing_out=standing_out(difference),
        usual=what_is_usual(difference),
        heat=as_heat(fusion.heat(difference), digits=2),
    )
