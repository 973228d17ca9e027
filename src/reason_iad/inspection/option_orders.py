"""The distribution over the options of a question, and what it would be in other orders.

A model may prefer a letter, or a place in the list, whatever stands there. The mean over all rotations of the
options, under the same letters, gives every option every letter once, so such a preference cancels. All rotations
share the head of the prompt and are read in one batched forward: they cost the question once per option.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

from reason_iad.backbones.base import SuffixQuery
from reason_iad.config import Orders
from reason_iad.inspection.questions import Question

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone, Prefix
    from reason_iad.backbones.prompt import Prompt


def ordered(question: Question, orders: Orders) -> tuple[Question, ...]:
    """The question in every order in which it is to be asked, the given one first.

    With 'cyclic', order k shows option (j + k) modulo their number at letter j.
    """
    options = question.options
    turns = len(options) if orders == "cyclic" and options else 1
    return tuple(replace(question, options=(*options[turn:], *options[:turn])) for turn in range(turns))


def averaged(distributions: Sequence[Sequence[float]]) -> list[float]:
    """Mean probability of each option, in the given order.

    Args:
        distributions: over the letters, one per order of `ordered`.
    """
    count = len(distributions[0])
    turned = [[each[(option - turn) % count] for option in range(count)] for turn, each in enumerate(distributions)]
    return [sum(column) / len(turned) for column in zip(*turned, strict=True)]


def read_options(
    backbone: Backbone,
    head: Prefix,
    prompts: Sequence[Prompt],
    endings: Sequence[torch.Tensor],
    letters: Sequence[int],
) -> list[list[float]]:
    """Distributions over the options after each ending, averaged over the orders; one forward for all.

    Args:
        backbone: frozen model.
        head: shared by all prompts.
        prompts: the question in each order of `ordered`.
        endings: (T_i, d) rows between the question and the answer: think tokens, patches, cue.
        letters: token of each option letter.

    Returns:
        One distribution per ending.

    Raises:
        PromptError: the question does not fit the context window.
    """
    reserve = max(map(len, endings)) + 1  # the letter of the answer
    questions = [backbone.question_rows(head, prompt, reserve=reserve) for prompt in prompts]
    rows = [torch.cat((question, ending)) for ending in endings for question in questions]
    lengths = [len(row) for row in rows]
    # Nothing looks ahead, so filling up after the end changes nothing before it.
    batch = torch.stack([pad(row, (0, 0, 0, max(lengths) - len(row))) for row in rows])
    read = sorted({length - 1 for length in lengths})
    logits = backbone.evaluate(head, batch, SuffixQuery(tuple(read))).logits  # (rows, len(read), V)
    at_end = logits[range(len(rows)), [read.index(length - 1) for length in lengths]]
    found: list[list[float]] = at_end[:, list(letters)].softmax(-1).tolist()
    turns = len(prompts)
    return [averaged(found[start : start + turns]) for start in range(0, len(found), turns)]
