"""What a question asks for, recognised in the words of people and benchmarks. The only place that reads words.

The inspection's own questions say what they ask (`Question.intent`). Questions from outside come without it:

- Questions of benchmarks are about the part and seldom turned round. `of_benchmark` finds the wording anywhere in
  the text.
- Questions that people type may be about one screw, the lighting, or where there is no defect. A defect anywhere on
  the part would be taken for the answer. So `of_person` accepts only a few short forms, from the first word to the
  last.

A question that is not recognised is answered by the model alone.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

from reason_iad.inspection.questions import Intent, Question
from reason_iad.schema import PLACES, SIZE_LIMITS, SIZES
from reason_iad.schema.names import folded

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


_DEFECT = r"(defects?|anomal(y|ies)|flaws?|faults?|damages?)"
_VISIBLE = r"((visible|obvious) )?"
_PART = r"(part|product|object|item|piece|image|picture|photo)"
_HERE = rf"( (in|on|with) (this|the) {_PART})?"
_THE = r"(this|the)"
_KIND = r"(type|kind|sort)"
_FORMS = (
    rf"(is|are) there (a |an |any )?{_VISIBLE}{_DEFECT}{_HERE}",
    rf"(do|does) {_THE} {_PART} (have|show) (a |an |any )?{_VISIBLE}{_DEFECT}",
    rf"is {_THE} {_PART} (defective|faulty|damaged|anomalous|abnormal)",
    rf"is (any|some)thing wrong{_HERE}",
    rf"where (is|are) {_THE} {_DEFECT}( located)?{_HERE}",
    rf"(what|which) (is )?{_THE} {_DEFECT}{_HERE}",
    rf"(what|which) ({_KIND} of )?{_DEFECT} (is it|is this|is there|does {_THE} {_PART} have){_HERE}",
    rf"what is the {_KIND} of ({_THE} )?{_DEFECT}{_HERE}",
    rf"how (large|big) (is|are) {_THE} {_DEFECT}",
    rf"(how much|what share) of {_THE} {_PART} (does|do) {_THE} {_DEFECT} cover",
)
_PLAIN = re.compile("|".join(f"(?:{form})" for form in _FORMS))
_PLAIN_WHETHER = re.compile("|".join(f"(?:{form})" for form in _FORMS[:4]))
_TEIL = r"(das|dieses|der|dieser|die|diese) (teil|bauteil|werkstück|produkt|bild|foto)"
_FEHLER = r"(defekte?|fehler|schaden|schäden|mangel|mängel|beschädigung(en)?)"
_WHETHER_ELSEWHERE = re.compile(
    rf"(gibt es|ist da|ist hier|sind da|sind hier) (hier |da )?((einen?|irgendwelche|sichtbare[nr]?) )*{_FEHLER}"
    r"( (an|auf|in|bei) (dem|diesem|der|dieser) \w+)?"
    rf"|(hat|zeigt) {_TEIL} ((einen?|irgendwelche|sichtbare[nr]?) )*{_FEHLER}"
    rf"|ist {_TEIL} (defekt|fehlerhaft|beschädigt|kaputt)"
    r"|(y a-t-il|est-ce qu['’]il y a) (un |des )(défauts?|anomalies?)( (sur|dans) (cette|la) (pièce|image|photo))?"
    r"|hay (algún |un |algunos )?(defectos?|fallos?|daños?)( en (esta|la) (pieza|imagen|foto))?"
    r"|(这个|这张|该|此)?(零件|部件|工件|产品|图像|图片|照片|图)?(上|中|里|里面)?(有没有|是否有|是否存在|存在|有)"
    r"(任何|明显|明显的)?(缺陷|瑕疵|异常|损坏|损伤)(吗|么)?"
)
"""The question whether there is a defect, whole, in other languages."""
_YES_OR_NO = re.compile(
    r"(is|are|do|does|did|has|have|had|should|(isn|aren|wasn|doesn|don|didn|hasn|haven)['’]t)\b.*"
    r"|(can|could|will|would|may|might|must) (?!(you|we|i)\b).*"
    r"|(can|could|do) (you|we) (see|find|spot|detect|notice)\b.*"
    r"|(ist|sind|war|waren|hat|haben|gibt es|kann|können|soll|muss|zeigt|zeigen|sieht|fehlt|fehlen|liegt)\b.*"
    r"|(est-ce que?|y a-t-il)\b.*|\w+-t-(il|elle|ils|elles)\b.*|(est|sont|a|ont)-(il|elle|ils|elles|ce)\b.*"
    r"|(hay|es|está|están|tiene|tienen)\b.*|.*(吗|(?<!什)么)|.*(是否|有没有|是不是|有无).*"
)
"""A question that yes or no answers, by how it begins or ends."""
_ALTERNATIVES = re.compile(r"\b(or|oder|ou)\b|还是|,.*\b(what|which|where|how|why|was|wo|wie|warum)\b")
"""Words of a question that yes or no does not answer."""
_END = "?？!。.¿ "
YES_OR_NO = ("yes", "no")
_HELPS = (
    "The good parts help only with these questions: is there a defect, which type, where, how large. "
    "This answer is the model's alone."
)
_ABOUT_DEFECTS = re.compile(
    rf"\b({_FLAW}|wrong|broken|crack\w*|scratch\w*|dent\w*|worn|ok|okay)\b",
    re.IGNORECASE,
)
"""Words of a question that may be about a defect."""
_SUGGESTED = (
    (
        re.compile(r"\b(where|places?|located|location|position)\b", re.IGNORECASE),
        "Where is the defect?",
        'places as options, such as "top left" and "center"',
    ),
    (
        re.compile(r"\b(large|big|sizes?|much|share|area)\b", re.IGNORECASE),
        "How large is the defect?",
        'the options "tiny", "small", "medium" and "large"',
    ),
    (
        re.compile(r"\b(what|which|types?|kinds?|sorts?)\b", re.IGNORECASE),
        "Which type of defect is it?",
        "the possible types as options",
    ),
    (re.compile(""), "Is there any defect?", 'the options "yes" and "no"'),
)
"""Words that a question may have, the recognised wording nearest to it, and the options that this takes."""


def of_benchmark(question: Question) -> Question:
    """The same question with its intent, if its words and its options clearly have one."""
    return replace(question, intent=_intent(question))


def of_person(question: Question) -> Question:
    """The same question with its intent, if it plainly asks what an inspection answers, and nothing else."""
    return of_benchmark(question) if asks_plainly(question.text) else question


def closed(question: Question) -> Question:
    """A question without options that yes or no answers, with these two as its options; any other as it is.

    Whether there is a defect is recognised in several languages. The model is then asked in English, which all
    models read.
    """
    if question.options:
        return question
    words = _words(question.text)
    elsewhere = _WHETHER_ELSEWHERE.fullmatch(words)
    if elsewhere or _PLAIN_WHETHER.fullmatch(words):
        text = _SUGGESTED[-1][1] if elsewhere else question.text
        said = question.text if elsewhere else ""
        return replace(question, text=text, options=YES_OR_NO, intent=Intent("whether", yes="A"), said=said)
    if _YES_OR_NO.fullmatch(words) and not _ALTERNATIVES.search(words):
        return replace(question, options=YES_OR_NO)
    return question


def with_places(question: Question) -> Question:
    """A plain question where a defect is, or how large, with all places or sizes as options; any other as it is."""
    words = _words(question.text)
    if question.options or not _PLAIN.fullmatch(words):
        return question
    options = {"where": PLACES, "how": SIZES}.get(words.split()[0], ())
    return of_benchmark(replace(question, options=tuple(options)))


def asks_plainly(text: str) -> bool:
    """Whether the text asks if there is a defect, or where, which or how large it is, and nothing else."""
    return bool(_PLAIN.fullmatch(_words(text)))


def _words(text: str) -> str:
    """A text in one case, without the marks around it."""
    return " ".join(folded(text).split()).strip(_END)


def advice(question: Question) -> str:
    """What good parts help with, and what to ask instead, if the question is about a defect at all."""
    plain = asks_plainly(question.text)
    if not plain and not _ABOUT_DEFECTS.search(question.text):
        return _HELPS
    why = ""
    if plain:
        why = " The options do not fit the question." if question.options else " The question has no options."
    wording, options = next(
        (wording, options) for words, wording, options in _SUGGESTED if words.search(question.text)
    )
    return f'{_HELPS}{why} Ask "{wording}" with {options}.'


def _intent(question: Question) -> Intent | None:
    at = _place_named(question.text)
    if (yes := _yes_means_defect(question)) is not None:
        return Intent("whether", yes=yes, at=at)
    if (places := _places_of(question)) is not None:
        return Intent("place", places=tuple(places), at=at)
    if (ranges := _ranges_of(question)) is not None:
        return Intent("size", ranges=tuple(ranges), at=at)
    return Intent("type", at=at) if _asks_type(question) else None


def _yes_means_defect(question: Question) -> str | None:
    """The letter of 'Yes' in a question whether there is a defect; None for any other question."""
    letters = {_plain(text): letter for letter, text in question.lettered.items()}
    if set(letters) != {"yes", "no"} or len(question.options) != 2:
        return None
    text = question.text.strip()
    turned = _TURNED.search(text) or _REVERSED.search(text)
    return letters["yes"] if _WHETHER.search(text) and not turned else None


def _places_of(question: Question) -> list[int] | None:
    """The index in `PLACES` of each option of a question where a defect is; None for any other question."""
    plain = [_plain(text) for text in question.options]
    if len(plain) < 2 or len(set(plain)) != len(plain) or not set(plain) <= set(PLACES):
        return None
    if not _ASKS_WHERE.search(question.text) or _REVERSED.search(question.text):
        return None
    return [PLACES.index(text) for text in plain]


def _ranges_of(question: Question) -> list[tuple[float, float]] | None:
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


def _place_named(text: str) -> int | None:
    """The index in `PLACES` of the one place that a question speaks of; None if it names none, or several."""
    named = set(re.findall(_PLACE, text.casefold()))
    return PLACES.index(named.pop()) if len(named) == 1 else None


def _asks_type(question: Question) -> bool:
    """Whether it asks which type of defect it is, with types to choose from."""
    if len(question.options) < 2 or {_plain(text) for text in question.options} <= {"yes", "no", *PLACES}:
        return False
    other = _ASKS_ELSE.search(question.text) or _REVERSED.search(question.text)
    return bool(_ASKS_TYPE.search(question.text)) and not other


def _plain(option: str) -> str:
    """An option without case, closing mark and doubled spaces."""
    return " ".join(option.casefold().rstrip(".! ").split())
