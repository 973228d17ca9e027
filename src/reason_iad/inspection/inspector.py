"""One inspection, top to bottom: load, look up, compare, set the scene, decide, explain (METHOD section 1).

    inspector = Inspector.from_pretrained("nano")
    inspection = inspector.inspect("part.png", references=["good.png"], category="pcb")

Each step below is one call into one file of this room; what moves between the steps is an immutable value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.backbones.base import ChatModel
from reason_iad.backbones.chat_use import TIMEOUT, check_abilities, check_use, is_api
from reason_iad.config import InspectorConfig
from reason_iad.expert.good_parts import described
from reason_iad.images import Picture, as_pictures
from reason_iad.inspection.answerable import answerable, as_asked, ask_further
from reason_iad.inspection.clock import Clock
from reason_iad.inspection.deciding import Case, decide
from reason_iad.inspection.evidence import gather, references_of
from reason_iad.inspection.explaining import explain, measured_change
from reason_iad.inspection.findings import find_defect
from reason_iad.inspection.fixed import Fixed
from reason_iad.inspection.galleries import open_gallery
from reason_iad.inspection.given import check_given, config_of
from reason_iad.inspection.intents import advice
from reason_iad.inspection.lookup import look_up
from reason_iad.inspection.questions import Question, detection_question, further_question, parse_options
from reason_iad.inspection.saying import OTHER_GOOD_PART
from reason_iad.inspection.scenes import closer_looks, set_scene
from reason_iad.inspection.setup import make_setup
from reason_iad.inspection.subject import Subject, compare, load_subject, unlike
from reason_iad.schema import CategoryEvidence, Evidence, Inspection, Reply, Versions
from reason_iad.schema.verdict import ALONE, LOOK_AGAIN, SAME, OperatingPoint, Verdict

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad.inspection.deciding import Decision
    from reason_iad.inspection.explaining import Explanation
    from reason_iad.inspection.findings import Defect
    from reason_iad.inspection.fusion import LateFusion
    from reason_iad.inspection.setup import Setup
    from reason_iad.knowledge import Gallery, KnowledgeStore


class Inspector(Fixed):
    """Inspects images with a frozen multimodal LLM, knowledge and normal references.

    It keeps what it computed from references. Threads may share it: each gets the same results as alone.

    Args:
        backbone: the frozen model; behind an API, a `ChatModel`.
        knowledge: the knowledge store, or None.
        config: the configuration in force.
        gallery: normal images from which the category is found when it is not given, or None.
        operating_point: thresholds set by known parts, which take the place of `config.threshold`.

    Raises:
        ModelError: the model is behind an API, and the method or a gallery takes more than text and images.
        ConfigError: an argument has another type.
    """

    __slots__ = ("_point", "_setup")
    INSTEAD = "Make another inspector with config=InspectorConfig({name}=...)."

    def __init__(
        self,
        backbone: Backbone | ChatModel,
        knowledge: KnowledgeStore | None = None,
        config: InspectorConfig | None = None,
        gallery: Gallery | None = None,
        *,
        operating_point: OperatingPoint | None = None,
    ) -> None:
        config = config_of(config)
        check_given(backbone, knowledge, gallery, operating_point)
        if isinstance(backbone, ChatModel):
            check_abilities(config.method, gallery is not None)
        self._setup = make_setup(backbone, knowledge, config, gallery)
        self._point = operating_point

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path = "nano",
        *,
        knowledge: str | Path | None = None,
        config: InspectorConfig | None = None,
        device: str = "auto",
        dtype: str = "auto",
        gallery: str | Path | None = None,
        base_url: str | None = None,
        timeout: float = TIMEOUT,
    ) -> Inspector:
        """Load a model and open the knowledge.

        To compile the steps of the reasoning loop, for services that meet the same shapes again and again, give
        `Inspector(load_backbone(model, compile_steps=True))` the model instead.

        Args:
            model: 'nano' (embedded), a model directory, a hub id 'owner/name', or 'openai:NAME' for a model behind
                an OpenAI-compatible API (key: environment variable OPENAI_API_KEY; docs/models.md).
            knowledge: a folder of knowledge files or a store; None: what comes with the package.
            config: see `InspectorConfig`.
            device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
            dtype: 'auto', 'float32' or 'bfloat16'.
            gallery: normal images from which the category is found when it is not given: a folder with one
                sub-folder per category, or a gallery store.
            base_url: address of the API; None: that of the environment variable OPENAI_BASE_URL.
            timeout: seconds to wait for the API, per attempt.

        Raises:
            ModelError: the model cannot be loaded, or cannot do what the method needs.
            KnowledgeError: the knowledge or the gallery cannot be opened.
            ConfigError: an option is out of its range.
            MissingExtraError: an API is asked for without the extra 'api'.
        """
        from reason_iad.backbones import load_backbone
        from reason_iad.expert.encoders import make_encoder
        from reason_iad.knowledge import open_knowledge

        model, config = str(model), config_of(config)
        method = config.method
        check_use(model, base_url=base_url, timeout=timeout, method=method, gallery=gallery is not None)
        if is_api(model):
            from reason_iad.backbones.chat_api import load_chat_model

            return cls(load_chat_model(model, base_url, timeout), open_knowledge(knowledge), config)
        store = open_knowledge(knowledge)
        backbone = load_backbone(model, device=device, dtype=dtype)
        if gallery is None:
            return cls(backbone, store, config)
        encoder = make_encoder(config.encoder, backbone)
        return cls(backbone, store, config, open_gallery(gallery, encoder, config.white))

    @property
    def setup(self) -> Setup:
        """Model, knowledge, configuration and what was computed from references, as other inspectors use them."""
        return self._setup

    @property
    def backbone(self) -> Backbone | ChatModel:
        """The frozen model."""
        return self._setup.model

    @property
    def knowledge(self) -> KnowledgeStore | None:
        """The knowledge store."""
        return self._setup.knowledge

    @property
    def config(self) -> InspectorConfig:
        """The configuration in force."""
        return self._setup.config

    @property
    def fusion(self) -> LateFusion | None:
        """How the model's looks and the comparison are weighed; None where the model answers alone."""
        return self._setup.fusion

    @property
    def operating_point(self) -> OperatingPoint | None:
        """Thresholds set by known parts, or None if `config.threshold` decides."""
        return self._point

    def at(self, operating_point: OperatingPoint | None) -> Inspector:
        """The same inspector with other thresholds. It shares the model and what was computed from references."""
        other = Inspector.__new__(Inspector)
        other._setup, other._point = self._setup, operating_point
        return other

    def inspect(
        self,
        image: Picture,
        *,
        references: Picture | Sequence[Picture] = (),
        category: str | None = None,
        question: str | Question | None = None,
    ) -> Inspection:
        """Inspect one image.

        Args:
            image: a path, the bytes of an image file, a PIL image, or a NumPy array (see `images.load_image`).
            references: normal images of the same product, best first; one alone counts as a list of one.
            category: name or alias of the product in the knowledge; found from the gallery if not given.
            question: a further question, answered beside the standard ones by the model alone (key 'question').

        Raises:
            ImageError: an image cannot be used.
            KnowledgeError: the category is unknown.
            PromptError: the prompt does not fit the model's window, or the question is none.
            ModelError: the further question is a free one, and the model cannot write.
        """
        extra = further_question(question)
        extra = None if extra is None else answerable(extra, self._setup.model)
        setup, clock = self._setup, Clock()
        # Before the first question: what is there to see, and what is known?
        subject = load_subject(setup, image, as_pictures(references), clock)
        known = look_up(setup, subject.image, category, extra.text if extra else "", clock)
        if subject.good.only_itself:
            return self._unasked(subject, known.category, "review", SAME, clock)
        reason = unlike(setup, subject, clock)
        if reason is not None:
            return self._unasked(subject, known.category, "unjudged", reason, clock)
        difference = compare(setup, subject, clock)
        scene = set_scene(setup, subject, known, difference, clock)
        closer = closer_looks(subject, scene, difference)
        case = Case(setup, subject, known, difference, scene, closer, clock)
        # The questions: is there a defect, which and where, and why?
        whether = decide(case, detection_question())
        verdict = self._verdict(whether.answer.probabilities["A"])
        defect = None if verdict == "pass" else find_defect(case)
        explanation = explain(case, verdict, defect, None if defect is None else measured_change(case))
        further = () if extra is None else (ask_further(case, extra),)
        return self._inspection(case, verdict, whether, defect, explanation, further)

    def ask(
        self,
        image: Picture,
        question: str,
        *,
        options: Sequence[str] = (),
        references: Picture | Sequence[Picture] = (),
        category: str | None = None,
    ) -> Reply:
        """Answer any question about an image with the same engine.

        Where it plainly asks whether there is a defect, or which, where or how large it is, with options to choose
        from and references, the answer is weighed as in `inspect`. Where it does not, the reply says so and
        suggests a wording that does (`Reply.advice`).

        Args:
            image: as in `inspect`.
            question: the question.
            options: answers to choose from, 'A) yes' or 'yes'. Without any, a question that asks for yes or no is
                answered with one of them, and another one with generated text.
            references, category: as in `inspect`.

        Raises:
            ImageError, KnowledgeError, PromptError: as in `inspect`.
            ModelError: it is a free question, and the model cannot write.
        """
        asked = answerable(Question("question", question, parse_options(options)), self._setup.model)
        setup, clock = self._setup, Clock()
        subject = load_subject(setup, image, as_pictures(references), clock)
        known = look_up(setup, subject.image, category, question, clock)
        difference = compare(setup, subject, clock)
        scene = set_scene(setup, subject, known, difference, clock)
        case = Case(setup, subject, known, difference, scene, closer_looks(subject, scene, difference), clock)
        decision = as_asked(decide(case, asked), question)
        return Reply(
            image=described(case.subject.image),
            method=self.config.method,
            seed=self.config.seed,
            answer=decision.answer,
            weighed=decision.weighed,
            advice=_advice(asked, case),
            evidence=gather(case, (decision,)),
            timings_ms=case.clock.read(),
            versions=self.versions(),
        )

    def _unasked(
        self, subject: Subject, category: CategoryEvidence, verdict: Verdict, reason: str, clock: Clock
    ) -> Inspection:
        """The result where nothing can be compared. No model was asked."""
        threshold = self.config.threshold if self._point is None else self._point.threshold
        return Inspection(
            image=described(subject.image),
            verdict=verdict,
            probability=threshold,
            threshold=threshold,
            operating_point=self._point,
            method=self.config.method,
            seed=self.config.seed,
            unjudged=reason if verdict == "unjudged" else None,
            caution=SAME if verdict == "review" else None,
            explanation=f"{reason} {LOOK_AGAIN if verdict == 'unjudged' else OTHER_GOOD_PART}",
            evidence=Evidence(category=category, references=references_of(subject)),
            timings_ms=clock.read(),
            versions=self.versions(),
        )

    def _verdict(self, probability: float) -> Verdict:
        """What becomes of a probability of a defect."""
        if self._point is not None:
            return self._point.verdict(probability)
        return "defect" if probability >= self.config.threshold else "pass"

    def _inspection(
        self,
        case: Case,
        verdict: Verdict,
        whether: Decision,
        defect: Defect | None,
        explanation: Explanation,
        further: tuple[Decision, ...],
    ) -> Inspection:
        """The result of all steps."""
        found = () if defect is None else defect.decisions
        kind = None if defect is None else defect.kind
        evidence = gather(case, (whether, *found, explanation.decision, *further))
        return Inspection(
            image=described(case.subject.image),
            verdict=verdict,
            probability=whether.answer.probabilities["A"],
            threshold=self.config.threshold if self._point is None else self._point.threshold,
            operating_point=self._point,
            method=self.config.method,
            seed=self.config.seed,
            caution=None if any(each.used for each in evidence.references) else ALONE,
            defect_type=None if kind is None else kind.name,
            severity=None if kind is None else kind.severity,
            region=None if defect is None else defect.region,
            findings=() if defect is None else defect.findings,
            claims=None if defect is None else defect.claims,
            explanation=explanation.text,
            evidence=evidence,
            timings_ms=case.clock.read(),
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
            model=self._setup.version,
            knowledge_sha256=self._setup.knowledge_sha256,
            config_sha256=self.config.sha256(),
        )


def _advice(asked: Question, case: Case) -> str | None:
    """What to know of the good parts that were given; None where there is nothing to say."""
    if case.subject.good.only_itself:
        return f"{SAME} {OTHER_GOOD_PART}"
    return advice(asked) if asked.intent is None and case.difference is not None else None
