"""One inspection, top to bottom: retrieve, prompt, reason, answer, report (METHOD section 1).

    inspector = Inspector.from_pretrained("nano")
    inspection = inspector.inspect("part.png", references=["good.png"], category="pcb")

Each step below is one call into one room; what moves between them is named in `schema.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reason_iad.backbones.base import ChatModel
from reason_iad.backbones.chat_use import TIMEOUT, check_abilities, check_use, is_api
from reason_iad.config import InspectorConfig
from reason_iad.inspection.examination import Examination
from reason_iad.inspection.galleries import open_gallery
from reason_iad.inspection.prompts import explanation_opening, only_suspected
from reason_iad.inspection.questions import Question, explanation_question, parse_options
from reason_iad.inspection.workbench import Workbench
from reason_iad.schema import (
    Claim,
    Inspection,
    Reply,
    Versions,
)
from reason_iad.schema.verdict import OperatingPoint, Verdict

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad.knowledge import Gallery, KnowledgeStore


class Inspector:
    """Inspects images with a frozen multimodal LLM, knowledge and normal references.

    Keeps what it computed from references between calls; use one inspector per thread.

    Attributes:
        backbone: the frozen model; behind an API, a `ChatModel`.
        knowledge: the knowledge store, or None.
        config: the configuration in force.
        fusion: how both looks and what differs are weighed, or None.
        operating_point: thresholds set by known parts, which take the place of `config.threshold`; None at first.

    Raises:
        ModelError: the model is behind an API, and the method or a gallery takes more than text and images.
    """

    def __init__(
        self,
        backbone: Backbone | ChatModel,
        knowledge: KnowledgeStore | None = None,
        config: InspectorConfig | None = None,
        gallery: Gallery | None = None,
    ) -> None:
        self.backbone, self.knowledge = backbone, knowledge
        self.config = config if config is not None else InspectorConfig()
        if isinstance(backbone, ChatModel):
            check_abilities(self.config.method, gallery is not None)
        self._bench = Workbench(backbone, knowledge, self.config, gallery)
        self.fusion = self._bench.fusion
        self.operating_point: OperatingPoint | None = None

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
        base_url: str | None = None,
        timeout: float = TIMEOUT,
        compile_steps: bool = False,
    ) -> Inspector:
        """Load a model and open the knowledge.

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
            compile_steps: compile the steps of the loop, for services that meet the same shapes again and again.

        Raises:
            ModelError: the model cannot be loaded or compiled, or cannot do what the method needs.
            KnowledgeError: the knowledge or the gallery cannot be opened.
            ConfigError: an option is out of its range.
            MissingExtraError: an API is asked for without the extra 'api'.
        """
        from reason_iad.backbones import load_backbone
        from reason_iad.knowledge import open_knowledge

        method = (config or InspectorConfig()).method
        check_use(model, base_url=base_url, timeout=timeout, method=method, gallery=gallery is not None)
        if is_api(model):
            from reason_iad.backbones.chat_api import load_chat_model

            return cls(load_chat_model(model, base_url, timeout), open_knowledge(knowledge), config)
        store = open_knowledge(knowledge)
        backbone = load_backbone(model, device=device, dtype=dtype, compile_steps=compile_steps)
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
            question: a further question, answered beside the standard ones by the model alone (key 'question').

        Raises:
            ImageError: an image cannot be used.
            KnowledgeError: the category is unknown.
            PromptError: the prompt does not fit the model's window.
        """
        extra = Question("question", question) if isinstance(question, str) else question
        look = Examination(self._bench, image, references, category, about=extra.text if extra else "")
        probability = look.defect_probability()
        point = self.operating_point
        threshold = self.config.threshold if point is None else point.threshold
        verdict: Verdict = "defect" if probability >= threshold else "pass"
        if point is not None:
            verdict = point.verdict(probability)
        known = look.known_defects()
        kind, region = None, None
        claims: tuple[Claim, ...] | None = None
        if verdict != "pass":
            kind = look.defect_type(known)
            region = look.region()
            claims = look.claims(kind, region)
        opening = explanation_opening(verdict != "pass", claims or (), types_known=bool(known))
        explanation = look.ask(explanation_question(opening)).text
        if verdict == "review":
            explanation = only_suspected(explanation)
        if extra is not None:
            look.ask(extra)
        return Inspection(
            image=look.input_image(),
            verdict=verdict,
            probability=probability,
            threshold=threshold,
            operating_point=point,
            method=self.config.method,
            seed=self.config.seed,
            defect_type=None if kind is None else kind.name,
            severity=None if kind is None else kind.severity,
            region=region,
            claims=claims,
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

        Where it plainly asks whether there is a defect, or which, where or how large it is (`plain_questions.py`),
        with options to choose from and references, the answer is weighed as in `inspect`.

        Args:
            image: path, PIL image or array.
            question: the question.
            options: answers to choose from, 'A) yes' or 'yes'; none: the answer is generated text.
            references, category: as in `inspect`.

        Raises:
            ImageError, KnowledgeError, PromptError: as in `inspect`.
        """
        asked = Question("question", question, parse_options(options))
        look = Examination(self._bench, image, references, category, about=question)
        answer, weighed = look.ask_freely(asked)
        return Reply(
            image=look.input_image(),
            method=self.config.method,
            seed=self.config.seed,
            answer=answer,
            weighed=weighed,
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
            fusion_sha256=self._bench.fusion_sha256,
            knowledge_sha256=self._bench.knowledge_sha256,
            config_sha256=self.config.sha256(),
        )
