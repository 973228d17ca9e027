"""One inspection, top to bottom: retrieve, prompt, reason, answer, report (METHOD section 1).

    inspector = Inspector.from_pretrained("nano")
    inspection = inspector.inspect("part.png", references=["good.png"], category="pcb")

Each step below is one call into one room; what moves between them is named in `schema.py`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reason_iad.answering import Answered, Scene, answer_question
from reason_iad.config import METHODS, InspectorConfig
from reason_iad.errors import KnowledgeError
from reason_iad.galleries import open_gallery
from reason_iad.images import LoadedImage, load_image
from reason_iad.prompt import (
    Prompt,
    Question,
    build_head,
    build_prompt,
    detection_question,
    explanation_question,
    parse_options,
    place_question,
    type_question,
)
from reason_iad.schema import (
    Answer,
    CategoryEvidence,
    Entry,
    Evidence,
    InjectedPatch,
    InputImage,
    Inspection,
    MapEvidence,
    ReferenceEvidence,
    Region,
    Reply,
    RetrievedEntry,
    Verdict,
    Versions,
)

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone, ImageTokens
    from reason_iad.expert import AnomalyMap, Expert
    from reason_iad.knowledge import Gallery, KnowledgeStore

CACHED_IMAGES = 32
"""Reference images whose tokens and features are kept between inspections."""

T = TypeVar("T")


class Inspector:
    """Inspects images with a frozen multimodal LLM, knowledge and normal references.

    Attributes:
        config: the configuration in force.
    """

    def __init__(
        self,
        backbone: Backbone,
        knowledge: KnowledgeStore | None = None,
        config: InspectorConfig | None = None,
        gallery: Gallery | None = None,
    ) -> None:
        self.backbone, self.knowledge, self.gallery = backbone, knowledge, gallery
        self.config = config if config is not None else InspectorConfig()
        self._method = METHODS[self.config.method]
        self._reasoning = self.config.reasoning_config()
        self._knowledge_sha256 = None if knowledge is None else knowledge.sha256()
        self._tokens: _Recent[ImageTokens] = _Recent(CACHED_IMAGES)
        self._experts: _Recent[Expert] = _Recent(4)

    @classmethod
    def from_pretrained(
        cls,
        model: str = "nano",
        *,
        knowledge: str | Path | None = None,
        config: InspectorConfig | None = None,
        device: str = "auto",
        dtype: str = "auto",
        gallery: str | Path | None = None,
    ) -> Inspector:
        """Load a model and open the knowledge.

        Args:
            model: 'nano' (embedded), a model directory, or a hub id 'owner/name'.
            knowledge: a folder of knowledge files or a store; None: what comes with the package.
            config: see `InspectorConfig`.
            device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
            dtype: 'auto', 'float32' or 'bfloat16'.
            gallery: normal images from which the category is found when it is not given: a folder with one
                sub-folder per category, or a gallery store.

        Raises:
            ModelError: the model cannot be loaded.
            KnowledgeError: the knowledge or the gallery cannot be opened.
            ConfigError: an option is out of its range.
        """
        from reason_iad.backbones import load_backbone
        from reason_iad.knowledge import open_knowledge

        store = open_knowledge(knowledge)
        backbone = load_backbone(model, device=device, dtype=dtype)
        return cls(backbone, store, config, None if gallery is None else open_gallery(gallery, backbone))

    def inspect(
        self,
        image: Any,
        *,
        references: Sequence[Any] = (),
        category: str | None = None,
        question: str | Question | None = None,
    ) -> Inspection:
        """Inspect one image.

        Args:
            image: path, PIL image or array.
            references: normal images of the same product, best first.
            category: name or alias of the product in the knowledge; found from the gallery if not given.
            question: a further question, answered beside the standard ones (key 'question').

        Raises:
            ImageError: an image cannot be used.
            KnowledgeError: the category is unknown.
            PromptError: the prompt does not fit the model's window.
        """
        look = _Look(self, image, references, category)
        probability = look.ask(detection_question()).probabilities["A"]
        verdict: Verdict = "defect" if probability >= self.config.threshold else "pass"
        known = look.known_defects()
        kind, region = None, None
        if verdict == "defect":
            kind = look.defect_type(known)
            region = look.region()
        explanation = look.ask(explanation_question()).text
        if question is not None:
            look.ask(question if isinstance(question, Question) else Question("question", question))
        return Inspection(
            image=look.input_image(),
            verdict=verdict,
            probability=probability,
            threshold=self.config.threshold,
            method=self.config.method,
            seed=self.config.seed,
            defect_type=None if kind is None else kind.name,
            severity=None if kind is None else kind.severity,
            region=region,
            explanation=explanation,
            evidence=look.evidence(),
            timings_ms=look.clock.finish(),
            versions=self.versions(),
        )

    def ask(
        self,
        image: Any,
        question: str,
        *,
        options: Sequence[str] = (),
        references: Sequence[Any] = (),
        category: str | None = None,
    ) -> Reply:
        """Answer any question about an image with the same engine.

        Args:
            image: path, PIL image or array.
            question: the question.
            options: answers to choose from, 'A) yes' or 'yes'; none: the answer is generated text.
            references, category: as in `inspect`.

        Raises:
            ImageError, KnowledgeError, PromptError: as in `inspect`.
        """
        asked = Question("question", question, parse_options(options))
        look = _Look(self, image, references, category, about=question)
        answer = look.ask(asked)
        return Reply(
            image=look.input_image(),
            method=self.config.method,
            seed=self.config.seed,
            answer=answer,
            evidence=look.evidence(),
            timings_ms=look.clock.finish(),
            versions=self.versions(),
        )

    def versions(self) -> Versions:
        """What is needed to run the same inspection again."""
        import torch
        import transformers

        from reason_iad import __version__

        return Versions(
            package=__version__,
            torch=torch.__version__,
            transformers=transformers.__version__,
            model=self.backbone.version,
            knowledge_sha256=self._knowledge_sha256 if self._method.knowledge else None,
            config_sha256=self.config.sha256(),
        )

    # -- steps of one inspection ---------------------------------------------------------------------------------

    def _category(self, given: str | None, image: LoadedImage) -> CategoryEvidence:
        """The category: as given, else the nearest in the gallery, else unknown."""
        if given is not None:
            return CategoryEvidence(name=self._resolved(given), origin="given", score=None, margin=None)
        if self.gallery is None:
            return CategoryEvidence(name=None, origin="unknown", score=None, margin=None)
        from reason_iad.expert.embedding import image_embedding

        vector = image_embedding(self.backbone.patch_features(image.pixels))
        return self.gallery.classify(
            vector, min_score=self.config.category_score, min_margin=self.config.category_margin
        )

    def _resolved(self, given: str) -> str:
        from reason_iad.knowledge import resolve_category

        if self.knowledge is None:
            return given
        try:
            return resolve_category(self.knowledge, given)
        except KnowledgeError:
            if self._method.knowledge:
                raise
            return given

    def _retrieve(self, category: str | None, question: str) -> tuple[RetrievedEntry, ...]:
        """Knowledge for the prompt, within its share of the context window."""
        if self.knowledge is None or not self._method.knowledge:
            return ()
        from reason_iad.knowledge import retrieve

        return retrieve(
            self.knowledge,
            category=category if category is not None and category in self.knowledge.categories() else None,
            question=question,
            count_tokens=self.backbone.count_tokens,
            budget=int(self.backbone.context_length * self.config.knowledge_share),
            limit=self.config.knowledge_entries,
        )

    def _embed(self, image: LoadedImage) -> ImageTokens:
        return self._tokens.get(image.sha256, lambda: self.backbone.embed_image(image.pixels))

    def _expert(self, references: Sequence[LoadedImage]) -> Expert:
        """The defect expert, calibrated on these references once."""
        from reason_iad.expert import build_expert
        from reason_iad.expert.jitter import jittered_copies

        def build() -> Expert:
            features = [self.backbone.patch_features(reference.pixels) for reference in references]
            single = references[0].pixels if len(references) == 1 else None
            copies = [] if single is None else jittered_copies(single)
            return build_expert(features, [self.backbone.patch_features(copy) for copy in copies])

        return self._experts.get(":".join(reference.sha256 for reference in references), build)


class _Look:
    """One image under inspection: the scene, and the evidence that gathers as questions are asked."""

    def __init__(
        self, inspector: Inspector, image: Any, references: Sequence[Any], category: str | None, about: str = ""
    ) -> None:
        self.inspector, self.clock = inspector, _Clock()
        config, backbone = inspector.config, inspector.backbone
        with self.clock.phase("load"):
            self.image = load_image(image)
            self.references = [load_image(reference) for reference in references]
        with self.clock.phase("retrieve"):
            self.category = inspector._category(category, self.image)
            words = about or f"{self.category.name or ''} defect"
            self.knowledge = inspector._retrieve(self.category.name, words)
        with self.clock.phase("map"):
            self.map = self._anomaly_map()
        shown = self.references[: config.max_references]
        with self.clock.phase("vision"):
            tokens = [inspector._embed(reference) for reference in shown]
            query = backbone.embed_image(self.image.pixels)
        entries = [retrieved.entry for retrieved in self.knowledge]
        parts = build_head(entries, len(shown), self.category.name)
        with self.clock.phase("prefix"):
            prompt: Prompt = build_prompt(parts, detection_question(), latents=False)
            head = backbone.head(prompt, [*tokens, query])
        prior = None
        if self.map is not None:
            prior = self.map.on_grid(query.rows, query.columns).to(query.tokens.device)
        self.scene = Scene(backbone, parts, head, query, prior, self.image.width, self.image.height)
        self.answers: list[Answer] = []
        self.patches: list[InjectedPatch] = []

    def ask(self, question: Question) -> Answer:
        """Answer a question about the scene, and keep the evidence."""
        inspector = self.inspector
        thinking_aloud = inspector._method.chain_of_thought and question.options
        limit = inspector.config.thought_tokens if thinking_aloud else inspector.config.explanation_tokens
        with self.clock.phase(question.key):
            answered: Answered = answer_question(
                self.scene, question, inspector._method, inspector._reasoning, inspector.config.seed, limit
            )
        self.answers.append(answered.answer)
        self.patches += answered.patches
        return answered.answer

    def known_defects(self) -> list[Entry]:
        """Defect types the knowledge lists for this category, as shown to the model, else as stored."""
        shown = [found.entry for found in self.knowledge if found.entry.kind == "defect"]
        mine = [entry for entry in shown if entry.category == self.category.name]
        store, name = self.inspector.knowledge, self.category.name
        if mine or store is None or name is None or name not in store.categories():
            return mine
        return [entry for entry in store.entries(name) if entry.kind == "defect"][:8]

    def defect_type(self, known: list[Entry]) -> Entry | None:
        """Which of the known defect types it is; None if fewer than two are known."""
        if len(known) < 2:
            return known[0] if known else None
        chosen = self.ask(type_question([entry.name for entry in known])).text
        return next(entry for entry in known if entry.name == chosen)

    def region(self) -> Region:
        """Where it is: the model's place, and the box of the anomaly map."""
        answer = self.ask(place_question())
        box = None if self.map is None else self.map.box(self.image.width, self.image.height)
        probability = answer.probabilities[answer.choice] if answer.choice else 0.0
        return Region(box=box, place=answer.text, place_probability=probability)

    def evidence(self) -> Evidence:
        """Everything the result rests on."""
        found = None
        if self.map is not None:
            found = MapEvidence(
                rows=self.map.values.shape[0],
                columns=self.map.values.shape[1],
                values=tuple(round(value, 4) for value in self.map.values.flatten().tolist()),
                gate_passed=self.map.gate_passed,
                calibrated_on=self.map.calibrated_on,
            )
        return Evidence(
            category=self.category,
            knowledge=self.knowledge,
            references=tuple(
                ReferenceEvidence(name=r.name, sha256=r.sha256, width=r.width, height=r.height)
                for r in self.references
            ),
            patches=tuple(self.patches),
            anomaly_map=found,
            answers=tuple(self.answers),
        )

    def input_image(self) -> InputImage:
        """Name and hash of the inspected image."""
        image = self.image
        return InputImage(name=image.name, sha256=image.sha256, width=image.width, height=image.height)

    def _anomaly_map(self) -> AnomalyMap | None:
        if not self.references:
            return None
        expert = self.inspector._expert(self.references)
        return expert.inspect(self.inspector.backbone.patch_features(self.image.pixels))


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


class _Recent(OrderedDict[str, T]):
    """A small cache that forgets the least recently used."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def get(self, key: str, make: Callable[[], T]) -> T:  # type: ignore[override]
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        while len(self) > self._size:
            self.popitem(last=False)
        return self[key]
