"""One inspection of a part of a known kind: the expert decides, the model explains (METHOD section 5).

    inspector = PartInspector(kind, model=lambda: Inspector.from_pretrained("nano"))
    inspection = inspector.inspect("part.png")

The expert says whether the picture can be judged at all, and by its limits what becomes of it. A model that was
fitted to the product has a say in doubtful parts (`expert/joint.py`). Any model is asked for type and explanation
of defects (the cascade); it is loaded when it is first needed. Without a model, the expert says what it can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
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
from reason_iad.inspection.answerable import answerable, ask_further
from reason_iad.inspection.by_example import Reading, measured_claims, said_of_type, type_claim, with_types
from reason_iad.inspection.clock import Clock
from reason_iad.inspection.deciding import Case, ask, decide
from reason_iad.inspection.evidence import gather
from reason_iad.inspection.explaining import explain
from reason_iad.inspection.findings import Defect
from reason_iad.inspection.fixed import Fixed
from reason_iad.inspection.jointly import Ruling, Watch, ask_whether, rule, with_joint, with_product
from reason_iad.inspection.lookup import look_up
from reason_iad.inspection.questions import Question, detection_question, further_question, type_question
from reason_iad.inspection.saying import explanation_alone
from reason_iad.inspection.scenes import closer_looks, set_scene
from reason_iad.inspection.subject import load_subject
from reason_iad.inspection.versions_of import versions_of
from reason_iad.schema import (
    CategoryEvidence,
    Evidence,
    Finding,
    Inspection,
    MapEvidence,
    ProductEvidence,
)
from reason_iad.schema.names import name_key
from reason_iad.schema.verdict import SAME

if TYPE_CHECKING:
    from reason_iad.expert.joint import Joint, ModelSays
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.images import LoadedImage
    from reason_iad.inspection.deciding import Decision
    from reason_iad.inspection.inspector import Inspector

ALONE = "detect"
"""Name of the method in which no language model is asked."""
THRESHOLD = 0.5
"""The probability at the limit: `judging.probability_of` puts it there."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the model said of a part.

    Attributes:
        case: what it saw.
        decisions: the questions that it was asked.
        defect: type and places; None for a pass.
        explanation: for people.
        ruling: what comparison and model decided together; None if the comparison decided.
    """

    case: Case
    decisions: tuple[Decision, ...]
    defect: Defect | None
    explanation: str
    ruling: Ruling | None


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
        self._opened: Inspector | None = None

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
            loaded = load_image(image, white=self._kind.white)
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
        case = self._case(image, judgement, self._category, "", Clock(), without)
        return ask_whether(case).says

    def _judged(self, image: LoadedImage, template: LoadedImage | None) -> Judgement:
        """What the comparison says; where a model has a say, by the limits of the cascade."""
        judgement = judge(self._kind, image, template)
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
        if self._open is None or not compared or not (asked or self._doubtful(judgement)):
            return self._alone(image, judgement, clock)
        extra = further_question(question)
        extra = None if extra is None else answerable(extra, self._model().backbone)
        known_by, text = category or self._category, extra.text if extra else ""
        case = self._case(image, judgement, known_by, text, clock, ())
        told = self._told(case, judgement, extra)
        if told.ruling is not None:
            judgement = judged_as(judgement, told.ruling.verdict, image)
        return self._explained(image, judgement, told, clock)

    def _doubtful(self, judgement: Judgement) -> bool:
        """Whether a fitted model has a say."""
        return self._joint is not None and self._joint.cascade.certain(judgement.seen.score) is None

    def _model(self) -> Inspector:
        """The inspector with the model, opened once."""
        assert self._open is not None, "checked by the caller"
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _case(
        self,
        image: LoadedImage,
        judgement: Judgement,
        category: str | None,
        text: str,
        clock: Clock,
        without: Collection[str],
    ) -> Case:
        """Everything there is about a picture before the model is asked."""
        setup = self._model().setup
        good = [] if judgement.template is None else [judgement.template]
        if not good:
            alike = self._most_alike(judgement, setup.config.max_references, {*without, image.sha256})
            good = [load_image(path, white=self._kind.white) for path in alike]
        subject = load_subject(setup, image, good, clock)
        known = look_up(setup, image, category or self._name_in(setup.knowledge), text, clock)
        difference = anomaly_map(judgement.kind, judgement.seen)
        scene = set_scene(setup, subject, known, difference, clock)
        return Case(setup, subject, known, difference, scene, closer_looks(subject, scene, difference), clock)

    def _told(self, case: Case, judgement: Judgement, extra: Question | None) -> Told:
        """Ask the model whether it sees a defect, if that is in doubt; which one, and why."""
        doubtful = self._doubtful(judgement)
        ruling: Ruling | None = None
        whether: tuple[Decision, ...] = ()
        if doubtful and self._joint is not None:
            ruling = rule(self._joint, judgement.seen.score, case)
            judgement = judged_as(judgement, ruling.verdict, case.subject.image)
            whether = (ruling.decision,)
        elif self._always or judgement.verdict == "review":
            whether = (ask(case, detection_question()),)
        defect = self._defect(case, judgement)
        explanation = explain(case, judgement.verdict, defect)
        further = () if extra is None else (ask_further(case, extra),)
        found = () if defect is None else defect.decisions
        decisions = (*whether, *found, explanation.decision, *further)
        return Told(case, decisions, defect, explanation.text, ruling)

    def _defect(self, case: Case, judgement: Judgement) -> Defect | None:
        """The places are the expert's, the type is by example or the model's reading of the knowledge."""
        findings = findings_of(self._kind, judgement.marked, case.subject.image)
        region, alike = region_of(findings), judgement.alike.defects
        if judgement.verdict == "pass" or region is None:
            return None
        kinds = case.known.asked
        typed = None if len(kinds) < 2 else decide(case, type_question([entry.name for entry in kinds]))
        read = Reading(kinds[0].name, None) if kinds else None
        if typed is not None:
            read = Reading(typed.answer.text, typed.answer.probabilities.get(str(typed.answer.choice)))
        findings = with_types(findings, alike, read)
        name = name_key(findings[0].type or "")
        kind = next((entry for entry in case.known.defects if name_key(entry.name) == name), None)
        claims = (*type_claim(alike, read), *measured_claims(findings[0]))
        return Defect(kind, region, findings, claims, () if typed is None else (typed,), read)

    def _most_alike(self, judgement: Judgement, most: int, without: Collection[str] = ()) -> list[Path]:
        """Files of the good images that look most like the part."""
        expert = self._kind.expert
        members = expert.levels[0].bank.members
        numbers = expert.likeness.most_alike(judgement.seen.whole, min(most + len(without), len(members)))
        named = (members[number].sha256 for number in numbers if number < len(members))
        found = (self._kind.good.get(sha256) for sha256 in named if sha256 not in without)
        return [path for path in found if path is not None][:most]

    def _name_in(self, knowledge: object) -> str | None:
        """The product's name, if the knowledge has a category of that name."""
        categories: Callable[[], Sequence[str]] | None = getattr(knowledge, "categories", None)
        names = [] if categories is None else list(categories())
        if self._kind.name in names:
            return self._kind.name
        return names[0] if len(names) == 1 else None

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
