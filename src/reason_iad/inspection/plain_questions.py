"""Which free questions are weighed like an inspection: those that plainly ask what an inspection answers.

`weighing.py` reads the questions of benchmarks, which are about the part and seldom turned round. What people type
may be about one screw, the lighting, or where there is no defect, and a defect anywhere would be taken for the
answer. So a free question has to be one of a few short forms from its first word to its last.
"""

from __future__ import annotations

import re

_DEFECT = r"(defects?|anomal(y|ies)|flaws?|faults?|damages?)"
_VISIBLE = r"((visible|obvious) )?"
_PART = r"(part|product|object|item|piece|image|picture|photo)"
_HERE = rf"( (in|on|with) (this|the) {_PART})?"
_THE = r"(this|the)"
_SORT = r"(type|kind|sort)"
_FORMS = (
    rf"(is|are) there (a |an |any )?{_VISIBLE}{_DEFECT}{_HERE}",
    rf"(do|does) {_THE} {_PART} (have|show) (a |an |any )?{_VISIBLE}{_DEFECT}",
    rf"is {_THE} {_PART} (defective|faulty|damaged|anomalous|abnormal)",
    rf"is (any|some)thing wrong{_HERE}",
    rf"where (is|are) {_THE} {_DEFECT}( located)?{_HERE}",
    rf"(what|which) (is )?{_THE} {_DEFECT}{_HERE}",
    rf"(what|which) ({_SORT} of )?{_DEFECT} (is it|is this|is there|does {_THE} {_PART} have){_HERE}",
    rf"what is the {_SORT} of ({_THE} )?{_DEFECT}{_HERE}",
    rf"how (large|big) (is|are) {_THE} {_DEFECT}",
    rf"(how much|what share) of {_THE} {_PART} (does|do) {_THE} {_DEFECT} cover",
)
_PLAIN = re.compile("|".join(f"(?:{form})" for form in _FORMS))


def asks_plainly(text: str) -> bool:
    """Whether the question asks if there is a defect, or where, which or how large it is, and nothing else."""
    words = " ".join(text.casefold().split())
    return bool(_PLAIN.fullmatch(words.rstrip("?. ")))
