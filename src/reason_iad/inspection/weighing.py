"""In which questions the map and a closer look have a say, and what becomes of their answers (METHOD section 5).

A question has two options, yes and no, and asks whether there is a defect; or all its options are places, and it
asks where the defect is; or they are shares of the image, and it asks how much of it is defective; or it asks which
type of defect it is. How it is worded is up to whoever asks: what is not clearly one of these is left to the model.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reason_iad.inspection.questions import Question, best_choice
from reason_iad.schema import PLACES, SIZE_LIMITS, SIZES, Answer

if TYPE_CHECKING:
    from reason_iad.expert import AnomalyMap
    from reason_iad.inspection.fusion import LateFusion

_FLAW = r"(defect|anomal|abnormal|damag|flaw|fault)\w*"
_WHETHER = re.compile(
    rf"\b(is|are) there (a |an |any |some )?(visible |obvious )?{_FLAW}"
    rf"|\b(do|does) .*\b(have|has|show|contain|exhibit) (a |an |any |some )?(visible |obvious )?{_FLAW}"
    rf"|\bcan you (see|find|spot) (a |an |any )?{_FLAW}"
    r"|\b(any|some)thing (is )?wrong\b"
    r"|\breject (it|this|the)\b|\bbe rejected\b|\bsort out\b"
    r"|(?<!non-)(?<!non )(?<!un)\b(defective|faulty|damaged|anomalous|abnormal)\?$",
    re.IGNORECASE,
)
"""Questions that a defect answers with yes."""
_TURNED = re.compile(
    r"\b(flawless|faultless|defectless|good|fine|normal|perfect|intact|undamaged|okay?|accept\w*|pass"
    r"|zero|lacks?|devoid|clear|less|fewer|more|than|left|right|top|bottom|upper|lower|corner"
    r"|cent(er|re)|middle|edge|border|reference|template|background|caused|due|often|of type)\b",
    re.IGNORECASE,
)
"""Further words, beside `_REVERSED`, that turn such a question round, or narrow it."""
_REVERSED = re.compile(
    r"\b(not?|none|never|free|without|absent|except|excluded?|apart|besides|false|only|both|around|near(est)?|beside"
    r"|hardly|rare(ly)?|most|usually|common(ly)?|worse|can occur)\b|n['’]t\b",
    re.IGNORECASE,
)
"""Words that turn a question of any kind round, or make it one about something else."""
_ASKS_WHERE = re.compile(rf"\b({_FLAW}|wrong|differs?)\b", re.IGNORECASE)
_NOUN = r"(?:defects?|anomal(?:y|ies)|abnormalit(?:y|ies)|flaws?|faults?|damages?)\b"
_SORT = r"(?:type|kind|sort|class|category)\b"
_ASKS_TYPE = re.compile(
    rf"\b(what|which)( of these)?( visible| specific)? {_NOUN} (is|are|can|does|do|has|have)\b"
    rf"|\b{_SORT} of (the |this |a |an )?(\w+ )?{_NOUN}|\b{_NOUN} {_SORT}"
    rf"|\b(what|which) (is|are) (the|this) {_NOUN}( in| on| shown| visible|\?|$)|\bname of the {_NOUN}"
    rf"|\b{_FLAW}\b.*\b((what|which) {_SORT} is it\b|its {_SORT})"
    rf"|\b{_FLAW}\b.*\bof (what|which) {_SORT}( is (the|this) {_NOUN}|\?|$)"
    rf"|\b(name|choose|classify) the {_NOUN}",
    re.IGNORECASE,
)
"""Questions whose options are types of defects."""
_ASKS_ELSE = re.compile(
    r"\b(where|why|causes?|caused|reason|effects?|consequence|impact|severe|severity|colou?r|shape|size|largest|many"
    r"|look like|describ\w*|appearance|lead|results?|would(?! you)|could|affects?|repair|method|characteristics?"
    r"|features?|statement|how (large|big|much|often|long))\b",
    re.IGNORECASE,
)
"""Words of questions about something else of it."""
_ASKS_SIZE = re.compile(
    rf"\bhow (large|big) (is|are) (the|this) {_NOUN}|\bsize of (the|this) {_NOUN}"
    rf"|\bhow much of (the|this) .*\b(does|do) (the|this) {_NOUN} cover\b",
    re.IGNORECASE,
)
"""Questions for how large a defect is."""
_ASKS_SHARE = (
    re.compile(r"\b(share|how much|how large|percentage|proportion|fraction|portion)\b", re.IGNORECASE),
    re.compile(r"\b(image|area|surface)\b", re.IGNORECASE),
    re.compile(rf"\b{_FLAW}\b", re.IGNORECASE),
)
"""Questions for how much of the image a defect covers have all three."""
_ASKS_ODDS = re.compile(r"\b(confiden|likel|probab|certain|rates?\b|strength|reduc|often)", re.IGNORECASE)
"""Words of questions for other percentages."""
_PLACE = rf"\b({'|'.join(sorted(PLACES, key=len, reverse=True))})\b"


def yes_means_defect(question: Question) -> str | None:
    """The letter of 'Yes' in a question whether there is a defect; None for any other question."""
    letters = {_plain(text): letter for letter, text in question.lettered.items()}
    if set(letters) != {"yes", "no"} or len(question.options) != 2:
        return None
    text = question.text.strip()
    turned = _TURNED.search(text) or _REVERSED.search(text)
    return letters["yes"] if _WHETHER.search(text) and not turned else None


def places_of(question: Question) -> list[int] | None:
    """The index in `PLACES` of each option of a question where a defect is; None for any other question."""
    plain = [_plain(text) for text in question.options]
    if len(plain) < 2 or len(set(plain)) != len(plain) or not set(plain) <= set(PLACES):
        return None
    if not _ASKS_WHERE.search(question.text) or _REVERSED.search(question.text):
        return None
    return [PLACES.index(text) for text in plain]


def ranges_of(question: Question) -> list[tuple[float, float]] | None:
    """The range of shares of the image, in [0, 1], that each option of a question for the size names; else None.

    Every option is a range of percentages, and no two of them overlap; or they are the four `SIZES`.
    """
    plain = [_plain(text) for text in question.options]
    if _REVERSED.search(question.text):
        return None
    if sorted(plain) == sorted(SIZES) and _ASKS_SIZE.search(question.text):
        limits = (0.0, *SIZE_LIMITS, 1.0)
        return [(limits[place], limits[place + 1]) for place in map(SIZES.index, plain)]
    asks = all(part.search(question.text) for part in _ASKS_SHARE) and not _ASKS_ODDS.search(question.text)
    if len(plain) < 2 or not asks:
        return None
    found = [_range(text) for text in plain]
    ranges = [each for each in found if each is not None]
    ordered = sorted(ranges)
    if len(ranges) < len(found) or any(one[1] > other[0] for one, other in itertools.pairwise(ordered)):
        return None
    return ranges


def _range(option: str) -> tuple[float, float] | None:
    if re.search(r"\d,\d", option):  # a decimal comma, or thousands
        return None
    numbers = [float(number) / 100 for number in re.findall(r"(?<![\d.])\d*\.?\d+(?= ?%)", option)]
    if len(numbers) == 2 and numbers[0] < numbers[1] <= 1 and re.match(r"(between|from|\d)", option):
        return numbers[0], numbers[1]
    if len(numbers) != 1 or not 0 < numbers[0] < 1:
        return None
    if re.match(r"(less than|under|below|up to|at most|<)", option):
        return 0.0, numbers[0]
    return (numbers[0], 1.0) if re.match(r"(more than|over|above|at least|>)", option) else None


def place_named(question: Question) -> int | None:
    """The index in `PLACES` of the one place that a question speaks of; None if it names none, or several."""
    named = set(re.findall(_PLACE, question.text.casefold()))
    return PLACES.index(named.pop()) if len(named) == 1 else None


def asks_type(question: Question) -> bool:
    """Whether it asks which type of defect it is, with types to choose from."""
    if len(question.options) < 2 or {_plain(text) for text in question.options} <= {"yes", "no", *PLACES}:
        return False
    other = _ASKS_ELSE.search(question.text) or _REVERSED.search(question.text)
    return bool(_ASKS_TYPE.search(question.text)) and not other


def weigh(
    question: Question,
    answer: Answer,
    found: AnomalyMap,
    fusion: LateFusion,
    look_closer: Callable[[Question], Answer],
    describe: Callable[[Question], Answer | None] = lambda question: None,
) -> Answer:
    """The answer with the say of the map and of a closer look in it, where they have one; else the same answer.

    What the initial latent state would have answered is weighed alike: the two differ by the reasoning only.

    Args:
        question: as it was asked.
        answer: of the model, seeing the whole part.
        found: the map.
        fusion: the weights.
        look_closer: asks the same question about the most suspicious part of the image, or of the place it names.
        describe: asks the same question by what the pixels say changed there; None where they say nothing.
    """
    yes, places = yes_means_defect(question), places_of(question)
    ranges = ranges_of(question)
    typed = yes is None and places is None and ranges is None and asks_type(question)
    if yes is None and places is None and ranges is None and not typed:
        return answer
    near = look_closer(question).probabilities if yes is not None or typed else {}
    by_change = describe(question) if typed and fusion.type.described else None
    read = None if by_change is None else [by_change.probabilities[letter] for letter in answer.probabilities]

    def weighed(model: Mapping[str, float]) -> dict[str, float]:
        if yes is not None:
            defect = fusion.probability(model[yes], near[yes], found)
            return {letter: defect if letter == yes else 1 - defect for letter in model}
        if places is not None:
            return dict(zip(model, fusion.places(list(model.values()), found, places), strict=True))
        if ranges is not None:
            return dict(zip(model, fusion.sizes(list(model.values()), found, ranges), strict=True))
        types = fusion.types(list(model.values()), [near[each] for each in model], read)
        return dict(zip(model, types, strict=True))

    by_letter = weighed(answer.probabilities)
    choice = best_choice(by_letter)
    update = {
        "probabilities": by_letter,
        "choice": choice,
        "text": answer.options[choice],
        "initial_probabilities": weighed(answer.initial_probabilities) if answer.initial_probabilities else {},
    }
    return answer.model_copy(update=update)


def _plain(option: str) -> str:
    """An option without case, closing mark and doubled spaces."""
    return " ".join(option.casefold().rstrip(".! ").split())
