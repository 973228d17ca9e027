"""Questions files: strictly read, everything wrong reported at once, the limit fair to every category."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.bench.mmad_files import write_set

from reason_iad.bench.questions import questions_sha256, read_units, unreadable_images
from reason_iad.bench.subtasks import KINDS
from reason_iad.errors import DatasetError

KEY = "toys/pcb/test/spot/1.png"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_set(tmp_path)


def changed(questions: Path, change: Change) -> Path:
    entries = json.loads(questions.read_text())
    change(entries)
    questions.write_text(json.dumps(entries))
    return questions


def test_a_unit_is_an_image_with_all_its_questions(questions: Path) -> None:
    units = read_units([questions], questions.parent)
    assert [unit.number for unit in units] == list(range(6))
    unit = units[1]
    assert (unit.image, unit.dataset, unit.category, unit.abnormal) == (KEY, "toys", "pcb", True)
    assert unit.mask == "toys/pcb/ground_truth/spot/1_mask.png"
    assert unit.templates == ("toys/pcb/train/good/0.png",)
    assert [each.kind for each in unit.questions] == [
        "Anomaly Detection", "Object Classification", "Defect Localization"
    ]  # fmt: skip
    assert list(unit.questions[2].options) == ["B", "A", "D"]
    assert not units[0].abnormal and units[0].mask is None


def test_templates_are_the_first_of_the_list_asked_for(questions: Path) -> None:
    unit = read_units([questions], questions.parent, templates="similar")[0]
    assert unit.templates == ("toys/pcb/train/good/1.png",)
    assert read_units([questions], questions.parent, shots=0)[0].templates == ()
    assert len(read_units([questions], questions.parent, shots=2)[0].templates) == 2


def test_an_image_in_a_good_folder_is_normal_even_with_a_mask(questions: Path) -> None:
    key = "toys/pcb/test/good/0.png"
    changed(questions, lambda e: e[key].update(mask_path="ground_truth/spot/1_mask.png"))
    assert not read_units([questions], questions.parent)[0].abnormal


def test_an_image_whose_mask_is_not_there_is_still_abnormal(questions: Path) -> None:
    (questions.parent / "toys/pcb/ground_truth/spot/1_mask.png").unlink()
    unit = read_units([questions], questions.parent)[1]
    assert unit.abnormal and unit.mask is None


@pytest.mark.parametrize("folder", ["Normal", "OK"])
def test_an_image_without_a_mask_is_normal_where_it_need_not_be_told(folder: str, questions: Path) -> None:
    key = f"toys/pcb/test/{folder}/1.png"
    (questions.parent / key).parent.mkdir()
    (questions.parent / KEY).rename(questions.parent / key)
    changed(questions, lambda e: e.update({key: e.pop(KEY) | {"mask_path": None}}))
    other = "toys/widget/test/spot/1.png"  # nobody asks whether it has a defect
    changed(questions, lambda e: e[other].update(mask_path=None, conversation=e[other]["conversation"][1:]))
    sides = {unit.image: unit.abnormal for unit in read_units([questions], questions.parent)}
    assert not sides[key] and not sides[other] and sides["toys/pcb/test/spot/2.png"]


def one_question(
    options: dict[str, str], answer: str, text: str = "Are there any defects in the query image?"
) -> Any:
    asked = {"Question": text, "Answer": answer, "Options": options, "type": "Anomaly Detection"}
    return {"conversation": [asked], "similar_templates": [], "random_templates": []}


YES_NO = {"A": "Yes.", "B": "No."}


def test_files_of_iad_r1_say_by_their_answers_which_image_is_abnormal(tmp_path: Path) -> None:
    """MMAD's form without mask_path. Source: data/Test/test_*_format.json in Yanhui-Lee/IAD-R1."""
    sides = {
        "DTD/Woven_127/test/good/079.png": "B", "DTD/Woven_127/test/bad/000.png": "A",
        "MPDD/bracket_black/test/hole/000.png": "A", "DAGM/Class2/good/0116.PNG": "B",
        "SDD/test/good/kos01_Part1_2.png": "B", "SDD/test/defect/kos50_Part4_1.png": "A",
    }  # fmt: skip
    for key in sides:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(tmp_path / key)
    (tmp_path / "r1.json").write_text(json.dumps({key: one_question(YES_NO, side) for key, side in sides.items()}))
    units = read_units([tmp_path / "r1.json"], tmp_path, shots=0)
    assert {unit.image: unit.abnormal for unit in units} == {key: side == "A" for key, side in sides.items()}
    assert [(unit.dataset, unit.category) for unit in units] == [
        ("DTD", "Woven_127"), ("DTD", "Woven_127"), ("MPDD", "bracket_black"), ("DAGM", "Class2"),
        ("SDD", "SDD"), ("SDD", "SDD"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "entry", "abnormal"),
    [
        ("S/part/x/1.png", one_question({"C": "No.", "B": "Yes."}, "B"), True),
        ("S/part/x/1.png", one_question({"C": "No.", "B": "Yes."}, "C"), False),
        ("S/part/NG/1.png", one_question({"A": "One.", "B": "Two."}, "A"), True),
        ("S/part/good/1.png", one_question(YES_NO, "A"), False),  # the folder of good images goes first
        ("S/part/x/1.png", one_question({"A": "One.", "B": "Two."}, "A"), None),
        ("S/part/x/1.png", one_question(YES_NO, "A", "Is the image sharp?"), None),
    ],
)
def test_answers_and_folders_say_which_side_an_image_is_on(
    key: str, entry: Any, abnormal: bool | None, tmp_path: Path
) -> None:
    (tmp_path / key).parent.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / key)
    (tmp_path / "own.json").write_text(json.dumps({key: entry}))
    if abnormal is None:
        with pytest.raises(DatasetError, match="nothing says whether it shows a defect"):
            read_units([tmp_path / "own.json"], tmp_path, shots=0)
    else:
        assert read_units([tmp_path / "own.json"], tmp_path, shots=0)[0].abnormal is abnormal


def test_paths_written_on_windows_are_read_and_told(questions: Path) -> None:
    before = read_units([questions], questions.parent)
    entries = json.loads(questions.read_text())
    for entry in entries.values():
        entry["mask_path"] = entry["mask_path"] and entry["mask_path"].replace("/", "\\")
        entry["random_templates"] = [path.replace("/", "\\") for path in entry["random_templates"]]
    questions.write_text(json.dumps({key.replace("/", "\\"): entry for key, entry in entries.items()}))
    told: list[str] = []
    assert read_units([questions], questions.parent, tell=told.append) == before
    (note,) = told
    assert note.endswith("paths in the questions had backslashes, as Windows writes them. They were read with '/'.")


def test_files_are_merged(tmp_path: Path) -> None:
    one = write_set(tmp_path, categories=("a/x",)).rename(tmp_path / "one.json")
    two = write_set(tmp_path, categories=("b/y",))
    assert {unit.dataset for unit in read_units([one, two], tmp_path)} == {"a", "b"}
    with pytest.raises(DatasetError, match=r"1 problem;.*\n.*one\.json: is given twice\.$"):
        read_units([one, tmp_path / "a" / ".." / "one.json"], tmp_path)


def test_a_key_in_two_files_is_said_with_both(tmp_path: Path) -> None:
    one = write_set(tmp_path)
    two = tmp_path / "two.json"
    two.write_text(json.dumps({KEY: json.loads(one.read_text())[KEY]}))
    with pytest.raises(DatasetError) as error:
        read_units([one, two], tmp_path)
    assert str(error.value).splitlines()[1:] == [f"  {KEY}: is in '{one}' and in '{two}'."]


def test_too_few_templates_are_no_fault_of_the_files_and_count_only_where_they_are_shown(questions: Path) -> None:
    changed(questions, lambda e: [e[k].update(random_templates=e[k]["random_templates"][:1]) for k in [*e][4:]])
    with pytest.raises(DatasetError) as error:
        read_units([questions], questions.parent, shots=2)
    heading, first, *_ = str(error.value).splitlines()
    assert heading == "The questions have 2 problems; lower --shots or list more templates:"
    assert first == "  toys/widget/test/spot/1.png: lists 1 random template, --shots asks for 2."
    assert len(read_units([questions], questions.parent, shots=2, limit=1)) == 1  # of the other category


def test_the_known_types_are_listed_once(questions: Path) -> None:
    changed(questions, lambda e: [asked.update(type="Riddle") for asked in e[KEY]["conversation"]])
    with pytest.raises(DatasetError) as error:
        read_units([questions], questions.parent)
    assert str(error.value).count("unknown type 'Riddle'") == 3
    assert str(error.value).count("known: Anomaly Detection, Defect Classification") == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda e: e[KEY]["conversation"][0].update(Answer="C"), "has the answer C, which is none of its options"),
        (lambda e: e[KEY]["conversation"][0].update(type="Riddle"), "unknown type 'Riddle'"),
        (lambda e: e[KEY]["conversation"][0].update(Options={"A": "Yes."}), "has fewer than two options."),
        (lambda e: e[KEY]["conversation"][0].pop("Options"), f"{KEY}: question 0 has fewer than two options."),
        (lambda e: e[KEY]["conversation"][0].update(Options=["Yes."]), "has Options that are no object."),
        (lambda e: e[KEY]["conversation"][0].update(Options={"a": "Yes.", "b": "No."}), "the option 'a', which"),
        (lambda e: e[KEY]["conversation"][0].update(Options={"A": "Yes.", "B": None}), "the option 'B', which"),
        (lambda e: e[KEY]["conversation"][0].pop("type"), f"{KEY}: question 0 has no type."),
        (lambda e: e[KEY].update(conversation=[None]), f"{KEY}: question 0 is not an object with Question"),
        (lambda e: e[KEY]["conversation"][0].update(Question=" "), "question 0 has no text."),
        (lambda e: e[KEY]["conversation"][0].update(Answer=1), "question 0 has an answer that is not a letter"),
        (lambda e: e[KEY].pop("conversation"), f"{KEY}: is not an entry with a 'conversation'"),
        (lambda e: e.update({KEY: None}), f"{KEY}: is not an entry with a 'conversation'"),
        (lambda e: e[KEY].update(mask_path=1), f"{KEY}: has a mask_path that is not text."),
        (lambda e: e[KEY].update(random_templates=[1, 2]), "random_templates that are not a list of paths."),
        (lambda e: e[KEY].update(random_templates=[]), "lists 0 random templates, --shots asks for 1."),
        (lambda e: e[KEY].update(random_templates=["../../secret.png"]), "leads out of"),
        (lambda e: e[KEY].update(mask_path="/etc/passwd"), "leads out of"),
        (lambda e: e[KEY].update(mask_path=None) or e[KEY]["conversation"][0].update(Question="What is it?"),
         f"{KEY}: nothing says whether it shows a defect"),
        (lambda e: e[KEY].update(random_templates=["toys\\a.png"]), r"no 'toys\a.png'; the path has backslashes"),
        (lambda e: e[KEY].update(random_templates=["..\\secret.png"]), "leads out of"),
        (lambda e: e[KEY].update(mask_path="..\\..\\secret.png"), "leads out of"),
        (lambda e: e.update({"toys\\pcb\\none.png": e[KEY]}), "the path has backslashes, as Windows writes it"),
        (lambda e: e[KEY].update(random_templates=["toys/none.png"]), "no such image"),
        (lambda e: e[KEY].update(random_templates=["toys/pcb"]), "is not a file"),
        (lambda e: e.update({"../../x/y/z.png": e[KEY]}), "the key must be a path"),
        (lambda e: e.update({"C:/x/y.png": e[KEY]}), "the key must be a path"),
        (lambda e: e.update({"y.png": e[KEY]}), "the key must be a path"),
        (lambda e: e.update({KEY: 5}), KEY),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change: Change, named: str, questions: Path) -> None:
    with pytest.raises(DatasetError) as error:
        read_units([changed(questions, change)], questions.parent)
    assert named in str(error.value)


def test_a_template_that_is_no_image_is_a_problem_and_an_image_that_is_none_fails_alone(questions: Path) -> None:
    image, template = (questions.parent / f"toys/pcb/{name}" for name in ("test/spot/1.png", "train/good/0.png"))
    image.write_text("no image")
    units = read_units([questions], questions.parent)
    assert unreadable_images(units, questions.parent) == [KEY]
    template.write_bytes(b"P6 60000 60000 255\n")  # only the header says how large it would be
    with pytest.raises(DatasetError, match=r"1 problem;[^\n]*\n  toys/pcb/train/good/0\.png: .*million pixels"):
        read_units([questions], questions.parent)
    assert read_units([questions], questions.parent, shots=0)


def test_everything_wrong_is_reported_at_once(questions: Path) -> None:
    (questions.parent / "toys/pcb/test/good/0.png").unlink()
    (questions.parent / "toys/widget/test/good/0.png").write_bytes(b"")
    (questions.parent / "toys/widget/train/good/0.png").unlink()  # of three images; named once
    changed(questions, lambda e: e[KEY]["conversation"][0].update(Answer="C", type="Riddle"))
    with pytest.raises(DatasetError) as error:
        read_units([questions], questions.parent)
    message = str(error.value)
    assert "5 problems" in message
    assert message.count("toys/widget/train/good/0.png") == 1
    for part in ("toys/pcb/test/good/0.png", "has 0 bytes", "answer C", "Riddle"):
        assert part in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ("[" * 100_000, "is not JSON"),
        ("\xff", "is not JSON"),
        ('{"a/b/c": 1, "a/b/c": 2}', "another entry of this key"),
        ('{"a/b/c": {"conversation": [{"type": "x", "type": "y"}]}}', "has 'type' twice"),
        ("{}", "ask nothing"),
    ],
)
def test_a_broken_file_is_named(text: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "questions.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DatasetError, match=named):
        read_units([path], tmp_path)


def test_a_missing_file_or_folder_is_named(questions: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.json: cannot be read"):
        read_units([questions, tmp_path / "none.json"], tmp_path)
    with pytest.raises(DatasetError, match="--images"):
        read_units([questions], tmp_path / "none")


def test_the_limit_leaves_every_category_and_both_halves_in_proportion(tmp_path: Path) -> None:
    big = write_set(tmp_path, images=24, categories=("a/x",)).rename(tmp_path / "big.json")
    small = write_set(tmp_path, images=3, categories=("a/y", "b/z"))
    units = read_units([big, small], tmp_path, limit=11)
    counts = Counter(unit.category for unit in units)
    assert len(units) == 11 and counts["y"] == counts["z"] == 1
    assert Counter(unit.abnormal for unit in units if unit.category == "x") == {True: 6, False: 3}
    assert [unit.number for unit in units] == list(range(11))


def test_the_seed_alone_decides_whom_the_limit_keeps(tmp_path: Path) -> None:
    questions = write_set(tmp_path, images=12)

    def kept(seed: int) -> list[str]:
        return [unit.image for unit in read_units([questions], tmp_path, limit=8, seed=seed)]

    assert kept(0) == kept(0) != kept(1)
    assert set(kept(0)) < {unit.image for unit in read_units([questions], tmp_path)}


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e[KEY]["conversation"][0].update(Options={"B": "No.", "A": "Yes."}),
        lambda e: e[KEY]["conversation"][0].update(Question="Is it broken?"),
        lambda e: e[KEY]["conversation"][0].update(Answer="B"),
        lambda e: e[KEY]["random_templates"].reverse(),
        lambda e: e.pop(KEY),
    ],
)
def test_the_hash_tells_questions_apart(change: Change, questions: Path) -> None:
    before = questions_sha256(read_units([questions], questions.parent))
    assert questions_sha256(read_units([questions], questions.parent)) == before
    assert questions_sha256(read_units([changed(questions, change)], questions.parent)) != before


def test_the_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "measuring.md").read_text(encoding="utf-8")
    example = text.partition("```json\n")[2].partition("```")[0]
    (key, entry), *_ = json.loads(example).items()
    for path in (key, entry["random_templates"][0]):
        (tmp_path / path).parent.mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / path)
    (tmp_path / "own.json").write_text(example)
    assert read_units([tmp_path / "own.json"], tmp_path)[0].abnormal
    assert all(kind in text for kind in KINDS)


@pytest.mark.data
def test_the_development_questions_are_read_whole(data_dir: Path) -> None:
    units = read_units(sorted(data_dir.glob("*/questions.json")), data_dir, templates="similar")
    assert (len(units), sum(len(unit.questions) for unit in units)) == (675, 2161)
    assert all((unit.mask is not None) == unit.abnormal for unit in units)
