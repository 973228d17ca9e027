"""One image under examination: the scene is set once, questions are asked, and the evidence gathers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from reason_iad.backbones.base import Backbone, ChatModel
from reason_iad.config import Orders
from reason_iad.expert.extent import covered, region_box
from reason_iad.expert.heat import as_heat
from reason_iad.expert.suspicion import sides_at_spot, spot, standing_out, what_is_usual
from reason_iad.images import LoadedImage, load_image
from reason_iad.inspection.answering import Answered, RemoteScene, Scene, answer_question
from reason_iad.inspection.claims import claims_of
from reason_iad.inspection.closer import closer_box, crop
from reason_iad.inspection.good_parts import described
from reason_iad.inspection.plain_questions import asks_plainly
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import (
    LETTERS,
    Question,
    described_question,
    detection_question,
    place_question,
    type_question,
)
from reason_iad.inspection.type_names import under_known_names
from reason_iad.inspection.weighing import asks_type, place_named, weigh, yes_means_defect
from reason_iad.schema import (
    PLACES,
    Answer,
    Box,
    Claim,
    Entry,
    Evidence,
    FusionEvidence,
    InjectedPatch,
    InputImage,
    MapEvidence,
    MotionEvidence,
    ReferenceEvidence,
    Region,
)

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.backbones.prompt import Part
    from reason_iad.expert import AnomalyMap
    from reason_iad.expert.registration import Motion
    from reason_iad.inspection.workbench import Workbench


class Examination:
    """One image under inspection: the scene, and the evidence that gathers as questions are asked."""

    def __init__(
        self, bench: Workbench, image: Any, references: Sequence[Any], category: str | None, about: str = ""
    ) -> None:
        self.bench, self.clock = bench, _Clock()
        with self.clock.phase("load"):
            self.image = load_image(image)
            self.given = bench.good_parts.choose(self.image, references)
        with self.clock.phase("align"):
            self.moved = self._move()
        with self.clock.phase("retrieve"):
            self.category = bench.category(category, self.image)
            words = " ".join(filter(None, (self.category.name, about))) or "defect"
            self.knowledge = bench.retrieve(self.category.name, words)
        self.shown = self.given.pictures[: bench.config.max_references]
        entries = [retrieved.entry for retrieved in self.knowledge]
        parts = build_head(entries, len(self.shown), self.category.name)
        self.map: AnomalyMap | None = None
        self.closer: Box | None = None
        self.change: str | None = None
        self._near: dict[int | None, Scene] = {}
        self.fused: FusionEvidence | None = None
        model = bench.backbone
        self.scene = self._remote(model, parts) if isinstance(model, ChatModel) else self._local(model, parts)
        self.answers: list[Answer] = []
        self._decisions: dict[str, Answer] = {}
        self.patches: list[InjectedPatch] = []

    def _laid(self, reference: LoadedImage) -> Image.Image | None:
        """A reference as it was moved for this image; None if it was not."""
        return self.moved[reference.sha256][0] if reference.sha256 in self.moved else None

    def _mapped(self) -> list[LoadedImage]:
        """The references that the map compares with; an API's model has no map."""
        if isinstance(self.bench.backbone, ChatModel):
            return []
        return self.given.in_order(self.bench.config.map_references)

    def _move(self) -> dict[str, tuple[Image.Image, Motion]]:
        """The references in use that have to be moved to lie as the part does, by hash, and how."""
        config = self.bench.config
        if not config.align:
            return {}
        from reason_iad.expert.registration import lay_alike

        return lay_alike((*self.given.pictures[: config.max_references], *self._mapped()), self.image.pixels)

    def _local(self, model: Backbone, parts: tuple[Part, ...]) -> Scene:
        """Compare with the references, then run everything up to the question through the model."""
        with self.clock.phase("map"):
            self.map = self._anomaly_map(model)
        with self.clock.phase("vision"):
            tokens = [self.bench.embed(reference, self._laid(reference)) for reference in self.shown]
            query = self.bench.embed_query(self.image)
        with self.clock.phase("prefix"):
            prompt = build_prompt(parts, detection_question(), latents=False)
            head = model.head(prompt, [*tokens, query])
        prior = None
        if self.map is not None:
            prior = self.map.on_grid(query.rows, query.columns).to(query.tokens.device)
        return Scene(model, parts, head, query, prior, self.image.width, self.image.height)

    def look_closer(self, question: Question) -> Answer:
        """The same question about the most suspicious part of the image, enlarged, answered at a glance.

        Only where there is a map: it says where to look. A question that names a place is looked at there. The
        answer is kept beside the others.
        """
        assert self.map is not None and isinstance(self.scene, Scene)
        place = place_named(question)
        with self.clock.phase("closer"):
            if place not in self._near:
                self._near[place] = self._enlarged(self.map, self.scene, place)
            return self._glance(self._near[place], question, closer=True)

    def describe(self, question: Question) -> Answer | None:
        """The same question by what the pixels say changed, answered at a glance from the knowledge.

        None where the part has no two tones, nothing clear changed, references do not agree, or no knowledge says
        what defects look like. The answer is kept beside the others.
        """
        assert self.map is not None and isinstance(self.scene, Scene)
        if not self.knowledge:
            return None
        with self.clock.phase("change"):
            place = place_named(question)
            change = self.bench.change(self.image, self._mapped(), self.moved, self.map, place)
            if change is None:
                return None
            self.change = change.in_words() if place is None else self.change
            return self._glance(self.scene, described_question(question, change.in_words()), described=True)

    def _glance(self, scene: Scene, question: Question, **how: bool) -> Answer:
        """An answer without a chain of thought, of whatever kind, kept beside the others."""
        glance, config = replace(self.bench.method, chain_of_thought=False, reasoning=None), self.bench.config
        orders = self._orders(question)
        answered = answer_question(scene, question, glance, None, config.seed, config.explanation_tokens, orders)
        self.answers.append(answered.answer.model_copy(update=how))
        return self.answers[-1]

    def _enlarged(self, found: AnomalyMap, whole: Scene, place: int | None) -> Scene:
        """The scene of a closer look: the same part of the image and of every reference shown."""
        width, height = self.image.width, self.image.height
        box = closer_box(spot(found, place), width, height)
        self.closer = box if place is None else self.closer
        good = [self._laid(reference) or reference.pixels for reference in self.shown]
        *tokens, query = [
            whole.backbone.embed_image(crop(picture, box, width, height)) for picture in (*good, self.image.pixels)
        ]
        prompt = build_prompt(whole.parts, detection_question(), latents=False)
        head = whole.backbone.head(prompt, [*tokens, query])
        return replace(whole, head=head, query=query, prior=None, width=box.x2 - box.x1, height=box.y2 - box.y1)

    def _remote(self, model: ChatModel, parts: tuple[Part, ...]) -> RemoteScene:
        """Encode the images. There is no anomaly map: an API returns no patch features to compare."""
        with self.clock.phase("encode"):
            pictures = [self._laid(reference) or reference.pixels for reference in self.shown]
            images = tuple(model.encode_image(picture) for picture in (*pictures, self.image.pixels))
        return RemoteScene(model, parts, images)

    def ask(self, question: Question) -> Answer:
        """Answer a question about the scene, and keep the evidence."""
        bench = self.bench
        thinking_aloud = bench.method.chain_of_thought and question.options
        limit = bench.config.thought_tokens if thinking_aloud else bench.config.explanation_tokens
        with self.clock.phase(question.key):
            answered: Answered = answer_question(
                self.scene, question, bench.method, bench.reasoning, bench.config.seed, limit,
                self._orders(question),
            )  # fmt: skip
        self.answers.append(answered.answer)
        self.patches += answered.patches
        return answered.answer

    def _orders(self, question: Question) -> Orders:
        """In which orders the options are read.

        'types': names of types have no order of their own, and one forward reads them in all orders. A chain of
        thought, or an API, would need one for each, so there they are read as given.
        """
        wanted = self.bench.config.option_orders
        if wanted != "types":
            return wanted
        cheap = isinstance(self.scene, Scene) and not self.bench.method.chain_of_thought
        return "cyclic" if question.key == "type" and cheap else "given"

    def defect_probability(self) -> float:
        """Probability of a defect: the model's, weighed with what the map says where there are weights for it."""
        question = detection_question()
        answer = self.ask(question)
        weighed = self.weighed(question, answer)
        if weighed is not answer:
            self.fused = self._what_was_weighed("A")
        return weighed.probabilities["A"]

    def _what_was_weighed(self, yes: str) -> FusionEvidence:
        """Into the question for a defect that was answered last, at two looks; `yes` is the letter of 'yes'."""
        assert self.map is not None and self.bench.fusion is not None
        patches, pixels = sides_at_spot(self.map)
        whole, closer = self.answers[-2:]
        return FusionEvidence(
            model_probability=whole.probabilities[yes],
            patches=patches,
            pixels=pixels,
            closer_probability=closer.probabilities[yes],
            standing_out=standing_out(self.map),
            usual=what_is_usual(self.map),
            heat=as_heat(self.bench.fusion.heat(self.map), digits=2),
        )

    def ask_freely(self, question: Question) -> tuple[Answer, bool]:
        """Answer what anybody asks, and say whether the answer was weighed: only where it plainly asks what an
        inspection does."""
        own = self.ask(question)
        if not asks_plainly(question.text):
            return own, False
        answer = self.weighed(question, own)
        yes = yes_means_defect(question)
        if yes is not None and answer is not own:
            self.fused = self._what_was_weighed(yes)
        return answer, answer is not own

    def weighed(self, question: Question, answer: Answer) -> Answer:
        """An answer with the say of the map and of a closer look in it, where there are weights for them."""
        if self.bench.fusion is None or self.map is None:
            return answer
        named = self._under_known_names(question)
        return weigh(named, answer, self.map, self.bench.fusion, self.look_closer, self.describe)

    def _under_known_names(self, question: Question) -> Question:
        """The same question with the knowledge's own names of types, which a closer look is asked by."""
        types = [found.entry for found in self.knowledge if found.entry.kind == "defect"]
        if self.bench.knowledge is None or not types or not asks_type(question):
            return question
        aliases: dict[str, tuple[str, ...]] = {}
        for category in {entry.category for entry in types}:
            aliases |= self.bench.knowledge.aliases(category)
        return under_known_names(question, types, aliases)

    def _decided(self, question: Question) -> Answer:
        """The weighed answer to a question, kept for what the explanation claims."""
        self._decisions[question.key] = self.weighed(question, self.ask(question))
        return self._decisions[question.key]

    def known_defects(self) -> list[Entry]:
        """Every defect type that the knowledge lists for this category, those shown to the model first."""
        store, name = self.bench.knowledge, self.category.name
        if store is None or name is None or name not in store.categories():
            return []
        shown = [found.entry for found in self.knowledge]
        known = [entry for entry in store.entries(name) if entry.kind == "defect"]
        known.sort(key=lambda entry: shown.index(entry) if entry in shown else len(shown))
        return known[: len(LETTERS)]

    def defect_type(self, known: list[Entry]) -> Entry | None:
        """Which of the known defect types it is; the only one if there is one, None if there is none."""
        if len(known) < 2:
            return known[0] if known else None
        chosen = self._decided(type_question([entry.name for entry in known])).text
        return next(entry for entry in known if entry.name == chosen)

    def region(self) -> Region:
        """Where it is: the model's place, weighed with the map like the verdict, and the box of what differs."""
        answer = self._decided(place_question())
        box, share, place = None, None, PLACES.index(answer.text)
        if self.map is not None:
            box, share = region_box(self.map, self.image.width, self.image.height, place), covered(self.map, place)
        probability = answer.probabilities[answer.choice] if answer.choice else 0.0
        return Region(box=box, place=answer.text, place_probability=probability, share=share)

    def claims(self, kind: Entry | None, region: Region) -> tuple[Claim, ...]:
        """What the explanation may claim, once type and place were decided.

        Args:
            kind: what `defect_type` gave.
            region: what `region` gave.
        """
        asked: Answer | str | None = self._decisions.get("type", None if kind is None else kind.name)
        weighed = None if self.map is None else self.bench.fusion
        return claims_of(asked, self._decisions["place"], region.share, weighed)

    def evidence(self) -> Evidence:
        """Everything the result rests on."""
        found = None
        if self.map is not None:
            found = MapEvidence(
                **as_heat(self.map.values, digits=4).model_dump(),
                gate_passed=self.map.gate_passed,
                calibrated_on=self.map.calibrated_on,
            )
        return Evidence(
            category=self.category,
            knowledge=self.knowledge,
            references=tuple(map(self._reference, range(len(self.given.images)))),
            patches=tuple(self.patches),
            anomaly_map=found,
            fusion=self.fused,
            closer=self.closer,
            change=self.change,
            answers=tuple(self.answers),
        )

    def _reference(self, number: int) -> ReferenceEvidence:
        """A reference as it was given, whether it was used, and how it was moved."""
        reference, used = self.given.images[number], number in self.given.numbers
        _, motion = self.moved.get(reference.sha256, (None, None)) if used else (None, None)
        return ReferenceEvidence(
            **reference.model_dump(),
            used=used,
            motion=None if motion is None else MotionEvidence(**asdict(motion)),
        )

    def input_image(self) -> InputImage:
        """Name and hash of the inspected image."""
        return described(self.image)

    def _anomaly_map(self, model: Backbone) -> AnomalyMap | None:
        if not self.given.pictures:
            return None
        return self.bench.compare(self.image, self._mapped(), self.moved, self.given)


class _Clock:
    """Wall-clock milliseconds per phase."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._phases: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._phases[name] = self._phases.get(name, 0.0) + (time.perf_counter() - start) * 1000

    def finish(self) -> dict[str, float]:
        total = (time.perf_counter() - self._start) * 1000
        return {name: round(value, 2) for name, value in (*self._phases.items(), ("total", total))}
