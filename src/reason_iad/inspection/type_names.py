"""Options that name a known type of defect are shown under the name that the knowledge uses.

Whoever asks has words of their own: "Mouse bite: a notch in the edge of a conductor." where the knowledge says
"mousebite". A person sees that both mean the same; a small model, which has to find the line of the knowledge that
speaks of an option, does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reason_iad.inspection.questions import Question
from reason_iad.schema import Entry
from reason_iad.schema.names import folded, name_key

_HEAD = re.compile(r"\s*[:;.(]|\s[–—]\s")
"""What comes before it is the name, and what follows a description."""
_FILLING = re.compile(r"^(a|an|the)\s+|\s+(defect|anomaly|flaw)s?$")


def under_known_names(question: Question, known: Sequence[Entry], aliases: Mapping[str, Sequence[str]]) -> Question:
    """The question with the name of the entry in place of every option that begins with one of its names.

    An option stays as it is if it names no entry, or if another option names the same.

    Args:
        question: with options.
        known: types of defects.
        aliases: other names by id of the entry.
    """
    names = {_plain(other): entry.name for entry in known for other in aliases.get(entry.id, ())}
    names |= {_plain(entry.name): entry.name for entry in known}
    names.pop("", None)
    heads = [_HEAD.split(option.strip(), maxsplit=1)[0] for option in question.options]
    whole = zip(question.options, heads, strict=True)
    meant = [names.get(_plain(option)) or names.get(_plain(head)) for option, head in whole]
    times = Counter(meant)
    pairs = zip(question.options, meant, strict=True)
    return replace(
        question, options=tuple(option if name is None or times[name] > 1 else name for option, name in pairs)
    )


def _plain(name: str) -> str:
    """A name without case, article, and what writers join or part: 'pin-hole', 'pin hole' and 'Pinhole' are one."""
    return name_key(_FILLING.sub("", folded(name)))
