"""Every default of the method, once, with where it comes from.

Sources: [paper] Reason-IAD, arXiv 2602.09850; [LTPO] Ye et al., ICLR 2026; [DMLR] Liu et al., arXiv 2512.12623;
[ours] a choice of this project, switchable back to the papers' variant. This module imports neither torch nor
transformers, so that options can be checked before anything heavy is loaded.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from reason_iad.errors import ConfigError, given_type

Estimator = Literal["score", "gradient"]
AttentionCorrection = Literal["none", "neutral"]
Orders = Literal["given", "cyclic"]
"""In which orders the options of one question are read."""
OptionOrders = Literal["given", "types", "cyclic"]
"""In which questions all rotations are read: in none, in the one for the type, in all."""


@dataclass(frozen=True, slots=True)
class ReasoningConfig:
    """Test-time optimisation of the latent think tokens and the injection of image patches.

    Attributes:
        latents: number of think tokens; 1 to 64.
        steps: steps of the optimisation; 0 to 1000.
        candidates: candidates per step; 1 to 4096.
        antithetic: whether candidates come in pairs of opposite noise; then their number is even.
        leave_one_out: whether each candidate is compared with the mean reward of the others; from 2 candidates.
        sigma: standard deviation of the noise, relative to the root mean square of the token embeddings; above 0.
        sigma_decay: factor of `sigma` from one step to the next; in (0, 1].
        learning_rate: step size, relative to the mean square of the token embeddings; from 0.
        estimator: 'score' needs forward passes only, 'gradient' goes back through the suffix.
        top_k: number of tokens in the truncated entropy; from 2.
        latent_weight: weight of the confidence at the think tokens in the reward; from 0.
        answer_weight: weight of the confidence at the answer; from 0, and not 0 together with `latent_weight`.
        stability_weight: weight of the stability reward; from 0.
        reward_threshold: stop when the reward reaches it; None: never.
        patience: stop after so many steps without a better reward, from 1; None: never.
        budget_ms: stop after so many milliseconds, above 0, with the best state so far; None: never.
        inject: whether image patches are put between the think tokens.
        patches_per_step: patches that each step may add; from 1.
        max_patches: patches per think token at most; from 0.
        attention_layers: decoder layers whose attention chooses the patches; None: the upper half.
        attention_heads: heads of those layers; None: all.
        attention_correction: 'neutral' divides by the attention under a neutral question, 'none' does not.
        map_prior: whether the attention is multiplied with the calibrated map of the defect expert.

    Raises:
        ConfigError: a value is out of its range.
    """

    latents: int = 4  # L [paper]
    steps: int = 10  # S [paper]
    candidates: int = 4  # N; [ours] pairs on one shared prefix. Papers: 1
    antithetic: bool = True  # (+eps, -eps) [ours]
    leave_one_out: bool = True  # baseline b [ours]; papers: b = 0
    sigma: float = 0.1  # relative to the RMS of the token embeddings, so that it means the same on every model
    sigma_decay: float = 0.95  # per step [LTPO]
    learning_rate: float = 0.05  # eta, relative to the RMS squared (see estimators.py) [ours]
    estimator: Estimator = "score"  # [paper]; "gradient" backpropagates through the suffix
    top_k: int = 10  # k of the truncated entropy [paper]
    latent_weight: float = 1.0  # weight of the confidence at the latent positions [paper]
    answer_weight: float = 1.0  # weight of the confidence at the answer position [ours]; papers: 0
    stability_weight: float = 0.5  # weight of the stability reward [ours]; papers: 0
    reward_threshold: float | None = 0.98  # stop early at this reward [LTPO]; None: never
    patience: int | None = 4  # stop after so many steps without a better reward [ours]; None: never
    budget_ms: float | None = None  # stop after so much wall-clock time, at the best state so far [ours]
    inject: bool = True  # dynamic visual injection [paper]
    patches_per_step: int = 2  # m [paper]
    max_patches: int = 16  # per latent position [paper]
    attention_layers: tuple[int, ...] | None = None  # which decoder layers; None: the upper half [ours]
    attention_heads: tuple[int, ...] | None = None  # which heads of those layers; None: all [paper]
    attention_correction: AttentionCorrection = "neutral"  # against attention sinks [ours]; papers: "none"
    map_prior: bool = True  # attention times the expert's calibrated map [ours]; papers: off

    def __post_init__(self) -> None:
        _check_types(self)
        checks = {
            "latents must be between 1 and 64": 1 <= self.latents <= 64,
            "steps must be between 0 and 1000": 0 <= self.steps <= 1000,
            "candidates must be between 1 and 4096": 1 <= self.candidates <= 4096,
            "candidates must be even when antithetic is on": not self.antithetic or self.candidates % 2 == 0,
            "candidates must be at least 2 when leave_one_out is on": not self.leave_one_out
            or self.candidates >= 2,
            "sigma must be above 0 and finite": self.sigma > 0 and math.isfinite(self.sigma),
            "sigma_decay must be in (0, 1]": 0 < self.sigma_decay <= 1,
            "learning_rate must be finite and not negative": self.learning_rate >= 0
            and math.isfinite(self.learning_rate),
            "reward_threshold must be finite": math.isfinite(self.reward_threshold or 0),
            "attention_layers and attention_heads must not be empty": self.attention_layers != ()
            and self.attention_heads != (),
            "estimator must be 'score' or 'gradient'": self.estimator in ("score", "gradient"),
            "top_k must be at least 2": self.top_k >= 2,
            "latent_weight and answer_weight must not be negative, nor both 0": min(
                self.latent_weight, self.answer_weight
            )
            >= 0
            and self.latent_weight + self.answer_weight > 0,
            "stability_weight must not be negative": self.stability_weight >= 0,
            "patches_per_step must be at least 1": self.patches_per_step >= 1,
            "max_patches must not be negative": self.max_patches >= 0,
            "budget_ms must be above 0": self.budget_ms is None or self.budget_ms > 0,
            "patience must be at least 1": self.patience is None or self.patience >= 1,
            "attention_correction must be 'none' or 'neutral'": self.attention_correction in ("none", "neutral"),
        }
        for message, holds in checks.items():
            if not holds:
                raise ConfigError(f"Reasoning option out of range: {message}.")


_WORDS = {
    bool: "True or False",
    int: "a whole number (int)",
    float: "a number (int or float)",
    str: "text",
    type(None): "None",
}


def _check_types(config: ReasoningConfig | InspectorConfig) -> None:
    """Refuse a value of another type than its field has.

    Raises:
        ConfigError: there is one.
    """
    own: Any = type(config)
    for name, kinds in _field_kinds(own).items():
        value = getattr(config, name)
        if not any(_is(value, kind) for kind in kinds):
            words = " or ".join(_words(kind) for kind in kinds)
            raise ConfigError(f"{name} is given as {given_type(value)}; it must be {words}.")


@cache
def _field_kinds(config: Any) -> dict[str, tuple[Any, ...]]:
    return {name: _kinds(hint) for name, hint in get_type_hints(config).items()}


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The types that a field may have."""
    if get_origin(hint) is Literal:
        return (str,)
    plain = isinstance(hint, type) or get_origin(hint) is tuple
    return (hint,) if plain else get_args(hint)


def _is(value: object, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is(each, get_args(kind)[0]) for each in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _words(kind: Any) -> str:
    return "a tuple of whole numbers" if get_origin(kind) is tuple else _WORDS.get(kind, f"a {kind.__name__}")


def suffix_positions(reasoning: ReasoningConfig | None) -> int:
    """Most positions that the think tokens of a configuration take, with the patches injected after them.

    Args:
        reasoning: None: no think tokens, so 0.

    Returns:
        L * (1 + patches), where a latent gets at most `max_patches`, and at most `patches_per_step` per step.
    """
    if reasoning is None:
        return 0
    most = min(reasoning.max_patches, reasoning.steps * reasoning.patches_per_step) if reasoning.inject else 0
    return reasoning.latents * (1 + most)


@dataclass(frozen=True, slots=True)
class Method:
    """A named way to answer, on the same weights and the same prompt."""

    name: str
    knowledge: bool
    chain_of_thought: bool = False
    reasoning: ReasoningConfig | None = None


_PAPERS = ReasoningConfig(
    candidates=1, antithetic=False, leave_one_out=False, answer_weight=0.0, stability_weight=0.0,
    attention_correction="none", map_prior=False, patience=None,
)  # fmt: skip

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("direct", knowledge=False),
        Method("cot", knowledge=False, chain_of_thought=True),
        Method("knowledge", knowledge=True),
        Method("latent", knowledge=True, reasoning=ReasoningConfig(inject=False)),
        Method("full", knowledge=True, reasoning=ReasoningConfig()),
        # The papers' own settings, for comparison.
        Method("ltpo", knowledge=False, reasoning=replace(_PAPERS, inject=False)),
        Method("dmlr", knowledge=False, reasoning=_PAPERS),
        Method("paper", knowledge=True, reasoning=_PAPERS),
    )
}
"""Each row adds one thing to a row above it: knowledge, then latent reasoning, then injection ('full')."""

_FULL = ReasoningConfig()
ABLATIONS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("full-stability", knowledge=True, reasoning=replace(_FULL, stability_weight=0.0)),
        Method("full-antithetic", knowledge=True, reasoning=replace(_FULL, antithetic=False)),
        Method("full-correction", knowledge=True, reasoning=replace(_FULL, attention_correction="none")),
        Method("full-prior", knowledge=True, reasoning=replace(_FULL, map_prior=False)),
        Method("full-answer", knowledge=True, reasoning=replace(_FULL, answer_weight=0.0)),
    )
}
"""'full' minus one of our parts each, for `bench run`; minus injection it is called 'latent'."""

PRESETS: dict[str, Method] = METHODS | ABLATIONS
"""Everything that `InspectorConfig.method` may name."""


@dataclass(frozen=True, slots=True)
class InspectorConfig:
    """Everything around the reasoning loop.

    Attributes:
        method: one of `METHODS`, or one of `ABLATIONS`.
        threshold: the verdict is 'defect' at this probability or above it; in (0, 1].
        seed: of the noise.
        knowledge_share: share of the model's context window that knowledge may fill; in (0, 1).
        knowledge_entries: at most so many entries of the knowledge are in one prompt; from 0.
        max_references: so many references are shown to the model; from 0.
        map_references: with so many references the part is compared; from 1.
        category_score: cosine similarity from which a category of the gallery is accepted.
        category_margin: by how much its similarity must lead over the next category.
        explanation_tokens: longest explanation, in tokens; from 1.
        thought_tokens: longest chain of thought, in tokens; from 1. Only the method 'cot' writes one.
        align: whether references are moved to lie as the part lies.
        check_picture: whether a picture that does not look like the references at all gets no verdict: it cannot be
            judged, and no model is asked.
        fuse: whether the difference from the references counts in the verdict, where the model has weights for it.
        option_orders: in which questions the options are read in all their rotations: in none ('given'), in the
            one for the defect type ('types'), or in all ('cyclic').
        detector: registered detector that compares with the references; None: the built-in comparison. It sees the
            references as they are, whatever `align` says.
        encoder: makes the features that are compared: the name of a registered encoder, or the directory of a
            vision model. The weights that a model has for the verdict were fitted with its own tower.
        reasoning: replaces the settings of the method's think tokens; None keeps them.
        white: the value that is white in pictures with more than 8 bits, above 0; None: what their files say, or
            what all pictures that are compared look like together.

    Raises:
        ConfigError: a value is out of its range.
    """

    method: str = "full"
    threshold: float = 0.5  # verdict 'defect' at or above this probability
    seed: int = 0
    knowledge_share: float = 0.5  # share of the context window that retrieved knowledge may fill [ours]
    knowledge_entries: int = 8  # at most so many entries in one prompt [ours]
    max_references: int = 1  # references shown to the model (MMAD one-shot)
    map_references: int = 8  # references that calibrate the map: time and memory do not grow with more [ours]
    category_score: float = 0.5  # least cosine to accept a category from the gallery [ours]
    category_margin: float = 0.02  # least lead over the next category [ours]
    explanation_tokens: int = 96
    thought_tokens: int = 128  # chain of thought ('cot')
    align: bool = True  # lay references as the part lies, where that makes both agree [ours]; benchmarks: off
    check_picture: bool = True  # never pass what shows something else than the references [ours]
    fuse: bool = True  # look again and weigh what differs, where the model has weights for it [ours]
    option_orders: OptionOrders = "types"  # the mean over all rotations: only of type names [ours]; papers: given
    detector: str | None = None  # compares with good parts in place of the built-in comparison
    encoder: str = "tower"  # makes the feature maps that are compared
    reasoning: ReasoningConfig | None = field(default=None)  # overrides the method's own
    white: float | None = None  # of pictures with more than 8 bits

    def __post_init__(self) -> None:
        _check_types(self)
        if self.method not in PRESETS:
            raise ConfigError(f"Unknown method '{self.method}'; choose one of: {', '.join(METHODS)}.")
        if not 0 < self.threshold <= 1:
            raise ConfigError(f"threshold is {self.threshold}; it must be above 0 and at most 1.")
        at_least = {"max_references": 0, "map_references": 1, "knowledge_entries": 0, "explanation_tokens": 1,
                    "thought_tokens": 1}  # fmt: skip
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if self.option_orders not in get_args(OptionOrders):
            raise ConfigError(f"option_orders is '{self.option_orders}'; choose 'given', 'types' or 'cyclic'.")
        for name in ("category_score", "category_margin"):
            if not math.isfinite(getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be a finite number.")
        if self.white is not None and not 0 < self.white < math.inf:
            raise ConfigError(f"white is {self.white}; it must be a number above 0, for example 4095.")
        if not 0 < self.knowledge_share < 1:
            raise ConfigError(f"knowledge_share is {self.knowledge_share}; it must be between 0 and 1.")

    def reasoning_config(self) -> ReasoningConfig | None:
        """The reasoning configuration in force: the explicit one, else the method's."""
        preset = PRESETS[self.method].reasoning
        return self.reasoning if self.reasoning is not None and preset is not None else preset

    def sha256(self) -> str:
        """Hash of the configuration in force, stable across processes.

        Without the threshold: it changes nothing but the verdict, and every result names it.
        """
        effective = asdict(self) | {"reasoning": asdict(r) if (r := self.reasoning_config()) else None}
        del effective["threshold"]
        for name, built_in in (("detector", None), ("encoder", "tower"), ("check_picture", True), ("white", None)):
            if effective[name] == built_in:  # as before there was a choice, so that older results can be continued
                del effective[name]
        return hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest()
