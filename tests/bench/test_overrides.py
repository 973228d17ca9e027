"""Options of the reasoning by name: types are kept, mistakes are named."""

from __future__ import annotations

import pytest

from reason_iad.bench.overrides import override
from reason_iad.config import METHODS
from reason_iad.errors import ConfigError


def test_named_options_change_and_the_others_stay() -> None:
    changed = override("full", ["sigma=0.3", "steps = 3", "estimator=gradient", "inject=false", "patience=null"])
    full = METHODS["full"].reasoning
    assert changed is not None and full is not None
    assert (changed.sigma, changed.steps, changed.estimator) == (0.3, 3, "gradient")
    assert changed.inject is False and changed.patience is None
    assert changed.latents == full.latents and changed.top_k == full.top_k
    assert override("direct", []) is None


@pytest.mark.parametrize(
    ("assignment", "value"),
    [("sigma=1", 1.0), ("attention_layers=[2, 3]", (2, 3)), ("attention_heads=null", None), ("budget_ms=5.5", 5.5)],
)
def test_values_have_the_type_of_their_option(assignment: str, value: object) -> None:
    changed = override("latent", [assignment])
    found = getattr(changed, assignment.split("=")[0])
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("sigma", "sets nothing"),
        ("speed=3", "sets nothing"),
        ("steps=2.5", "'steps=2.5' does not fit"),
        ("steps=true", "valid integer"),
        ("inject=1", "valid boolean"),
        ("sigma=much", "valid number"),
        ("patience=1.5", "valid integer"),
        ("attention_layers=3", "valid"),
        ("estimator=magic", "'score' or 'gradient'"),
        ("sigma=-1", "out of range"),
    ],
)
def test_mistakes_are_named(assignment: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        override("full", [assignment])


def test_a_method_that_does_not_reason_cannot_be_changed() -> None:
    with pytest.raises(ConfigError, match="does not reason"):
        override("direct", ["sigma=0.3"])
