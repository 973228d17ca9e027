"""Scenes: the picture with its good parts and knowledge, run through the model once for all questions about it.

The whole part is one scene. A closer look is another: the most suspicious part of the picture, enlarged, beside the
same part of the good ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from reason_iad.backbones.base import ChatModel
from reason_iad.expert.suspicion import spot
from reason_iad.images import WHOLE, at_most
from reason_iad.inspection.answering import RemoteScene, Scene, room_for_answers
from reason_iad.inspection.closer import closer_box, crop
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import detection_question

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone, ImageTokens
    from reason_iad.backbones.prompt import Part
    from reason_iad.expert import AnomalyMap
    from reason_iad.expert.cache import Recent
    from reason_iad.images import LoadedImage
    from reason_iad.inspection.clock import Clock
    from reason_iad.inspection.lookup import Known
    from reason_iad.inspection.setup import Setup
    from reason_iad.inspection.subject import Subject
    from reason_iad.schema import Box


@dataclass(frozen=True, slots=True)
class CloserLook:
    """A scene of an enlarged part of the picture, and which part it is, in pixels of the inspected picture."""

    scene: Scene
    box: Box


def set_scene(
    setup: Setup, subject: Subject, known: Known, difference: AnomalyMap | None, clock: Clock
) -> Scene | RemoteScene:
    """Run everything up to the question through the model, or encode it for a model behind an API.

    Args:
        setup: what inspections share.
        subject: what is inspected.
        known: what is known of it.
        difference: how it differs from good parts; a prior for the patches that are injected.
        clock: counts the phases 'vision' and 'prefix', or 'encode'.

    Raises:
        PromptError: the prompt does not fit the model's window.
        ImageError: a picture cannot be resized into what the model accepts.
    """
    parts = build_head([found.entry for found in known.shown], len(subject.shown), known.category.name)
    if isinstance(setup.model, ChatModel):
        return _remote(setup.model, subject, parts, clock)
    model = setup.model
    with clock.phase("vision"):
        tokens = [_reference_tokens(setup, model, subject, reference) for reference in subject.shown]
        query = _kept(setup.cache.queries, model, subject.image)
    with clock.phase("prefix"):
        prompt = build_prompt(parts, detection_question(), latents=False)
        longest = setup.config.explanation_tokens
        if setup.method.chain_of_thought:
            longest = max(longest, setup.config.thought_tokens)
        head = model.head(prompt, [*tokens, query], reserve=room_for_answers(setup.reasoning, longest))
    prior = None
    if difference is not None:
        prior = difference.on_grid(query.rows, query.columns).to(query.tokens.device)
    return Scene(model, parts, head, query, prior, subject.image.width, subject.image.height)


def closer_looks(
    subject: Subject, scene: Scene | RemoteScene, difference: AnomalyMap | None
) -> Callable[[int | None], CloserLook]:
    """Closer looks at a picture by place, each made once when it is first wanted (`look_closer`).

    Where nothing was compared, nobody may want one: nothing says where to look.
    """

    @cache
    def look(place: int | None) -> CloserLook:
        assert difference is not None and isinstance(scene, Scene)
        return look_closer(subject, scene, difference, place)

    return look


def look_closer(subject: Subject, scene: Scene, difference: AnomalyMap, place: int | None) -> CloserLook:
    """The scene of a closer look at where most differs.

    Args:
        subject: what is inspected.
        scene: of the whole part.
        difference: how it differs from good parts.
        place: look only in this one of `PLACES`; None: anywhere.
    """
    width, height = subject.image.width, subject.image.height
    box = closer_box(spot(difference, place), width, height)
    near = (at_most(crop(picture, box, width, height), WHOLE) for picture in subject.in_detail())
    *tokens, query = [scene.backbone.embed_image(picture) for picture in near]
    prompt = build_prompt(scene.parts, detection_question(), latents=False)
    head = scene.backbone.head(prompt, [*tokens, query], reserve=room_for_answers(None, 1))
    wide, high = box.x2 - box.x1, box.y2 - box.y1
    return CloserLook(replace(scene, head=head, query=query, prior=None, width=wide, height=high), box)


def _remote(model: ChatModel, subject: Subject, parts: tuple[Part, ...], clock: Clock) -> RemoteScene:
    """Encode the pictures. Nothing is compared: an API returns no features."""
    with clock.phase("encode"):
        pictures = (*map(subject.laid, subject.shown), subject.image.whole)
        return RemoteScene(model, parts, tuple(map(model.encode_image, pictures)))


def _reference_tokens(setup: Setup, model: Backbone, subject: Subject, reference: LoadedImage) -> ImageTokens:
    """Tokens of a good part, kept for the next inspection; one moved for this picture serves it alone."""
    if reference.sha256 in subject.moved:
        return model.embed_image(subject.laid(reference))
    return _kept(setup.cache.tokens, model, reference)


def _kept(cache: Recent[ImageTokens], model: Backbone, image: LoadedImage) -> ImageTokens:
    return cache.get(image.key, lambda: model.embed_image(image.whole))
