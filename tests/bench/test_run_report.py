"""`bench report` on runs with known counts: the tables it prints, worked out by hand."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.bench.made_runs import answer, answers, make_run, write_run

from reason_iad.bench.records import AnswerRecord, TimingRecord
from reason_iad.bench.report import render
from reason_iad.bench.report.facts import conditions
from reason_iad.bench.report.summary import Timing, load, summarize
from reason_iad.cli import main


def report(*words: object) -> Result:
    return CliRunner().invoke(main, ["bench", "report", *map(str, words)])


def known() -> list[AnswerRecord]:
    """Two datasets; one answer unreadable, one image failed."""
    return [
        *answers("bolts", "Anomaly Detection", right=9, asked=10, folder="good"),
        *answers("bolts", "Anomaly Detection", right=12, asked=20),
        *answers("bolts", "Defect Classification", right=3, asked=8),
        *answers("bolts", "Object Structure", right=1, asked=2),
        *answers("bolts", "Object Details", right=2, asked=2),
        answer("bolts/part/test/scratch/a.png", "Defect Analysis", None, reply="maybe"),
        *answers("bolts", "Defect Analysis", right=3, asked=3),
        *answers("tiles", "Anomaly Detection", right=2, asked=4, folder="good"),
        *answers("tiles", "Anomaly Detection", right=1, asked=4),
        *answers("tiles", "Defect Analysis", right=4, asked=4),
        answer("tiles/part/test/scratch/b.png", "Defect Analysis", None, failure="image", error="b.png is torn"),
    ]


# bolts detection: (9/10 + 12/20) / 2 = 75 %; tiles: (2/4 + 1/4) / 2 = 37.5 %
# bolts average: (75 + 37.5 + 75 + 75) / 4 = 65.6; tiles: (37.5 + 80) / 2 = 58.75; both: 62.2
EXACT = """
| dataset | Anomaly Detection | Defect Class. | Defect Local. | Defect Descr. | Defect Analysis | Object Class. | Object Analysis | Average |
| ------- | ----------------: | ------------: | ------------: | ------------: | --------------: | ------------: | --------------: | ------: |
| bolts   |              75.0 |          37.5 |             – |             – |            75.0 |             – |            75.0 |    65.6 |
| tiles   |              37.5 |             – |             – |             – |            80.0 |             – |               – |    58.8 |
| Average |              56.2 |          37.5 |             – |             – |            77.5 |             – |            75.0 |    62.2 |

Percent. Unreadable answers and failed images count as wrong.

Anomaly Detection is the mean of two shares: of the normal images called normal, and of the abnormal images called abnormal. A model that always gives the same answer gets 50, however many images are normal.

Averages go over what there is: 'bolts' 4 of 7 subtasks, 'tiles' 2 of 7 subtasks, Defect Classification 1 of 2 datasets, Object Analysis 1 of 2 datasets.
"""  # noqa: E501

# The unreadable answer and the right one behind it are not counted: bolts' Defect Analysis is 2/2, not 3/4.
# The failed image is not in the file: tiles' Defect Analysis is 4/4. Empty cells are 0 and go into averages:
# bolts (75 + 37.5 + 100 + 75) / 4 = 71.9, tiles (37.5 + 0 + 100 + 0) / 4 = 34.4, both 53.1.
COMPATIBLE = """
| dataset | Anomaly Detection | Defect Class. | Defect Analysis | Object Analysis | Average |
| ------- | ----------------: | ------------: | --------------: | --------------: | ------: |
| bolts   |              75.0 |          37.5 |           100.0 |            75.0 |    71.9 |
| tiles   |              37.5 |           0.0 |           100.0 |             0.0 |    34.4 |
| Average |              56.2 |          18.8 |           100.0 |            37.5 |    53.1 |
"""

DETECTION = """
| dataset | normal | abnormal | recall | precision |   F1 | overkill | miss |
| ------- | -----: | -------: | -----: | --------: | ---: | -------: | ---: |
| bolts   |     10 |       20 |   60.0 |      92.3 | 72.7 |     10.0 | 40.0 |
| tiles   |      4 |        4 |   25.0 |      33.3 | 28.6 |     50.0 | 75.0 |
"""

COUNTS = """
| dataset | subtask               | asked | right | unreadable | failed | accuracy | 95 % interval | guessing |
| ------- | --------------------- | ----: | ----: | ---------: | -----: | -------: | ------------: | -------: |
| bolts   | Anomaly Detection     |    30 |    21 |          0 |      0 |     75.0 |  56.4 to 84.9 |     25.0 |
| bolts   | Defect Classification |     8 |     3 |          0 |      0 |     37.5 |  13.7 to 69.4 |     25.0 |
| bolts   | Defect Analysis       |     4 |     3 |          1 |      0 |     75.0 |  30.1 to 95.4 |     25.0 |
| bolts   | Object Analysis       |     4 |     3 |          0 |      0 |     75.0 |  30.1 to 95.4 |     25.0 |
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(make_run(known()), tmp_path / "runs" / "full")


def test_a_run_with_known_counts_prints_exactly_the_right_tables(folder: Path) -> None:
    result = report(folder)
    assert result.exit_code == 0, result.output
    for table in (EXACT, COMPATIBLE, DETECTION, COUNTS):
        assert table in result.output
    assert "| tiles/part/test/scratch/b.png#0 | image      | b.png is torn |" in result.output
    assert "1 answer could not be read; counted as wrong." in result.output
    assert "1 question failed (image or error); counted as wrong." in result.output


def test_an_unfinished_run_says_how_far_it_is(tmp_path: Path) -> None:
    write_run(make_run(answers("D", "Defect Analysis", 1, 412), questions=2161, status="running"), tmp_path / "run")
    output = report(tmp_path / "run").output
    assert "412 of 2161 questions answered" in output and "not finished" in output


def test_a_run_without_any_answer_says_so_and_nothing_more(tmp_path: Path) -> None:
    write_run(make_run([], questions=5, status="running"), tmp_path / "run")
    for kind in ("md", "csv", "json"):
        result = report(tmp_path / "run", "--format", kind)
        assert result.exit_code == 0, result.output
    assert "0 of 5 questions answered" in report(tmp_path / "run").output


def test_several_runs_stand_in_one_table_and_the_best_of_the_finished_is_bold(tmp_path: Path) -> None:
    for name, right, asked in (("direct", 2, 4), ("full", 3, 4), ("partial", 2, 2)):
        those = answers("D", "Defect Analysis", right, asked)
        write_run(make_run(those, questions=4, method=name), tmp_path / name)
    output = report(tmp_path).output
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in output.splitlines() if line.startswith("| ")
    ]
    table = {row[0]: row[6] for row in rows[2:5]}
    assert table == {"direct": "50.0", "full": "**75.0**", "partial": "100.0"}
    assert "'partial' is not finished (2 of 4) and takes no part in the marks." in output


def test_runs_on_other_questions_are_not_set_side_by_side_silently(tmp_path: Path) -> None:
    for right, name in enumerate(("one", "two")):
        run = make_run(answers("D", "Defect Analysis", right, 2), questions_sha256=name)
        write_run(run, tmp_path / name)
    output = report(tmp_path).output
    assert "not asked the same questions" in output and "**50.0**" not in output


def test_runs_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("first/full", "second/full"):
        write_run(make_run(known()), tmp_path / name)
    assert [each.label for each in load([tmp_path / "first", tmp_path / "second"])] == ["first/full", "second/full"]
    assert len(load([tmp_path / "first", tmp_path / "first" / "full"])) == 1, "the same run is not judged twice"


def test_csv_has_a_row_per_run_dataset_and_subtask(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(report(folder, "--format", "csv").output)))
    assert [(row["dataset"], row["subtask"]) for row in rows] == [
        ("bolts", "Anomaly Detection"),
        ("bolts", "Defect Classification"),
        ("bolts", "Defect Analysis"),
        ("bolts", "Object Analysis"),
        ("tiles", "Anomaly Detection"),
        ("tiles", "Defect Analysis"),
    ]
    analysis = rows[2]
    assert (analysis["asked"], analysis["right"], analysis["unparsable"]) == ("4", "3", "1")
    assert (analysis["accuracy"], analysis["compatible"]) == ("0.750000", "1.000000")


def test_json_has_everything(folder: Path) -> None:
    (run,) = json.loads(report(folder, "--format", "json").output)["runs"]
    assert run["exact"]["average"] == pytest.approx(0.621875)
    assert run["compatible"]["average"] == pytest.approx(0.53125)
    assert run["exact"]["total"] == {"asked": 59, "right": 37, "unparsable": 1, "failed": 1}
    assert {each["question"] for each in run["failures"]} == {
        "bolts/part/test/scratch/a.png#0",
        "tiles/part/test/scratch/b.png#0",
    }
    assert run["exact"]["detection"]["bolts"]["overkill"] == pytest.approx(0.1)
    low, high = run["exact"]["interval"].values()
    assert low < run["exact"]["average"] < high


@pytest.mark.parametrize("kind", ["md", "csv", "json"])
def test_the_same_folder_gives_the_same_text(folder: Path, kind: str) -> None:
    assert render(load([folder]), kind) == render(load([folder]), kind)


def test_the_format_follows_the_file(folder: Path, tmp_path: Path) -> None:
    for name, start in (("r.csv", "run,"), ("r.json", "{"), ("r.md", "# "), ("r.txt", "# ")):
        assert report(folder, "--out", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


def test_a_folder_without_a_run_is_an_error_with_the_mend(tmp_path: Path) -> None:
    result = report(tmp_path)
    assert result.exit_code == 2 and "bench run" in result.output


def test_published_figures_stand_beside_runs_on_mmads_images_only(tmp_path: Path, folder: Path) -> None:
    mmad = write_run(make_run(answers("VisA", "Defect Analysis", 3, 4)), tmp_path / "mmad")
    output = report(mmad).output
    assert "published" in output and "| GPT-4o " in output
    assert "Human expert" not in output, "an average over four datasets is no yardstick for one"
    assert "GPT-4o" not in report(mmad, "--no-published").output
    other = report(folder).output
    assert "GPT-4o" not in other and "Published figures of MMAD are not shown" in other
    forced = report(folder, "--published").output
    assert "Human expert" in forced and "no yardstick" in forced


def test_all_of_mmad_is_ranked_among_everything_published(tmp_path: Path) -> None:
    those = [
        each
        for name in ("DS-MVTec", "MVTec-LOCO", "VisA", "GoodsAD")
        for each in answers(name, "Defect Analysis", 4, 5)
    ]
    output = report(write_run(make_run(those), tmp_path / "run")).output
    names = [
        line.split("|")[1].strip() for line in output.split("Beside what")[1].splitlines() if line.startswith("| ")
    ]
    assert names.index("JUDO") < names.index("**run**") < names.index("Reason-IAD")
    assert "has not answered, all that the published figures cover" in output


def test_what_reasoning_and_injection_did_is_told(tmp_path: Path) -> None:
    those = [
        answer(f"D/p/test/x/{i}.png", "Defect Analysis", i < 9, initial="A" if i < 6 else "B", reward=i,
               inside=0.3 + i / 100, chance=0.1, probabilities={"A": 0.8, "B": 0.2} if i < 9 else {"B": 0.8})
        for i in range(10)
    ]  # fmt: skip
    timings = [TimingRecord(question=each.question, ms=100.0 + i, peak_mb=7) for i, each in enumerate(those)]
    output = report(write_run(make_run(those, timings=timings), tmp_path / "run")).output
    assert "changed 3 of 10 answers: 3 became right, 0 became wrong (p = 0.25). That is within noise." in output
    assert "more often than by chance: 34.5 % of them do, against 10.0 % of all patches" in output
    assert "less sure than it is right (mean confidence 80.0 %, accuracy 90.0 %)" in output
    assert "median 104 ms, 95 % within 109 ms" in output


def test_the_knowledge_is_a_condition_of_methods_that_use_it_only() -> None:
    named = {
        method: dict(conditions(summarize(make_run(known(), method=method, knowledge_sha256="ab" * 32))))
        for method in ("full", "direct")
    }
    assert named["full"]["knowledge"] == "sha256 abababababab"
    assert "knowledge" not in named["direct"]


def test_how_many_templates_the_model_saw_is_told() -> None:
    def told(shown: int) -> str:
        return dict(conditions(summarize(make_run(known(), shots=4, config={"max_references": shown}))))[
            "templates"
        ]

    assert (told(4), told(1)) == ("4 normal, random", "4 normal, random, 1 of them shown")


def test_quantiles_of_time_are_times_that_occurred() -> None:
    timing = Timing((1.0, 2.0, 3.0, 4.0), peak_mb=1)
    assert [timing.quantile(q) for q in (0.0, 0.25, 0.26, 0.5, 0.99, 1.0)] == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]


def test_markdown_shows_hostile_text_as_it_is() -> None:
    those = [answer("a|b/<i>x/test/s/_1_.png", "Defect Analysis", None, reply="**bold** `code`\n# [link](x) &amp;")]
    text = render([summarize(make_run(those), "l|abel")], "md")
    assert "\\|" in text and "\\<i>x" in text
    assert "\\*\\*bold\\*\\* \\`code\\` # \\[link\\](x) \\&amp;" in text
    tables = [line for line in text.splitlines() if line.startswith("| a\\|b")]
    assert tables and all(line.replace("\\|", "").count("|") in (4, 9, 10, 11) for line in tables)
