"""Every default of the method stands in config.py; what is out of range is refused when it is built."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from reason_iad.config import ABLATIONS, METHODS, InspectorConfig, ReasoningConfig
from reason_iad.errors import ConfigError, ReasonIADError


def test_the_papers_defaults() -> None:
    """METHOD section 2 and 3: L = 4, S = 10, k = 10, m = 2, 16 patches, decay 0.95."""
    config = ReasoningConfig()
    assert (config.latents, config.steps, config.top_k) == (4, 10, 10)
    assert (config.patches_per_step, config.max_patches, config.sigma_decay) == (2, 16, 0.95)


def test_the_papers_variant_has_none_of_our_changes() -> None:
    for name in ("ltpo", "dmlr", "paper"):
        papers = METHODS[name].reasoning
        assert papers is not None
        assert (papers.candidates, papers.antithetic, papers.leave_one_out) == (1, False, False)
        assert (papers.answer_weight, papers.stability_weight) == (0.0, 0.0)
        assert (papers.attention_correction, papers.map_prior) == ("none", False)
    assert METHODS["ltpo"].reasoning is not None and not METHODS["ltpo"].reasoning.inject
    assert METHODS["dmlr"].reasoning is not None and METHODS["dmlr"].reasoning.inject


def test_each_method_adds_one_thing() -> None:
    direct, knowledge, latent, full = (METHODS[name] for name in ("direct", "knowledge", "latent", "full"))
    assert not direct.knowledge and direct.reasoning is None
    assert knowledge.knowledge and knowledge.reasoning is None
    assert latent.knowledge and latent.reasoning is not None and not latent.reasoning.inject
    assert full.knowledge and full.reasoning == replace(latent.reasoning, inject=True)


def test_each_ablation_takes_one_thing_away() -> None:
    full = METHODS["full"].reasoning
    assert full is not None
    for method in ABLATIONS.values():
        assert method.knowledge and method.reasoning is not None
        changed = [f.name for f in fields(full) if getattr(full, f.name) != getattr(method.reasoning, f.name)]
        assert len(changed) == 1, method.name
    assert len({method.reasoning for method in ABLATIONS.values()}) == len(ABLATIONS)
    assert not METHODS.keys() & ABLATIONS.keys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"latents": 0},
        {"latents": 65},
        {"steps": -1},
        {"candidates": 0},
        {"candidates": 3},
        {"candidates": 1, "antithetic": False},
        {"sigma": 0.0},
        {"sigma": float("nan")},
        {"sigma_decay": 0.0},
        {"sigma_decay": 1.01},
        {"learning_rate": -0.1},
        {"estimator": "magic"},
        {"top_k": 1},
        {"patches_per_step": 0},
        {"max_patches": -1},
        {"patience": 0},
        {"attention_correction": "some"},
    ],
)
def test_reasoning_options_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ReasoningConfig(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"threshold": 0.0},
        {"threshold": 1.1},
        {"knowledge_share": 1.0},
        {"option_orders": "all"},
    ],
)
def test_inspector_options_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(wrong.values()))) + "|" + next(iter(wrong))):
        InspectorConfig(**wrong)
    assert issubclass(ConfigError, ReasonIADError)


def test_own_reasoning_options_override_the_methods_only_where_it_reasons() -> None:
    mine = ReasoningConfig(steps=3)
    assert InspectorConfig(method="full", reasoning=mine).reasoning_config() == mine
    assert InspectorConfig(method="direct", reasoning=mine).reasoning_config() is None
    assert InspectorConfig(method="latent").reasoning_config() == METHODS["latent"].reasoning


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ReasoningConfig().steps = 3  # type: ignore[misc]


def test_hash_is_that_of_what_is_in_force() -> None:
    """Spelled out or left to the method, the same settings are the same; any other setting is not.

    But the threshold, which changes only the verdict.
    """
    base = InspectorConfig()
    assert base.sha256() == InspectorConfig(threshold=0.6).sha256()
    assert base.sha256() == InspectorConfig(reasoning=ReasoningConfig()).sha256()
    others = [
        InspectorConfig(seed=1),
        InspectorConfig(align=False),
        InspectorConfig(method="latent"),
        InspectorConfig(reasoning=ReasoningConfig(sigma=0.2)),
        InspectorConfig(option_orders="cyclic"),
    ]
    assert len({base.sha256(), *(other.sha256() for other in others)}) == 6


def test_hash_is_the_same_in_every_process() -> None:
    code = "from reason_iad.config import InspectorConfig; print(InspectorConfig(seed=3).sha256())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert found == InspectorConfig(seed=3).sha256()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"method": ["full"]}, "method is given as a list; it must be text"),
        ({"threshold": "0.5"}, "threshold is given as a str; it must be a number"),
        ({"threshold": None}, "threshold is given as None; it must be a number"),
        ({"seed": 1.5}, "seed is given as a float; it must be a whole number"),
        ({"seed": True}, "seed is given as a bool; it must be a whole number"),
        ({"fuse": "no"}, "fuse is given as a str; it must be True or False"),
        ({"detector": 3}, "detector is given as an int; it must be text or None"),
        ({"option_orders": 1}, "option_orders is given as an int; it must be text"),
        ({"reasoning": {"steps": 3}}, "reasoning is given as a dict; it must be a ReasoningConfig or None"),
    ],
)
def test_a_value_of_another_type_is_said_in_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        InspectorConfig(**wrong)


def test_reasoning_options_of_another_type_are_said_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match="steps is given as a str; it must be a whole number"):
        ReasoningConfig(steps="3")  # type: ignore[arg-type]
    with pytest.raises(
        ConfigError, match="attention_layers is given as a list; it must be a tuple of whole numbers"
    ):
        ReasoningConfig(attention_layers=[1])  # type: ignore[arg-type]
    assert ReasoningConfig(sigma=1, budget_ms=5, attention_heads=(1, 2)).sigma == 1, "a whole number is a number"
