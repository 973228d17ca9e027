"""The configuration file: what it says is used, and what it cannot say is told with the place and a suggestion."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from reason_iad.errors import ConfigError, ServiceError
from reason_iad.service.configuration import Configuration, read_configuration
from reason_iad.service.options import read_secret
from reason_iad.service.settings import Settings
from reason_iad.service.sinks import SINKS
from reason_iad.service.sinks.csv import CsvTable
from reason_iad.service.sources import SOURCES
from reason_iad.service.sources.folder import FolderTable

WHOLE = """
[sources.line-2]
kind = "folder"
product = "bracket"
folder = "incoming"

[sources.camera]
kind = "camera"
product = "bracket"
url = "rtsp://camera.example/1"
every_s = 2

[sinks.table]
kind = "csv"
file = "out/table.csv"

[sinks.control]
kind = "webhook"
url = "https://control.example/parts"
secret_file = "secret"

[[rules]]
outcomes = ["defect", "review"]
sinks = ["control", "table"]

[[rules]]
products = ["bracket"]
sinks = ["table"]

[retention]
passed_days = 90

[corrections]
learn = "after confirmation"
"""


def read(folder: Path, text: str) -> Configuration:
    path = folder / "service.toml"
    path.write_text(text)
    return read_configuration(path)


def test_paths_are_relative_to_the_file_and_rules_say_where_outcomes_go(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    folder, table = found.sources["line-2"], found.sinks["table"]
    assert isinstance(folder, FolderTable) and folder.folder == tmp_path / "incoming"
    assert isinstance(table, CsvTable) and table.file == tmp_path / "out" / "table.csv"
    assert found.retention.passed_days == 90 and found.corrections.learn == "after confirmation"
    assert read(tmp_path, "").corrections.learn == "at once"
    assert found.sinks_for("bracket", "defect") == ("control", "table"), "each once"
    assert found.sinks_for("bracket", "pass") == ("table",)
    assert found.sinks_for("screw", "review") == ("control", "table")
    assert found.sinks_for("screw", "failed") == ()


def test_the_examples_of_the_documents_are_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sources-and-sinks.md").read_text()
    whole, *others = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert all(read(tmp_path, each).sources for each in others)
    found = read(tmp_path, whole)
    assert found.sinks_for("bracket", "defect") == ("control", "table") and len(found.sources) == 2
    for kind in (*SOURCES.values(), *SINKS.values()):
        missing = [key for key in kind.model_fields if key != "kind" and f"`{key}`" not in page]
        assert not missing, f"{kind.__name__}: {missing}"


def test_workers_get_it(tmp_path: Path) -> None:
    settings = Settings(tmp_path, configuration=read(tmp_path, WHOLE))
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sorces = {}", "there is no key 'sorces'. Did you mean 'sources'?"),
        ("[retention]\npased_days = 1", "there is no key 'retention.pased_days'. Did you mean 'passed_days'?"),
        ("[corrections]\nlern = 'at once'", "there is no key 'corrections.lern'. Did you mean 'learn'?"),
        ("[corrections]\nlearn = 'never'", "corrections.learn: "),
        ("[retention]\npassed_days = 0", "retention.passed_days: "),
        ("[sources.a]\nkind = 'folder'\nproduct = 'p'\nfoldr = 'x'", "'sources.a.folder' is missing"),
        (
            "[sources.a]\nkind = 'folder'\nproduct = 'p'\nfolder = 'x'\nthem = 'keep'",
            "there is no key 'sources.a.them'. Did you mean 'then'?",
        ),
        ("[sources.a]\nkind = 'foldr'", "'sources.a.kind' is 'foldr'. Did you mean 'folder'? Choose one of: "),
        ("[sinks.a]\nfile = 'x'", "the key 'sinks.a.kind' is missing"),
        ("[sources.a]\nkind = 'camera'\nproduct = 'p'", "give exactly one of 'device', 'url' and 'video'"),
        ("[sources.a]\nkind = 'camera'\nproduct = 'p'\nurl = 'file:///etc/passwd'", "sources.a.url: "),
        ("[sources.http]\nkind = 'folder'\nproduct = 'p'\nfolder = 'x'", "cannot be called 'http'"),
        ("[sources.'a/b']\nkind = 'folder'\nproduct = 'p'\nfolder = 'x'", "sources.a/b"),
        ("[[rules]]\nsinks = ['tabel']\n[sinks.table]\nkind = 'csv'\nfile = 'x'", "Did you mean 'table'?"),
        ("[[rules]]\noutcomes = ['passed']\nsinks = ['a']", "rules.0.outcomes.0: "),
        ("[[rules]]\nsink = ['a']\nsinks = ['a']", "Did you mean 'sinks'?"),
        ("not toml", "is not a TOML file"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        read(tmp_path, text)
    assert said in str(told.value)


def test_a_file_that_is_missing_or_too_large_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_configuration(tmp_path / "nothing.toml")
    with pytest.raises(ConfigError, match="too large"):
        read(tmp_path, "#" * 2**21)


def test_a_secret_is_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" word\n")
    assert read_secret(tmp_path / "secret", "the secret") == "word"
    (tmp_path / "empty").touch()
    for name in ("empty", "nothing"):
        with pytest.raises(ServiceError, match="the secret"):
            read_secret(tmp_path / name, "the secret")
