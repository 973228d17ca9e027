"""What the model is asked about a part of a known kind, and what it says (METHOD section 5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.expert.judging import anomaly_map, findings_of, judged_as, region_of
from reason_iad.images import load_image
from reason_iad.inspection.answerable import answerable, ask_further
from reason_iad.inspection.by_example import Reading, measured_claims, type_claim, with_types
from reason_iad.inspection.clock import Clock
from reason_iad.inspection.deciding import Case, ask, decide
from reason_iad.inspection.explaining import explain
from reason_iad.inspection.findings import Defect
from reason_iad.inspection.jointly import Ruling, ask_whether, doubtful, rule
from reason_iad.inspection.lookup import look_up
from reason_iad.inspection.questions import Question, detection_question, further_question, type_question
from reason_iad.inspection.scenes import closer_looks, set_scene
from reason_iad.inspection.subject import load_subject
from reason_iad.schema.names import name_key

if TYPE_CHECKING:
    from reason_iad.expert.joint import Joint, ModelSays
    from reason_iad.expert.judging import Judgement
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.images import LoadedImage
    from reason_iad.inspection.deciding import Decision
    from reason_iad.inspection.inspector import Inspector


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


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks the model about parts of one kind. Threads may share it.

    Attributes:
        kind: what was learnt of the good images, and the limits.
        inspector: has the model.
        joint: how comparison and model are weighed; None: the comparison decides alone.
        always: ask the model whether there is a defect, also where the comparison is certain.
        category: of the knowledge; None: the name of the product, if the knowledge has it.
    """

    kind: PartKind
    inspector: Inspector
    joint: Joint | None
    always: bool
    category: str | None

    def ask(
        self,
        image: LoadedImage,
        judgement: Judgement,
        category: str | None,
        question: str | Question | None,
        clock: Clock,
    ) -> Told:
        """Ask about a part.

        Args:
            image: the picture.
            judgement: what the expert says of it.
            category: of the knowledge; None: as for all parts.
            question: a further question; None: there is none.
            clock: counts the phases.
        """
        extra = further_question(question)
        extra = None if extra is None else answerable(extra, self.inspector.backbone)
        case = self._case(image, judgement, category, extra.text if extra else "", clock, ())
        return self._told(case, judgement, extra)

    def says(self, image: LoadedImage, judgement: Judgement, without: Collection[str]) -> ModelSays:
        """What the model says of there being a defect, without these good images, by hash, beside the picture."""
        return ask_whether(self._case(image, judgement, None, "", Clock(), without)).says

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
        setup = self.inspector.setup
        good = [] if judgement.template is None else [judgement.template]
        if not good:
            alike = self._most_alike(judgement, setup.config.max_references, {*without, image.sha256})
            good = [load_image(path, white=self.kind.white) for path in alike]
        subject = load_subject(setup, image, good, clock)
        known = look_up(setup, image, category or self.category or self._name_in(setup.knowledge), text, clock)
        difference = anomaly_map(judgement.kind, judgement.seen)
        scene = set_scene(setup, subject, known, difference, clock)
        return Case(setup, subject, known, difference, scene, closer_looks(subject, scene, difference), clock)

    def _told(self, case: Case, judgement: Judgement, extra: Question | None) -> Told:
        """Ask the model whether it sees a defect, if that is in doubt; which one, and why."""
        ruling: Ruling | None = None
        whether: tuple[Decision, ...] = ()
        if self.joint is not None and doubtful(self.joint, judgement.seen.score):
            ruling = rule(self.joint, judgement.seen.score, case)
            judgement = judged_as(judgement, ruling.verdict, case.subject.image)
            whether = (ruling.decision,)
        elif self.always or judgement.verdict == "review":
            whether = (ask(case, detection_question()),)
        defect = self._defect(case, judgement)
        explanation = explain(case, judgement.verdict, defect, judgement.change)
        further = () if extra is None else (ask_further(case, extra),)
        found = () if defect is None else defect.decisions
        decisions = (*whether, *found, explanation.decision, *further)
        return Told(case, decisions, defect, explanation.text, ruling)

    def _defect(self, case: Case, judgement: Judgement) -> Defect | None:
        """The places are the expert's, the type is by example or the model's reading of the knowledge."""
        findings = findings_of(self.kind, judgement.marked, case.subject.image)
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
        expert = self.kind.expert
        members = expert.levels[0].bank.members
        numbers = expert.likeness.most_alike(judgement.seen.whole, min(most + len(without), len(members)))
        named = (members[number].sha256 for number in numbers if number < len(members))
        found = (self.kind.good.get(sha256) for sha256 in named if sha256 not in without)
        return [path for path in found if path is not None][:most]

    def _name_in(self, knowledge: object) -> str | None:
        """The product's name, if the knowledge has a category of that name."""
        categories: Callable[[], Sequence[str]] | None = getattr(knowledge, "categories", None)
        names = [] if categories is None else list(categories())
        if self.kind.name in names:
            return self.kind.name
        return names[0] if len(names) == 1 else None
