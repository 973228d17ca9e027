"""The public API: each name of `reason_iad.__all__` is there, documented and typed, and costs nothing to import."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from importlib.resources import files

import pytest

import reason_iad
from reason_iad.errors import ReasonIADError

NAMES = sorted(name for name in reason_iad.__all__ if not name.startswith("_"))


def test_the_names_are_these() -> None:
    """A name that is taken away or renamed breaks programs of others: see the migration page."""
    assert NAMES == [
        "ConfigError", "DatasetError", "FakeBackbone", "ImageError", "Inspection", "Inspector", "InspectorConfig",
        "KnowledgeError", "KnownPart", "MemoryBankError", "MissingExtraError", "ModelError", "OperatingPoint",
        "OutputError", "ProductError", "PromptError", "Question", "ReasonIADError", "ReasoningConfig", "Reply",
        "ServiceError", "Summary", "operating_point", "product_inspector", "save_report",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(reason_iad, name)
    assert name in dir(reason_iad) and getattr(reason_iad, name) is value
    assert (inspect.getdoc(value) or "").endswith((".", ")", "`", ":")) or "Attributes:" in value.__doc__
    members = vars(value).items() if inspect.isclass(value) else ()
    for member, each in members:
        if not member.startswith("_") and (inspect.isfunction(each) or isinstance(each, classmethod | property)):
            assert inspect.getdoc(each), f"{name}.{member} has no docstring"


@pytest.mark.parametrize("name", NAMES)
def test_public_functions_are_typed(name: str) -> None:
    value = getattr(reason_iad, name)
    functions = [value] if inspect.isfunction(value) else [f for f in vars(value).values() if inspect.isfunction(f)]
    for function in functions:
        if function.__module__.startswith("reason_iad") and not function.__name__.startswith("_"):
            parameters = list(inspect.signature(function).parameters.values())
            assert function.__annotations__.get("return") is not None, function
            assert all(each.name == "self" or each.annotation is not each.empty for each in parameters), function


@pytest.mark.parametrize("name", ["InspectorConfig", "KnownPart", "Question", "ReasoningConfig"])
def test_every_attribute_says_what_it_is(name: str) -> None:
    value = getattr(reason_iad, name)
    documented = re.findall(r"^ {4}(\w+(?:, \w+)*): ", inspect.getdoc(value) or "", re.MULTILINE)
    assert [
        word for words in documented for word in words.split(", ") if word not in ("ConfigError", "PromptError")
    ] == [field.name for field in dataclasses.fields(value)]


def test_every_error_a_user_can_catch_is_public() -> None:
    assert all(hasattr(reason_iad, each.__name__) for each in (ReasonIADError, *ReasonIADError.__subclasses__()))
    assert all(issubclass(getattr(reason_iad, n), ReasonIADError) for n in NAMES if n.endswith("Error"))


def test_a_wrong_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Inspektor'"):
        reason_iad.Inspektor  # noqa: B018


def test_type_checkers_find_the_types() -> None:
    assert files("reason_iad").joinpath("py.typed").is_file()


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'numpy', 'pydantic', 'PIL', 'jinja2'}"
    code = f"import sys, reason_iad; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
