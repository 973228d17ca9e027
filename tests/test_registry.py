"""Extension points: built-in entries, those of other packages, and what is said when one is not there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from tests.outside import install

from reason_iad.backbones import FAMILIES
from reason_iad.bench.detect.readers import READERS
from reason_iad.errors import ConfigError, DatasetError, ImageError
from reason_iad.expert.detectors import DETECTORS
from reason_iad.expert.encoders import ENCODERS
from reason_iad.registry import BuiltIn, Registry
from reason_iad.sinks import SINKS

REGISTRIES = {registry.kind: registry for registry in (FAMILIES, ENCODERS, DETECTORS, READERS, SINKS)}
EVERY = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]


def made() -> Registry[object]:
    """Two entries of the standard library."""
    return Registry(
        "layout", {"plain": BuiltIn("string:ascii_letters", "letters"), "round": BuiltIn("math:pi", "a number")}
    )


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_built_in_entry_loads_and_is_described(kind: str, name: str) -> None:
    registry = REGISTRIES[kind]  # type: ignore[index]
    assert registry.get(name) is not None and name in registry
    described = registry.describe()[name]
    assert described and "\n" not in described and len(described) < 90


def test_code_is_imported_when_it_is_asked_for() -> None:
    registry: Registry[object] = Registry("sink", {"gone": BuiltIn("no_such_module:make", "never asked for")})
    assert registry.names() == ("gone",)
    with pytest.raises(ModuleNotFoundError):  # a fault of this package is shown as it is
        registry.get("gone")


def test_an_unknown_name_lists_the_choices_and_suggests_one() -> None:
    with pytest.raises(ConfigError) as error:
        made().get("plane")
    assert str(error.value) == "There is no layout 'plane'. Did you mean 'plain'? Choose one of: plain, round."
    with pytest.raises(ConfigError, match=r"no layout 'xyz'\. Choose one of: plain, round"):
        made().get("xyz")
    with pytest.raises(DatasetError, match=r"'mvtek'\. Did you mean 'mvtec'"):
        READERS.get("mvtek")


def test_another_package_adds_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        monkeypatch, tmp_path / "site", "acme-parts", {"acme_parts": "LAYOUT = 'of Acme'"},
        {"reason_iad.layouts": "acme = acme_parts:LAYOUT"},
    )  # fmt: skip
    registry = made()
    assert "acme" in registry and registry.names() == ("plain", "round", "acme")
    assert registry.describe()["acme"] == "from the package 'acme-parts'"
    assert registry.get("acme") == "of Acme" == registry.load_all()["acme"]
    assert "acme" not in Registry("sink", {})


def test_names_that_are_built_in_need_no_look_at_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reason_iad.registry.entry_points", lambda **_: pytest.fail("looked"))
    assert "plain" in made() and made().get("plain")


def test_a_built_in_name_cannot_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(
        monkeypatch, tmp_path / "site", "acme-parts", {"acme_parts": "LAYOUT = 'of Acme'"},
        {"reason_iad.layouts": "plain = acme_parts:LAYOUT"},
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        assert made().names() == ("plain", "round")
    assert "The package 'acme-parts' brings a layout 'plain', a name that is built in." in caplog.text
    assert made().get("plain") != "of Acme" != made().load_all()["plain"]


@pytest.mark.parametrize("fault", ["import no_such_thing", "1 / 0", "raise SystemError('it is broken')", ""])
def test_a_broken_package_is_named_and_breaks_nothing_else(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(
        monkeypatch, tmp_path / "site", "acme-parts", {"acme_parts": fault},
        {"reason_iad.layouts": "acme = acme_parts:LAYOUT"},
    )  # fmt: skip
    with pytest.raises(ConfigError, match="layout 'acme' of the package 'acme-parts' cannot be loaded"):
        made().get("acme")
    with caplog.at_level(logging.WARNING):
        assert list(made().load_all()) == ["plain", "round"]
    assert "'acme-parts' cannot be loaded" in caplog.text


def test_two_packages_with_one_name_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("acme-parts", "bolt-parts"):
        module = package.replace("-", "_")
        install(
            monkeypatch, tmp_path / package, package, {module: "LAYOUT = 1"},
            {"reason_iad.layouts": f"shared = {module}:LAYOUT"},
        )  # fmt: skip
    with pytest.raises(ConfigError, match="a layout 'shared': 'acme-parts' and 'bolt-parts'"):
        made().get("shared")


def test_a_layout_of_another_package_that_is_broken_does_not_stop_the_guessing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.bench.detect import trees

    from reason_iad.bench.detect.readers import read_dataset

    install(
        monkeypatch, tmp_path / "site", "acme-parts", {"acme_parts": "1 / 0"},
        {"reason_iad.layouts": "acme = acme_parts:LAYOUT"},
    )  # fmt: skip
    assert read_dataset(trees.mvtec(tmp_path / "set")).layout == "mvtec"


def test_choices_are_completed_with_their_descriptions() -> None:
    import click

    from reason_iad.cli.choices import OneOf

    command = click.Command("detect")
    found = OneOf(DETECTORS).shell_complete(click.Context(command), click.Option(["--detector"]), "cal")
    assert [(each.value, each.help) for each in found] == [("calibrated", DETECTORS.describe()["calibrated"])]


def test_two_packages_with_the_same_line_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("acme-parts", "bolt-parts"):
        install(
            monkeypatch, tmp_path / package, package, {"parts": "LAYOUT = 1"},
            {"reason_iad.layouts": "shared = parts:LAYOUT"},
        )  # fmt: skip
    with pytest.raises(ConfigError, match="a layout 'shared': 'acme-parts' and 'bolt-parts'"):
        made().get("shared")


def test_a_package_that_is_on_the_path_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("one", "two"):
        install(
            monkeypatch, tmp_path / folder, "acme-parts", {"acme_parts": "LAYOUT = 'of Acme'"},
            {"reason_iad.layouts": "acme = acme_parts:LAYOUT"},
        )  # fmt: skip
    assert made().get("acme") == "of Acme"


FAILING = """
from reason_iad.errors import ImageError
def make(model):
    if model == "ours":
        raise ImageError("The image is dark.")
    return 1 / 0
class Reader:
    name, index, shape = "acme", True, "as Acme does"
    def fits(self, root):
        return root.name == "acme" or 1 / 0
    def read(self, root, normal):
        raise OSError(5, "no answer", "server")
READER = Reader()
"""


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose code can be loaded, but does not run."""
    lines = {f"reason_iad.{kind}s": "acme = acme_parts:make" for kind in ("encoder", "detector")}
    lines["reason_iad.layouts"] = "acme = acme_parts:READER"
    install(monkeypatch, tmp_path / "site", "acme-parts", {"acme_parts": FAILING}, lines)


@pytest.mark.parametrize("registry", [ENCODERS, DETECTORS])
def test_code_of_a_package_that_fails_is_no_bug_of_this_program(registry: Registry[Any], failing: None) -> None:
    said = rf"The {registry.kind} 'acme' of the package 'acme-parts' failed \(ZeroDivisionError: division by zero\)"
    with pytest.raises(ConfigError, match=said):
        registry.get("acme")(None)
    with pytest.raises(ImageError, match="is dark"):  # it says itself what is wrong
        registry.get("acme")("ours")
    with pytest.raises(ZeroDivisionError), registry.running(registry.names()[0]):  # a bug stays one
        registry.get(registry.names()[0]) and 1 / 0


def test_a_layout_that_fails_is_named(failing: None, tmp_path: Path) -> None:
    from reason_iad.bench.detect.readers import read_dataset

    for root in ("acme", "other"):
        (tmp_path / root).mkdir()
    with pytest.raises(DatasetError, match=r"layout 'acme' of the package 'acme-parts' failed .ZeroDivision"):
        read_dataset(tmp_path / "other")
    for layout in (None, "acme"):
        with pytest.raises(
            DatasetError, match=r"layout 'acme' of the package 'acme-parts' failed .OSError: .*answer"
        ):
            read_dataset(tmp_path / "acme", layout)
