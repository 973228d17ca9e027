"""In which questions the anomaly map has a say, and what it makes of their answers (late fusion, METHOD section 5).

A question has two options, yes and no, and asks for a defect; or all its options are places. How it is worded is up
to whoever asks: what is not clearly one of the two is left to the model.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reason_iad.prompt import Question, best_choice
from reason_iad.schema import PLACES, Answer

if TYPE_CHECKING:
    from reason_iad.expert import AnomalyMap
    from reason_iad.expert.fusion import LateFusion

_DEFECT = re.compile(
    r"\b(defect|anomal|abnormal|wrong|damag|flaw|fault|reject|differ|sort out|issue|problem)", re.IGNORECASE
)
_TURNED = re.compile(
    r"\b(free|without|flawless|good|fine|normal|perfect|intact|undamaged|okay?|in order|accept\w*|pass|not?|none)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)


def yes_means_defect(question: Question) -> str | None:
    """The letter of 'Yes' in a question whether there is a defect; None for any other question."""
    letters = {_plain(text): letter for letter, text in question.lettered.items()}
    if set(letters) != {"yes", "no"} or len(question.options) != 2:
        return None
    asks = _DEFECT.search(question.text) and not _TURNED.search(question.text)
    return letters["yes"] if asks else None


def places_of(question: Question) -> list[int] | None:
    """The index in `PLACES` of each option; None if an option is no place, or two are the same."""
    plain = [_plain(text) for text in question.options]
    if len(plain) < 2 or len(set(plain)) != len(plain) or not set(plain) <= set(PLACES):
        return None
    return [PLACES.index(text) for text in plain]


def weigh(question: Question, answer: Answer, found: AnomalyMap, fusion: LateFusion) -> Answer:
    """The answer with the map's say in it, where it has one; else the same answer."""
    letters = list(answer.probabilities)
    if (yes := yes_means_defect(question)) is not None:
        defect = fusion.probability(answer.probabilities[yes], found)
        weighed = [defect if letter == yes else 1 - defect for letter in letters]
    elif (places := places_of(question)) is not None:
        weighed = fusion.places([answer.probabilities[letter] for letter in letters], found, places)
    else:
        return answer
    by_letter = dict(zip(letters, weighed, strict=True))
    choice = best_choice(by_letter)
    return answer.model_copy(update={"probabilities": by_letter, "choice": choice, "text": answer.options[choice]})


def _plain(option: str) -> str:
    """An option without case, closing mark and doubled spaces."""
    return " ".join(option.casefold().rstrip(".! ").split())
