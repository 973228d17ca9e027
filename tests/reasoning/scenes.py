"""Ready-made problems for the tests of the loop."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from reason_iad.backbones.base import Backbone
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import LETTERS, NEUTRAL_QUESTION, Question, detection_question
from reason_iad.reasoning import Problem


def picture(seed: int, width: int = 120, height: int = 150) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def make_problem(
    backbone: Backbone, query: Image.Image | None = None, question: Question | None = None, prior: bool = True
) -> Problem:
    question = question if question is not None else detection_question()
    tokens = [backbone.embed_image(picture(1)), backbone.embed_image(query or picture(2))]
    parts = build_head((), 1, "pcb")
    prompt = build_prompt(parts, question, latents=True)
    head = backbone.head(prompt, tokens)
    neutral = build_prompt(parts, Question("neutral", NEUTRAL_QUESTION), latents=True)
    image = tokens[-1].tokens
    letters = LETTERS[: len(question.options)]
    return Problem(
        prefix=backbone.question(head, prompt),
        cue=backbone.cue(prompt),
        tokens=image,
        image=head.images[-1],
        option_tokens=tuple(backbone.option_tokens(letters)) if letters else (),
        neutral=backbone.question(head, neutral),
        prior=torch.linspace(0, 1, len(image)) if prior else None,
    )
