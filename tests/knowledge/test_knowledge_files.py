from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.knowledge.conftest import MARKDOWN, YAML

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge import KnowledgeFileError, read_document, read_documents, scan
from reason_iad.knowledge.files import knowledge_files
from reason_iad.knowledge.text import sanitize

Write = Callable[..., Path]


def problems(path: Path) -> list[tuple[int | None, str]]:
    with pytest.raises(KnowledgeFileError) as caught:
        read_document(path)
    assert all(problem.file == str(path) for problem in caught.value.problems)
    assert isinstance(caught.value, KnowledgeError)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_markdown_and_yaml_say_the_same(write: Write) -> None:
    markdown = read_document(write("a/board.md", MARKDOWN))
    yaml = read_document(write("b/board.yaml", YAML))
    assert markdown.category == yaml.category == "Bare Board"
    assert markdown.aliases == yaml.aliases == ("pcb", "printed circuit board")
    assert markdown.entry_aliases == yaml.entry_aliases
    assert [e.model_copy(update={"source": ""}) for e in markdown.entries] == [
        e.model_copy(update={"source": ""}) for e in yaml.entries
    ]


def test_entries_have_ids_kinds_details_and_sources(write: Write) -> None:
    entries = read_document(write("board.md", MARKDOWN)).entries
    assert [(e.id, e.kind, e.source) for e in entries] == [
        ("bare-board/normal/normal", "normal", "board.md"),
        ("bare-board/tolerance/line-width-within-10", "tolerance", "board.md#tolerances"),
        ("bare-board/tolerance/small-stains-are-accepted", "tolerance", "board.md#tolerances"),
        ("bare-board/defect/open-circuit", "defect", "board.md#Open circuit"),
        ("bare-board/defect/short", "defect", "board.md#Short"),
    ]
    assert entries[0].text == "Traces have even width & smooth edges."  # no markup, entity decoded, comment gone
    assert entries[3].text == "A trace is interrupted over its whole width."
    assert (entries[3].severity, entries[3].cause, entries[3].action) == (
        "critical", "over-etching, or a scratch", "scrap",
    )  # fmt: skip
    assert entries[4].cause is None


def test_yaml_scalars_are_read_as_written(write: Write) -> None:
    text = "category: no\ndefects:\n- {name: 12e3, description: yes, severity: 2, cause: 2024-01-01, action: 010}\n"
    document = read_document(write("no.yml", text))
    defect = document.entries[0]
    assert document.category == "no"
    assert (defect.name, defect.text, defect.severity, defect.cause, defect.action) == (
        "12e3", "yes", "2", "2024-01-01", "010",
    )  # fmt: skip


def test_windows_line_ends_and_byte_order_mark(write: Write) -> None:
    document = read_document(write("board.md", b"\xef\xbb\xbf" + MARKDOWN.replace("\n", "\r\n").encode()))
    assert len(document.entries) == 5


def test_any_script_and_spaces_in_the_path(write: Write) -> None:
    document = read_document(write("ordner mit 空格/коробка.yaml", "category: 焊点\nnormal: 光滑。\n"))
    assert document.entries[0].id == "焊点/normal/normal"
    assert document.entries[0].source == "коробка.yaml"


def test_repeated_tolerances_get_different_ids(write: Write) -> None:
    text = "category: a\ntolerances: [one two three four five six X, one two three four five six Y]\n"
    ids = [e.id for e in read_document(write("a.yaml", text)).entries]
    assert ids == ["a/tolerance/one-two-three-four-five-six", "a/tolerance/one-two-three-four-five-six-2"]


@pytest.mark.parametrize(
    ("name", "text", "line", "says"),
    [
        ("a.yaml", "category: a\ndefects:\n- name: open\n", 3, "'description' of defect 'open' is missing; add it"),
        ("a.yaml", "category: a\nnormal: x\nsevrity: x\n", 3, "'sevrity' is not a known field"),
        ("a.yaml", "category: a\ndefects:\n- name: b\n  desription: x\n", 3, "is missing"),
        ("a.yaml", "category: a\nnormal: ''\n", 2, "'normal' is empty"),
        ("a.yaml", "category: a\nnormal: [x]\n", 2, "must be plain text"),
        ("a.yaml", "category: a\nnormal: x\naliases: b\n", 3, "must be a list"),
        ("a.yaml", "normal: x\n", 1, "'category' is missing"),
        ("a.yaml", "category: '--'\nnormal: x\n", 1, "needs a letter or a digit"),
        ("a.yaml", "category: a\n", None, "nothing in it"),
        ("a.yaml", "- a\n- b\n", 1, "must begin with fields"),
        ("a.yaml", "category: a\nnormal: {x: y\n", 3, "not valid YAML"),
        ("a.yaml", "category: a\ncategory: b\nnormal: x\n", 2, "given twice"),
        ("a.yaml", "category: a\nnormal: !!python/object/apply:os.system [ls]\n", 2, "tags"),
        ("a.yaml", f"category: a\nnormal: {'x' * 4001}\n", 2, "longer than 4000 characters"),
        (
            "a.yaml",
            "category: a\ndefects:\n- {name: b, description: x}\n- {name: B, description: y}\n",
            4,
            "already",
        ),
        ("a.yaml", "# only a comment\n", None, "empty"),
        ("a.yaml", "category: a\ndefects: [x]\n", 2, "must have fields"),
        ("a.md", "# Normal\nx\n", 1, "front matter"),
        ("a.md", "---\ncategory: a\n", 1, "has no end"),
        ("a.md", "---\ncategory: a\n---\n# Defcts\n## b\nx\n", 4, "did you mean '# Defects'?"),
        ("a.md", "---\ncategory: a\n---\n\nhello\n# Normal\nx\n", 5, "before the first heading"),
        ("a.md", "---\ncategory: a\n---\n# Tolerances\nloose text\n", 5, "as a bullet"),
        ("a.md", "---\ncategory: a\n---\n# Defects\ntext\n## b\nx\n", 5, "before a defect's name"),
        ("a.md", "---\ncategory: a\n---\n# Normal\n## b\nx\n", 5, "has no place here"),
        ("a.md", "---\ncategory: a\n---\n# Normal\nx\n# Normal\ny\n", 6, "there twice"),
        ("a.md", "---\ncategory: a\nnormal: x\n---\n# Normal\ny\n", 3, "belongs under a heading"),
        ("a.md", "---\ncategory: a\n---\n# Defects\n## b\nx\n\nCause: y\nCause: z\n", 9, "given twice"),
        ("a.md", "---\ncategory: a\n---\n# Defects\n## b\n\nSeverity: minor\n", 5, "'description' of defect 'b'"),
        ("a.txt", "x", None, "ends in"),
    ],
)
def test_a_problem_is_named_with_its_line(write: Write, name: str, text: str, line: int | None, says: str) -> None:
    found = problems(write(name, text))
    assert found[0][0] == line
    assert says in found[0][1]
    assert "\n" not in found[0][1]


def test_every_problem_of_a_file_is_found(write: Write) -> None:
    text = "category: a\nnormal: ''\ndefects:\n- name: b\n- {name: c, description: d, severty: e}\n"
    found = problems(write("a.yaml", text))
    assert [line for line, _ in found] == [2, 4, 5]
    assert "did you mean 'severity'?" in found[2][1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"category: a\0b", "binary"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary"),
        (b"category: a\nnormal: gr\xfc\xdfe\n", "not UTF-8"),
        (b"x" * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_what_is_not_text_is_refused(write: Write, content: bytes, says: str) -> None:
    assert says in problems(write("a.yaml", content))[0][1]


def test_too_many_entries(write: Write) -> None:
    text = "category: a\ntolerances:\n" + "- x\n" * 501
    assert "501 entries" in problems(write("a.yaml", text))[0][1]


def test_alias_bomb_is_refused_at_its_anchor(write: Write) -> None:
    bomb = "category: a\nnormal: x\nx: &a [1, 1]\n" + "".join(f"y{i}: &b{i} [*a, *a]\n" for i in range(40))
    line, message = problems(write("a.yaml", bomb))[0]
    assert line == 3
    assert "anchors and aliases" in message


def test_deep_nesting_is_refused(write: Write) -> None:
    assert "nested too deeply" in problems(write("a.yaml", "category: " + "[" * 5000))[0][1]


def test_control_characters_are_stripped(write: Write) -> None:
    document = read_document(write("a.yaml", 'category: a\nnormal: "one\x07two"\n'))
    assert document.entries[0].text == "one two"


def test_a_missing_file_a_folder_and_a_pipe(tmp_path: Path, write: Write) -> None:
    assert "no such file" in problems(tmp_path / "none.md")[0][1]
    (tmp_path / "folder.md").mkdir()
    assert "not a file" in problems(tmp_path / "folder.md")[0][1]
    os.mkfifo(tmp_path / "pipe.md")
    assert "not a file" in problems(tmp_path / "pipe.md")[0][1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(write: Write) -> None:
    path = write("a.md", MARKDOWN)
    path.chmod(0)
    assert "permissions" in problems(path)[0][1]


def test_a_folder_gives_its_knowledge_files_only(tmp_path: Path, write: Write) -> None:
    for name in ("b.md", "a.yml", "README.md", ".hidden.md", "notes.txt", "sub/c.md"):
        write(name, MARKDOWN)
    assert [path.name for path in knowledge_files(tmp_path)] == ["a.yml", "b.md"]


def test_a_folder_without_knowledge_files(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeFileError, match="holds no knowledge files"):
        knowledge_files(tmp_path)
    with pytest.raises(KnowledgeFileError, match="cannot be read"):
        knowledge_files(tmp_path / "missing")


def test_scan_goes_on_after_a_bad_file(tmp_path: Path, write: Write) -> None:
    write("a.md", "nothing")
    write("b.md", MARKDOWN)
    documents, found = scan([tmp_path, tmp_path / "none.yaml"])
    assert [document.file for document in documents] == ["b.md"]
    assert [Path(problem.file).name for problem in found] == ["a.md", "none.yaml"]


def test_two_files_cannot_claim_one_name(write: Write) -> None:
    first = write("a.yaml", "category: board\naliases: [pcb]\nnormal: x\n")
    second = write("b.yaml", "category: PCB\nnormal: y\n")
    with pytest.raises(KnowledgeFileError, match=r"b\.yaml: 'PCB' already names the category 'board' of .*a\.yaml"):
        read_documents([first, second])


PIECES = st.sampled_from(
    ["category: a", "normal: x", "---", "# Normal", "# Defects", "## b", "# Tolerances", "- x", "  - y: z",
     "Cause: c", "defects:", "- name: n", "  description: d", "aliases: [", "]", "{", "}", "&a", "*a", "!!str x",
     "? k", ": v", "|", ">", "'", '"', "\t", "%YAML 1.1", "...", "<<: x", "<!--", "-->", "```", "[a](b", "\x00",
     "\x85", "\ud800", "null"]
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=12), suffix=st.sampled_from([".md", ".yaml"])
)
def test_any_file_is_read_or_refused_with_a_sentence(tmp_path: Path, lines: list[str], suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    try:
        document = read_document(path)
    except KnowledgeFileError as error:
        assert error.problems
        assert all(problem.message.endswith((".", "?", ".)")) for problem in error.problems), str(error)
        assert "\n" not in str(error)
    else:
        assert document.entries
        assert all(entry.text == sanitize(entry.text) for entry in document.entries)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("- Severty: high", "'Severty' is not a field; did you mean 'Severity:'?"),
        ("Causes: a worn punch", "did you mean 'Cause:'?"),
        ("- Severity minor", "has no colon after its name; write 'Severity: minor'."),
        ("- **Action** deburr the part", "write 'Action: deburr the part'."),
    ],
)
def test_a_slip_in_a_markdown_field_is_no_description(write: Write, line: str, says: str) -> None:
    path = write("a.md", f"---\ncategory: a\n---\n# Defects\n\n## burr\n\nA lip.\n\n{line}\n")
    with pytest.raises(KnowledgeFileError) as caught:
        read_document(path)
    assert [(each.line, says in each.message) for each in caught.value.problems] == [(10, True)]


def test_sentences_of_a_description_are_no_slips(write: Write) -> None:
    text = "Severity depends on its length. Note: it is thin.\n\n- Size: above 1 mm\n- Seen at an angle\n"
    path = write("a.md", f"---\ncategory: a\n---\n# Defects\n\n## burr\n\n{text}")
    (entry,) = read_document(path).entries
    assert "Severity depends" in entry.text and "Size: above 1 mm" in entry.text and entry.severity is None
