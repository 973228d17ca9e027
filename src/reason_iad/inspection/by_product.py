"""One inspection of a part of a known kind: the expert decides, the model explains (METHOD section 5).

    inspector = PartInspector(kind, model=lambda: Inspector.from_pretrained("nano"))
    inspection = inspector.inspect("part.png")

The expert says whether the picture can be judged at all, and by its limits what becomes of it. A model that was
fitted to the product has a say in doubtful parts (`expert/joint.py`). Any model is asked for type and explanation
of defects (the cascade); it is loaded when it is first needed. Without a model, the expert says what it can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from reason_iad.config import InspectorConfig
from reason_iad.expert.good_parts import described
from reason_iad.expert.heat import as_heat
from reason_iad.expert.judging import (
    Judgement,
    anomaly_map,
    evidence_of,
    findings_of,
    judge,
    judged_as,
    probability_of,
    region_of,
)
from reason_iad.expert.normality.likeness import TEXTS
from reason_iad.images import Picture, load_image
from reason_iad.inspection.by_example import measured_claims, said_of_type, type_claim, with_types
from reason_iad.inspection.clock import Clock
from reason_iad.inspection.evidence import gather
from reason_iad.inspection.fixed import Fixed
from reason_iad.inspection.jointly import Watch, doubtful, with_joint, with_product
from reason_iad.inspection.saying import explanation_alone
from reason_iad.inspection.versions_of import versions_of
from reason_iad.schema import (
    CategoryEvidence,
    Evidence,
    Finding,
    Inspection,
    MapEvidence,
    ProductEvidence,
)
from reason_iad.schema.verdict import SAME

if TYPE_CHECKING:
    from reason_iad.expert.joint import Joint, ModelSays
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.images import LoadedImage
    from reason_iad.inspection.asking import Asking, Told
    from reason_iad.inspection.inspector import Inspector
    from reason_iad.inspection.questions import Question

ALONE = "detect"
"""Name of the method in which no language model is asked."""
THRESHOLD = 0.5
"""The probability at the limit: `judging.probability_of` puts it there."""


class PartInspector(Fixed):
    """Inspects parts of one kind. Threads may share it.

    Args:
        kind: what was learnt of the good images, and the limits.
        model: opens an inspector, when a model is first needed; None: no model is ever asked.
        always: ask the model about every part that can be judged, also where the expert is certain.
        category: of the knowledge; None: the name of the product, if the knowledge has it.
        config: of the model's inspector; what results say of the method.
        joint: how comparison and model are weighed; None: the comparison decides alone.
        advice: why it does, for results; None where there is nothing to say.
        watch: told of every part that can be judged.
    """

    __slots__ = (
        "_advice", "_always", "_category", "_config", "_joint", "_kind", "_lock", "_open", "_opened", "_watch",
    )  # fmt: skip
    INSTEAD = "The limits are those of the product: reason-iad product set."

    def __init__(
        self,
        kind: PartKind,
        model: Callable[[], Inspector] | None = None,
        *,
        always: bool = False,
        category: str | None = None,
        config: InspectorConfig | None = None,
        joint: Joint | None = None,
        advice: str | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._kind, self._open, self._always, self._category = kind, model, always, category
        self._joint, self._advice, self._watch = (None if model is None else joint), advice, watch
        self._config = config if config is not None else InspectorConfig()
        self._lock = Lock()
        self._opened: Asking | None = None

    @property
    def kind(self) -> PartKind:
        """What parts are judged by."""
        return self._kind

    @property
    def fit_sha256(self) -> str | None:
        """Hash of the numbers that weigh comparison and model; None if the comparison decides alone."""
        return None if self._joint is None else self._joint.sha256

    def inspect(
        self,
        image: Picture,
        *,
        references: Picture | Sequence[Picture] = (),
        category: str | None = None,
        question: str | Question | None = None,
        template: Picture | None = None,
    ) -> Inspection:
        """Inspect one image.

        Args:
            image: as in `Inspector.inspect`.
            references: not used: the product has its good images.
            category: of the knowledge; None: that of the inspector.
            question: a further question; it is asked only where a model is asked at all.
            template: of this part; None: that of all parts, if the product has one.

        Raises:
            ImageError: the image or the template cannot be used.
            ProductError: each part has its own template, and none is given; or one is given, and parts have none.
            KnowledgeError: the category is unknown.
            ModelError: the model is needed and cannot be loaded.
            PromptError: the prompt does not fit the model's window.
        """
        clock = Clock()
        with clock.phase("load"):
            loaded = load_image(image, white=self._kind.white).settled()  # good images have been given the same
            own = None if template is None else load_image(template, white=self._kind.white).lighter()
        with clock.phase("compare"):
            judgement = self._judged(loaded, own)
        drift = None
        if self._watch is not None and judgement.verdict != "unjudged" and judgement.left_out is None:
            drift = self._watch(loaded.sha256, judgement.seen.score)
        result = self._inspected(loaded, judgement, category, question, clock)
        return result if drift is None else with_product(result, drift=drift)

    def says(self, image: LoadedImage, judgement: Judgement, without: Collection[str] = ()) -> ModelSays:
        """What the model says of there being a defect; for fitting it.

        Args:
            image: the picture.
            judgement: what an expert says of it.
            without: hashes of good images that the model must not see beside it.
        """
        return self._asking().says(image, judgement, without)

    def _judged(self, image: LoadedImage, template: LoadedImage | None) -> Judgement:
        """What the comparison says; where a model has a say, by the limits of the cascade."""
        judgement = judge(self._kind, image, template=template)
        if self._joint is None or judgement.verdict == "unjudged" or judgement.nothing_compared:
            return judgement
        verdict = self._joint.cascade.certain(judgement.seen.score)
        return judgement if verdict is None else judged_as(judgement, verdict, image)

    def _inspected(
        self,
        image: LoadedImage,
        judgement: Judgement,
        category: str | None,
        question: str | Question | None,
        clock: Clock,
    ) -> Inspection:
        """The result; the model is asked where it has a say, and where there is something to explain."""
        asked = judgement.verdict in ("defect", "review") or self._always or question is not None
        compared = judgement.verdict != "unjudged" and not judgement.nothing_compared
        if self._open is None or not compared or not (asked or doubtful(self._joint, judgement.seen.score)):
            return self._alone(image, judgement, clock)
        told = self._asking().ask(image, judgement, category, question, clock)
        if told.ruling is not None:
            judgement = judged_as(judgement, told.ruling.verdict, image)
        return self._explained(image, judgement, told, clock)

    def _asking(self) -> Asking:
        """What asks the model, opened once. What it needs is imported now: without a model nobody waits for it."""
        assert self._open is not None, "checked by the caller"
        from reason_iad.inspection.asking import Asking

        with self._lock:
            if self._opened is None:
                self._opened = Asking(self._kind, self._open(), self._joint, self._always, self._category)
            return self._opened

    def _alone(self, image: LoadedImage, judgement: Judgement, clock: Clock) -> Inspection:
        """The result without a model."""
        alike = judgement.alike.defects
        findings = with_types(findings_of(self._kind, judgement.marked, image), alike, None)
        product = self._product(judgement)
        evidence = Evidence(
            category=CategoryEvidence(name=None, origin="unknown"),
            anomaly_map=self._map(judgement),
            product=product,
        )
        claims = None if not findings else (*type_claim(alike, None), *measured_claims(findings[0]))
        text = explanation_alone(self._kind, judgement, findings)
        text = " ".join(filter(None, (text, said_of_type(product.example, None))))
        return self._result(image, judgement, evidence, clock, findings).model_copy(
            update={"defect_type": _type_of(findings), "claims": claims, "explanation": text}
        )

    def _explained(self, image: LoadedImage, judgement: Judgement, told: Told, clock: Clock) -> Inspection:
        """The result with what the model said."""
        defect, setup = told.defect, told.case.setup
        ruling = {} if told.ruling is None else told.ruling.evidence
        product = self._product(judgement).model_copy(update={"model_asked": True, **ruling})
        evidence = gather(told.case, told.decisions).model_copy(update={"product": product})
        findings = () if defect is None else defect.findings
        result = self._result(image, judgement, evidence, clock, findings)
        if told.ruling is not None:
            result = result.model_copy(update={"probability": told.ruling.probability})
        kind = None if defect is None else defect.kind
        read = None if defect is None or defect.read is None else defect.read.type
        by_example = "" if defect is None else said_of_type(product.example, read)
        return result.model_copy(
            update={
                "defect_type": _type_of(findings),
                "severity": None if kind is None else kind.severity,
                "claims": None if defect is None else defect.claims,
                "explanation": " ".join(filter(None, (told.explanation, by_example))),
                "versions": versions_of(self._kind, self._config, setup.version, setup.knowledge_sha256),
            }
        )

    def _result(
        self,
        image: LoadedImage,
        judgement: Judgement,
        evidence: Evidence,
        clock: Clock,
        findings: tuple[Finding, ...],
    ) -> Inspection:
        reason, verdict, unknown = judgement.seen.likeness.reason, judgement.verdict, judgement.nothing_compared
        return Inspection(
            image=described(image),
            verdict=verdict,
            probability=THRESHOLD if unknown else probability_of(self._kind, judgement.seen.score),
            threshold=THRESHOLD,
            unjudged=None if reason is None or verdict != "unjudged" else TEXTS[reason],
            caution=SAME if unknown else None,
            method=ALONE if self._open is None else self._config.method,
            seed=self._config.seed,
            region=region_of(findings),
            findings=findings,
            evidence=evidence,
            timings_ms=clock.read(),
            versions=versions_of(self._kind, self._config),
        )

    def _product(self, judgement: Judgement) -> ProductEvidence:
        advice = None if self._open is None else self._advice
        return with_joint(evidence_of(judgement), self._joint, advice)

    def _map(self, judgement: Judgement) -> MapEvidence:
        difference = anomaly_map(judgement.kind, judgement.seen)
        return MapEvidence(
            **as_heat(difference.values, digits=4).model_dump(),
            gate_passed=difference.gate_passed,
            calibrated_on=difference.calibrated_on,
        )


def _type_of(findings: tuple[Finding, ...]) -> str | None:
    return findings[0].type if findings else None
