"""Whether a part is defective, by the comparison and the model together (METHOD section 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from reason_iad.errors import ModelError
from reason_iad.expert.joint import ModelSays
from reason_iad.expert.judging import finite, probability_at

if TYPE_CHECKING:
    from reason_iad.expert.joint import Joint
    from reason_iad.inspection.deciding import Case, Decision
    from reason_iad.inspection.setup import Setup
    from reason_iad.schema import Inspection, ProductEvidence, Verdict


class Watch(Protocol):
    """Is told of every part that can be judged."""

    def __call__(self, sha256: str, score: float, /) -> str | None:
        """Remember a score; returns what there is to say if the last parts differ from the good ones, else None."""
        ...


@dataclass(frozen=True, slots=True)
class Whether:
    """What the model says of there being a defect.

    Attributes:
        decision: its answers.
        says: how probable it finds one.
    """

    decision: Decision
    says: ModelSays


@dataclass(frozen=True, slots=True)
class Ruling:
    """What comparison and model decided together.

    Attributes:
        verdict: by the limits on the joint score.
        decision: the model's answers.
        probability: 0.5 at the limit.
        evidence: what to add to the evidence of the product.
    """

    verdict: Verdict
    decision: Decision
    probability: float
    evidence: dict[str, Any]


def ask_whether(case: Case) -> Whether:
    """Ask the model whether there is a defect: seeing the whole part, and closer at where most differs."""
    from reason_iad.inspection.answering import Scene
    from reason_iad.inspection.deciding import ask, ask_closer
    from reason_iad.inspection.questions import detection_question

    question = detection_question()
    own = ask(case, question)
    probability = own.answer.probabilities["A"]
    if case.difference is None or not isinstance(case.scene, Scene):
        return Whether(own, ModelSays(probability, None))
    near, look = ask_closer(case, question)
    decision = replace(own, looks=(*own.looks, near), box=look.box)
    return Whether(decision, ModelSays(probability, near.probabilities["A"]))


def doubtful(joint: Joint | None, score: float) -> bool:
    """Whether a fitted model has a say in a part of this score."""
    return joint is not None and joint.cascade.certain(score) is None


def rule(joint: Joint, score: float, case: Case) -> Ruling:
    """Ask the model about a part of which the comparison is not certain, and decide.

    Args:
        joint: the fitted model.
        score: of the comparison.
        case: the part.

    Raises:
        ModelError: the model, or the knowledge that it is shown, is not what was fitted.
    """
    if joint.prompted != prompted_by(case.setup):
        raise ModelError(
            f"'{joint.model}' or the knowledge that it is shown has changed since it was fitted to the product. "
            "Fit it again with: reason-iad product fit. Or leave it out with --model none."
        )
    whether = ask_whether(case)
    both, limits = joint.score(score, whether.says), joint.cascade.joint
    evidence: dict[str, Any] = {
        "score": round(both, 4),
        "pass_below": finite(limits.pass_below),
        "defect_from": finite(limits.defect_from),
        "comparison": round(score, 4),
        "model_probability": whether.says.probability,
        "closer_probability": whether.says.closer,
        "decided_by": "comparison and model",
    }
    return Ruling(limits.verdict(both), whether.decision, probability_at(both, limits), evidence)


def prompted_by(setup: Setup) -> str:
    """Hash of the model's weights and of the knowledge that it is shown: a fit holds for these alone."""
    return f"{setup.version.sha256} {setup.knowledge_sha256 or ''}"


def with_joint(evidence: ProductEvidence, joint: Joint | None, advice: str | None) -> ProductEvidence:
    """The evidence of a comparison, with the limits by which it decides alone where a model has a say, too.

    Args:
        evidence: of the comparison.
        joint: the fitted model; None if no model has a say.
        advice: why none has.
    """
    if joint is None:
        return evidence.model_copy(update={"advice": advice})
    cascade = joint.cascade
    update = {
        "pass_below": finite(cascade.pass_below),
        "defect_from": finite(cascade.defect_from),
        "promise": cascade.in_words(),
        "fit_sha256": joint.sha256,
    }
    return evidence.model_copy(update=update)


def with_product(result: Inspection, **update: object) -> Inspection:
    """The same result with more in its evidence of the product."""
    product = result.evidence.product
    assert product is not None, "results of a product have it"
    evidence = result.evidence.model_copy(update={"product": product.model_copy(update=update)})
    return result.model_copy(update={"evidence": evidence})
