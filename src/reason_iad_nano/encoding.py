"""Prompts to token ids for training, without transformers: the same ids as `backbones.chat.render`, only faster.

A test renders many prompts both ways and compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from reason_iad.backbones.prompt import SYSTEM, Data, ImageSlot, Part
from reason_iad.inspection.prompts import build_head, build_tail
from reason_iad.inspection.questions import Question
from reason_iad.schema import Entry
from reason_iad_nano.tokenizer import SPECIAL

IMAGE, THINK, STOP = SPECIAL["<|image_pad|>"], SPECIAL["<|think|>"], SPECIAL["<|im_end|>"]


@dataclass(frozen=True, slots=True)
class EncodedQuestion:
    """A question from behind the query image to the first token of the answer.

    Attributes:
        before: ids up to the latents.
        cue: ids behind the latents.
        option_ends: index in `before` of the line break behind each option.
    """

    before: tuple[int, ...]
    cue: tuple[int, ...]
    option_ends: tuple[int, ...]


class Encoder:
    """Encodes heads and questions.

    Args:
        tokenizer: the bare tokenizer.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._content = Tokenizer.from_str(tokenizer.to_str())
        self._content.encode_special_tokens = True
        self._control = tokenizer
        self.content = lru_cache(maxsize=4096)(self._encode_content)
        self.opening = self.control(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n")
        self.cue = self.control("<|im_end|>\n<|im_start|>assistant\n")
        self.again = self.control("<|im_end|>\n<|im_start|>user\n")  # behind an answer: the next question
        self.image = (self.control("<|vision_start|>"), self.control("<|vision_end|>"))
        self.line = self.content("\n")  # the line break behind the query image
        self.line_break = self.line[-1]
        self.colon = self.content("a:")[-1]  # behind the name of an entry

    def control(self, text: str) -> tuple[int, ...]:
        """Ids of the chat template's own text."""
        return tuple(self._control.encode(text, add_special_tokens=False).ids)

    def _encode_content(self, text: str) -> tuple[int, ...]:
        return tuple(self._content.encode(text, add_special_tokens=False).ids)

    def letter(self, letter: str) -> int:
        """The id of an answer letter right behind the cue."""
        return self.content(letter)[0]

    def head(
        self, entries: tuple[Entry, ...], references: int, category: str | None, *, overlay: bool = False
    ) -> list[tuple[int, ...] | ImageSlot]:
        """Everything up to and including the markup that closes the query image."""
        parts = build_head(entries, references, category, overlay=overlay)
        pieces: list[tuple[int, ...] | ImageSlot] = [self.opening]
        for part in parts[:-1]:  # the line break behind the query image belongs to the question
            if isinstance(part, ImageSlot):
                pieces += [self.image[0], part, self.image[1]]
            else:
                pieces.append(self._part(part))
        return pieces

    def _part(self, part: Part) -> tuple[int, ...]:
        assert isinstance(part, Data)
        return self._encode_content(part.text)

    def question(self, question: Question) -> EncodedQuestion:
        """The question and its options, up to the latents, and the cue."""
        text = self._part(build_tail(question, latents=False)[0])
        breaks = [index for index, token in enumerate(text) if token == self.line_break]
        ends = breaks[len(breaks) - len(question.options) :] if question.options else []
        return EncodedQuestion(self.line + text, self.cue, tuple(len(self.line) + end for end in ends))
