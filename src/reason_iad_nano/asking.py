"""Ask a backbone one lettered question on the product's own code path, without the reasoning loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from reason_iad.backbones.base import SuffixQuery
from reason_iad.backbones.prompt import Data, Prompt
from reason_iad.inspection.option_orders import ordered, read_options
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import Question
from reason_iad.schema import Entry

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone, ImageTokens, Prefix


class Asked:
    """One image with its references and knowledge, ready for questions.

    Args:
        backbone: the model.
        images: tokens of the references and, last, of the query.
        entries: knowledge in the prompt.
        category: name of the part, if it is told.
        overlay: the last image but one is the query with an anomaly map drawn on it, not a reference.
    """

    def __init__(
        self,
        backbone: Backbone,
        images: Sequence[ImageTokens],
        entries: Sequence[Entry] = (),
        category: str | None = None,
        *,
        overlay: bool = False,
    ) -> None:
        self._backbone, self._images = backbone, list(images)
        self._parts = build_head(entries, len(images) - 1 - int(overlay), category, overlay=overlay)
        self._head: Prefix | None = None

    def _shared(self, prompt: Prompt) -> Prefix:
        """The head, run through the model once."""
        if self._head is None:
            self._head = self._backbone.head(prompt, self._images)
        return self._head

    def _prefix(self, question: Question) -> Prefix:
        prompt = build_prompt(self._parts, question, latents=False)
        return self._backbone.question(self._shared(prompt), prompt)

    def probabilities(self, question: Question) -> list[float]:
        """Probability of each option, in order."""
        prompt = build_prompt(self._parts, question, latents=False)
        cue = self._backbone.cue(prompt)
        out = self._backbone.evaluate(self._prefix(question), cue[None], SuffixQuery(logits_at=(len(cue) - 1,)))
        letters = self._backbone.option_tokens(list(question.lettered))
        values: list[float] = out.logits[0, 0, letters].softmax(-1).tolist()
        return values

    def averaged(self, question: Question) -> list[float]:
        """The same as the mean over all rotations of the options, as an inspection asks for the type."""
        prompts = [build_prompt(self._parts, each, latents=False) for each in ordered(question, "cyclic")]
        letters = self._backbone.option_tokens(list(question.lettered))
        cue = self._backbone.cue(prompts[0])
        return read_options(self._backbone, self._shared(prompts[0]), prompts, [cue], letters)[0]

    def text(self, question: Question, most: int = 64) -> str:
        """The generated answer of an open question, with the words that it has to begin with."""
        prompt = build_prompt(self._parts, question, latents=False)
        cue = self._backbone.cue(prompt)
        if question.opening:
            opening = self._backbone.embed_text([Data(question.opening)])
            cue = torch.cat((cue, opening.to(cue.dtype)))
        text = self._backbone.decode(self._prefix(question), cue, most).text.strip()
        return f"{question.opening} {text}".strip()
