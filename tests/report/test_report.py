"""The page says what the inspection says, whatever is missing from it and whoever wrote its texts."""

from __future__ import annotations

import operator
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.report import report_cases as cases

from reason_iad.errors import ImageError, OutputError
from reason_iad.report import render_report, save_report
from reason_iad.report.facts import limit_percent, percent
from reason_iad.report.pictures import heat_picture
from reason_iad.report.view import answers_of, build_view
from reason_iad.schema import (
    Answer,
    Box,
    CategoryEvidence,
    Claim,
    Entry,
    Evidence,
    Finding,
    Heat,
    Inspection,
    MapEvidence,
    MotionEvidence,
    Region,
    RetrievedEntry,
)
from reason_iad.schema.verdict import ALONE, OperatingPoint

HOSTILE = '</style><script>alert("x")</script><img src=x onerror=alert(1)> \u202e “quotes” & 中文'


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(inspection: Inspection, scratched: bool = True, references: tuple[Any, ...] = ()) -> Page:
    image = cases.plate(True) if scratched else cases.plate(False, 1)
    return Page(render_report(inspection, image=image, references=references))


@pytest.fixture(scope="module")
def full() -> Page:
    return page(cases.defect(), references=(cases.plate(False, 1),))


def test_the_verdict_and_its_reasons_are_said(full: Page) -> None:
    for said in (
        "Defect found", "Scratch, severity: major", "Where Top right",
        "How sure The program is very sure. Estimated probability of a defect:",
        "96.2 %", "Parts count as defective from 50 % on.", "It was not checked on your parts",
        "from the knowledge about metal plate, found by its words (score 7.42)", "What is known about this product",
        "For researchers: what the model itself answered. The verdict also uses the good parts, so it can differ.",
        "Difference from the good part. no difference clear difference", "The good part that it was compared with",
        "the model alone gives 93.7 % for a defect", "the model alone gives 98.4 % for a defect",
        "The marked spot differs far more from the good part than the rest of the picture does. Compared with "
        "1 good part.", "The spot that differs most.",
        "Is there a defect? Asked about the enlarged part alone", "A good part. The same place, enlarged.",
        "A thin bright line runs across", "metal plate (recognised in the picture, similarity 0.93, lead 0.21)",
        "132 x 92 pixels at (428, 66)", "Knowledge entries metal_plate/defect/scratch, ",
        "source: metal_plate.md", "Likely cause Parts sliding over each other", "What to do Set the part aside",
        "good_001.png", "Is there a defect?", "71 % →", "It ended because the reward no longer improved.",
        "9 image patches were looked at again.", "1.73 s", "ab" * 32,
    ):  # fmt: skip
        assert said in full.text, said


def test_what_cannot_be_told_apart_is_named_together() -> None:
    claims = (
        Claim(fact="type", names=("scratch", "dent"), probability=0.93),
        Claim(fact="place", names=("top right", "top center"), probability=0.97),
        Claim(fact="size", names=("small",), probability=0.9),
    )
    region = cases.defect().region
    assert region is not None
    unsure = cases.defect(claims=claims, region=region.model_copy(update={"share": 0.02}))
    text = page(unsure, references=(cases.plate(False, 1),)).text
    for said in (
        "Scratch or dent",
        "top right or top center (top right has a probability of 81 %)",
        "Where Top right, as marked. The model was not certain, and also named top center. Size",
        "Small. The box measures 132 x 92 pixels, which is 4.0 % of the picture.",
        "small (2.0 % of the picture differs there)",
    ):
        assert said in text, said
    for of_one_type in ("severity", "Likely cause", "found here"):
        assert of_one_type not in text, "severity, cause and action belong to one type"
    changed = unsure.evidence.model_copy(
        update={
            "change": "A gap interrupts a dark line.",
            "answers": tuple(
                answer.model_copy(update={"described": True}) if answer.key == "type" else answer
                for answer in unsure.evidence.answers
            ),
        }
    )
    told = page(unsure.model_copy(update={"evidence": changed}), references=(cases.plate(False, 1),)).text
    assert "At the spot that differs most: a gap interrupts a dark line." in told
    assert "Which defect is it? Asked by what changed" in told
    small = region.model_copy(update={"share": 0.012})
    for kept, said in (
        (claims[1:], "not clear, perhaps scratch"),
        ((), "ot clear, perhaps top right"),
        ((), "not clear, perhaps small"),
    ):
        guess = unsure.model_copy(update={"claims": kept, "region": small})
        assert said in page(guess, references=(cases.plate(False, 1),)).text


def test_a_map_that_is_not_weighed_says_whether_it_may_speak() -> None:
    whole = cases.defect()
    alone = whole.model_copy(update={"evidence": whole.evidence.model_copy(update={"fusion": None})})
    text = page(alone, references=(cases.plate(False, 1),)).text
    assert "The part differs more than good parts do." in text and "The verdict is the model's own." in text
    assert "The verdict does not take this difference into account." in text
    assert "into account" not in page(whole, references=(cases.plate(False, 1),)).text


def test_the_map_that_is_weighed_is_the_map_that_is_shown() -> None:
    whole, good = cases.defect(), (cases.plate(False, 1),)
    elsewhere = Heat(rows=2, columns=2, values=(0.0, 0.0, 0.0, 1.0))
    assert whole.evidence.fusion is not None
    fusion = whole.evidence.fusion.model_copy(update={"heat": elsewhere})
    weighed = whole.model_copy(update={"evidence": whole.evidence.model_copy(update={"fusion": fusion})})
    before, after = (
        [value for tag, name, value in page(one, references=good).attributes if (tag, name) == ("img", "src")]
        for one in (whole, weighed)
    )
    drawn = heat_picture(cases.plate(True).pixels, elsewhere, "")
    assert drawn is not None and len(before) == len(after)
    assert drawn.uri in after and drawn.uri not in before and sum(map(operator.ne, before, after)) == 1
    torn = fusion.model_copy(update={"heat": elsewhere.model_copy(update={"values": (1.0,)})})
    evidence = whole.evidence.model_copy(update={"fusion": torn})
    pictures = page(whole.model_copy(update={"evidence": evidence}), references=good).attributes
    assert [value for tag, name, value in pictures if (tag, name) == ("img", "src")] == before, "the calibrated one"


def test_everything_visual_is_there(full: Page) -> None:
    pictures = [value for tag, name, value in full.attributes if (tag, name) == ("img", "src")]
    assert len(pictures) == 5 + 3, "inspected, closer, good part there, map, reference, patches per question"
    assert all(str(source).startswith("data:image/jpeg;base64,") for source in pictures)
    classes = [value for _, name, value in full.attributes if name == "class"]
    for shape in ("region", "patch p1", "plot"):
        assert shape in classes
    region = cases.defect().region
    assert region is not None
    unmarked = page(cases.defect(region=region.model_copy(update={"box": None})))
    assert ("rect", "class", "cell") in unmarked.attributes and (
        "rect",
        "class",
        "region",
    ) not in unmarked.attributes
    boxes = {(n, v) for t, n, v in full.attributes if t == "rect"}
    assert {("x", "428"), ("y", "66"), ("width", "132"), ("height", "92")} <= boxes


def test_nothing_is_fetched_and_nothing_runs(full: Page) -> None:
    assert "script" not in full.tags
    for tag, name, value in full.attributes:
        if name in ("src", "href", "xlink:href", "action", "data"):
            assert str(value).startswith(("data:", "#")), (tag, name, value)
        assert not name.startswith("on")
    policy = [value for tag, name, value in full.attributes if (tag, name) == ("meta", "content")]
    assert any("default-src 'none'" in str(value) for value in policy)
    html = render_report(cases.defect(), image=cases.plate(True))
    assert not re.search(r"url\((?!#)|@import", html)


def test_pictures_have_words(full: Page) -> None:
    words = [value for tag, name, value in full.attributes if (tag, name) == ("img", "alt")]
    assert len(words) == full.tags.count("img")
    assert all(words)
    assert ("html", "lang", "en") in full.attributes


def test_ids_are_unique(full: Page) -> None:
    ids = [value for _, name, value in full.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_hostile_text_stays_text() -> None:
    entry = Entry(
        id=HOSTILE, category=HOSTILE, kind="defect", name=HOSTILE, text=HOSTILE, cause=HOSTILE, source=HOSTILE
    )
    inspection = cases.bare(
        verdict="defect",
        defect_type=HOSTILE,
        explanation=HOSTILE,
        image=cases.bare().image.model_copy(update={"name": HOSTILE}),
        evidence=Evidence(
            category=CategoryEvidence(name=HOSTILE, origin="given"),
            knowledge=(RetrievedEntry(entry=entry, score=1.0, scorer="bm25"),),
            answers=(cases.good().evidence.answers[0].model_copy(update={"question": HOSTILE}),),
        ),
    )
    shown = page(inspection, scratched=False)
    assert "script" not in shown.tags
    assert shown.tags.count("img") == 1
    assert shown.tags.count("style") == 1
    assert shown.text.count('<script>alert("x")</script>') >= 7


@pytest.mark.parametrize("make", [cases.good, cases.bare])
def test_what_is_missing_is_left_out(make: Any) -> None:
    shown = page(make(), scratched=False)
    assert "Pass" in shown.text
    assert ALONE in shown.text
    for absent in ("Good parts", "Difference from the good parts", "Image patches looked at"):
        assert absent not in shown.text


def test_a_defect_without_place_or_type() -> None:
    shown = page(cases.bare(verdict="defect"), scratched=False)
    assert "Defect found" in shown.text
    assert "Defect of unknown type" in shown.text


def test_odd_evidence_does_not_break_the_page() -> None:
    region = Region(
        box=cases.BOX.model_copy(update={"x1": 9000, "x2": 9100}), place="nowhere", place_probability=0.5
    )
    broken = MapEvidence(rows=3, columns=3, values=(0.5,), gate_passed=False, calibrated_on=1)
    nan = MapEvidence(rows=1, columns=2, values=(float("nan"), 2.0), gate_passed=False, calibrated_on=1)
    for anomaly_map in (broken, nan):
        evidence = cases.defect().evidence.model_copy(update={"anomaly_map": anomaly_map})
        page(cases.defect(region=region, evidence=evidence))


def test_references_that_changed_are_pointed_out() -> None:
    other = cases.plate(False, 7)
    assert "differs from the recorded one" in page(cases.defect(), references=(other,)).text
    assert "Picture not included" in page(cases.defect()).text
    assert "It was not used in this inspection" in page(cases.good(), scratched=False, references=(other,)).text


def test_types_that_could_not_be_chosen_are_named() -> None:
    plain = cases.defect()
    assert "left out" not in page(plain).text
    many = plain.evidence.model_copy(update={"types_left_out": ("worm hole", "<b>pore</b>")})
    assert "These were left out: worm hole, <b>pore</b>." in page(cases.defect(evidence=many)).text


def test_of_many_references_the_used_ones_are_shown() -> None:
    evidence = cases.defect().evidence
    (reference,) = evidence.references
    left = reference.model_copy(update={"used": False, "name": "left out.png"})
    many = cases.defect(evidence=evidence.model_copy(update={"references": (left, reference, left)}))
    shown = page(many, references=("gone.png", cases.plate(False, 1), "gone.png")).text
    assert (
        "1 of the 3 good parts that were given was used: the one that looks most like this part." in shown
        and "left out.png" not in shown
    )
    assert page(many, references=(cases.plate(False, 1),)).text == shown
    assert (
        "differs from the recorded" not in shown and "good parts that were given" not in page(cases.defect()).text
    )


@pytest.mark.parametrize(
    ("dx", "dy", "degrees", "said"),
    [
        (0.031, -0.02, 1.24, "moving it 3.1% to the right and 2.0% up and turning it 1.2° clockwise"),
        (0.031, 0.0, 0.04, "Compared after moving it 3.1% to the right."),
        (0.0, 0.0004, -1.24, "Compared after turning it 1.2° anticlockwise."),
        (-0.031, 0.02, -1.24, "moving it 3.1% to the left and 2.0% down and turning it 1.2° anticlockwise"),
    ],
)
def test_how_a_reference_was_moved_is_told(dx: float, dy: float, degrees: float, said: str) -> None:
    evidence = cases.defect().evidence
    (reference,) = evidence.references
    motion = MotionEvidence(dx=dx, dy=dy, degrees=degrees, before=0.5, after=0.9)
    moved = evidence.model_copy(update={"references": (reference.model_copy(update={"motion": motion}),)})
    assert said in page(cases.defect(evidence=moved)).text
    assert "moving it" not in page(cases.defect()).text


def test_another_picture_is_refused() -> None:
    with pytest.raises(ImageError, match=r"32x32.*640x480"):
        render_report(cases.defect(), image=Image.new("RGB", (32, 32)))


def test_another_picture_of_the_same_size_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    cases.plate(False, 7).pixels.save(other)
    for image in (other, cases.plate(False, 7)):
        with pytest.raises(ImageError, match=r"is not the picture that was inspected: its hash begins with \w{12}"):
            save_report(cases.defect(), tmp_path / "a.html", image=image)
    assert not (tmp_path / "a.html").exists()
    same = tmp_path / "same.png"
    cases.plate(True).pixels.save(same)  # inspected without a file, and kept in one
    assert save_report(cases.defect(), tmp_path / "a.html", image=same).is_file()


def test_a_close_call_asks_for_a_person() -> None:
    assert answers_of(cases.defect(probability=0.55)).close_call
    assert not answers_of(cases.defect()).close_call
    point = OperatingPoint(false_alarms=0.1, good_parts=9, pass_below=0.5, threshold=0.5)
    promised = cases.defect(probability=0.55).model_copy(update={"operating_point": point})
    assert not answers_of(promised).close_call  # known parts say what is close


def test_what_is_only_suspected_is_not_said_to_be_there() -> None:
    point = OperatingPoint(
        false_alarms=0.1, good_parts=9, missed=0.1, defective_parts=9, pass_below=0.4, threshold=0.9
    )
    suspected = cases.defect(probability=0.55).model_copy(
        update={"operating_point": point, "verdict": "review", "threshold": 0.9}
    )
    view = build_view(suspected, cases.plate(True), ())
    assert view.title.startswith("Needs a person: ") and view.answers.what.startswith("Suspected: ")
    assert "the suspected defect is at" in view.picture.alt
    assert dict(view.facts)["Suspected type"] and "Type of defect" not in dict(view.facts)
    assert (
        view.answers.limits
        == "Parts count as defective from 90 % on. They pass below 40 %. Between them, a person decides."
    )
    assert view.answers.sure == "Between the limits" and view.box_means == "suspected defect"


@pytest.mark.parametrize(
    ("verdict", "probability", "said"),
    [
        ("pass", 0.02, "very"), ("pass", 0.25, "fairly"), ("pass", 0.45, "not very"),
        ("defect", 0.55, "not very"), ("defect", 0.75, "fairly"), ("defect", 1.0, "very"),
    ],
)  # fmt: skip
def test_how_sure_is_said_in_words(verdict: Any, probability: float, said: str) -> None:
    assert answers_of(cases.defect(verdict=verdict, probability=probability)).sure == f"The program is {said} sure"


def test_a_defect_that_does_not_stand_out_is_the_models_opinion() -> None:
    evidence = cases.defect().evidence
    assert evidence.fusion is not None
    quiet = evidence.fusion.model_copy(update={"patches": 0.0, "pixels": 0.1})
    result = cases.defect(evidence=evidence.model_copy(update={"fusion": quiet}))
    text = page(result, references=(cases.plate(False, 1),)).text
    for said in (
        "The comparison with the good part shows nothing clear. "
        "The verdict comes from the model alone, which can be wrong.",
        "where the model suspects the defect",
        "The spot that the model looked at again.",
    ):
        assert said in text
    assert "differs most" not in text and "differs clearly more" not in text


def test_the_closer_look_shows_the_marked_region() -> None:
    evidence = cases.defect().evidence
    elsewhere = evidence.model_copy(update={"closer": Box(x1=0, y1=240, x2=213, y2=480)})
    good = (cases.plate(False, 1),)
    looked, marked = (
        build_view(cases.defect(evidence=one), cases.plate(True), good).comparison for one in (evidence, elsewhere)
    )
    assert looked.note.startswith("The spot that differs most.") and looked.part and looked.part.width == 640 - 213
    assert marked.note == "The marked region and what lies around it." and marked.good is not None
    assert marked.part is not None and (marked.part.width, marked.part.height) == (640 - 296, 290)
    assert "The marked spot" not in page(cases.defect(evidence=elsewhere), references=good).text


def test_what_was_left_out_of_the_explanation_is_told() -> None:
    evidence = cases.defect().evidence
    whole = evidence.answers[-1].model_copy(update={"text": "Defect at center. It lies at the bottom left."})
    cut = evidence.model_copy(update={"answers": (*evidence.answers[:-1], whole)})
    told = page(cases.defect(evidence=cut, explanation="Defect at center.")).text
    assert (
        "The program left out sentences that the result does not support." in told
        and "It lies at the bottom left." in told
    )
    assert "The program left out" not in page(cases.defect()).text


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.0004, "< 0.1 %"), (0.9996, "> 99.9 %"), (0.5, "50 %"), (0.937, "93.7 %")],
)
def test_percentages_never_round_to_certainty(value: float, said: str) -> None:
    assert percent(value) == said


@pytest.mark.parametrize(
    ("value", "limit", "said", "beside"),
    [
        (0.998, 0.9982, "99.80 %", "99.82 %"),
        (0.0568, 0.0567, "5.68 %", "5.67 %"),
        (0.9982, 0.9982, "99.82 %", "99.82 %"),
        (0.5, 0.5, "50.0 %", "50.0 %"),
        (0.057, 0.9982, "5.7 %", "99.82 %"),
    ],
)
def test_close_to_a_limit_more_digits_are_shown(value: float, limit: float, said: str, beside: str) -> None:
    assert (percent(value, (limit,)), limit_percent(limit, value)) == (said, beside)


@pytest.mark.parametrize(
    ("verdict", "said"), [("pass", "Below"), ("review", "Between"), ("defect", "Above")]
)  # fmt: skip
def test_with_limits_from_known_parts_no_word_of_certainty_is_said(verdict: Any, said: str) -> None:
    point = OperatingPoint(
        false_alarms=0.1, good_parts=9, missed=0.1, defective_parts=9, pass_below=0.005, threshold=0.9982
    )
    result = cases.defect(verdict=verdict, probability=0.998).model_copy(
        update={"operating_point": point, "threshold": 0.9982}
    )
    answers = answers_of(result)
    assert answers.sure.startswith(f"{said} the limit")
    assert (
        answers.limits
        == "Parts count as defective from 99.82 % on. They pass below 0.5 %. Between them, a person decides."
    )
    assert "0.5 % and 99.82 %" in answers.rule
    text = page(result).text
    assert "They hold only for parts that are made and photographed in the same way." in text


@pytest.mark.parametrize(
    ("verdict", "explanation"),
    [
        ("defect", "Defect: No. 5 scratch at top right. It is long. It shines."),
        (
            "review",
            "Not certain: a person has to decide. "
            "Suspected: No. 5 scratch at top right. It is long. It shines.",
        ),
        ("defect", "Defect. It is long. It shines."),
        ("pass", "No defect found. It is long. It shines."),
        ("pass", "It is long. It shines."),
    ],
)  # fmt: skip
def test_why_begins_with_the_comparison_and_repeats_nothing(verdict: Any, explanation: str) -> None:
    claims = (
        Claim(fact="type", names=("No. 5 scratch",), probability=0.9),
        Claim(fact="place", names=("top right",), probability=0.9),
    )
    known = claims if "No. 5" in explanation else ()
    first, *_, last = answers_of(cases.defect(verdict=verdict, explanation=explanation, claims=known)).why
    assert first.startswith("The marked spot differs") and last == "It is long. It shines."


def test_the_answer_to_a_further_question_is_on_the_first_card() -> None:
    evidence = cases.good().evidence
    answer = Answer(key="question", question="How many holes are there?", text="There are four.")
    asked = evidence.model_copy(update={"answers": (*evidence.answers, answer)})
    text = page(cases.good(evidence=asked), scratched=False).text
    assert "Question How many holes are there? Answer There are four." in text.partition("Why")[0]


def test_knowledge_that_was_only_searched_for_is_not_said_to_be_about_the_product() -> None:
    evidence = cases.defect().evidence.model_copy(
        update={"category": CategoryEvidence(name=None, origin="unknown")}
    )
    text = page(cases.defect(evidence=evidence)).text
    assert "What a search in the knowledge found" in text and "known about this product" not in text


def test_a_kind_that_is_also_the_name_is_said_once(full: Page) -> None:
    assert "normal normal" not in full.text and "tolerance brushing marks" in full.text


def test_the_same_inspection_gives_the_same_page(drawn: dict[tuple[str, str], str]) -> None:
    pages = []
    for _ in range(2):
        drawn.clear()
        pages.append(render_report(cases.defect(), image=cases.plate(True)))
    assert pages[0] == pages[1]


def test_saving_is_atomic(tmp_path: Path) -> None:
    path = save_report(cases.defect(), tmp_path / "out.html", image=cases.plate(True))
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.html"]
    with pytest.raises(OutputError, match="gone"):
        save_report(cases.defect(), tmp_path / "gone" / "out.html", image=cases.plate(True))


def test_the_inspected_picture_may_be_given_in_any_form(tmp_path: Path) -> None:
    import reason_iad

    pixels, file = cases.plate(True).pixels, tmp_path / "plate.png"
    pixels.save(file)
    for image in (pixels, np.asarray(pixels), file, str(file), file.read_bytes()):
        path = reason_iad.save_report(cases.defect(), tmp_path / "a.html", image=image, references=file)
        assert "Defect found" in path.read_text(encoding="utf-8")
    with pytest.raises(ImageError, match="The image was given as None"):
        reason_iad.save_report(cases.defect(), tmp_path / "a.html", image=None)  # type: ignore[arg-type]


def test_every_finding_is_marked() -> None:
    def finding(x: int) -> Finding:
        corners = ((x, 10), (x + 40, 10), (x, 60))
        box = Box(x1=x, y1=10, x2=x + 40, y2=60)
        return Finding(box=box, polygon=corners, place="top left", area_px=9.0, share=0.1, length_px=9.0, score=2.0)

    def others(*places: int) -> tuple[int, str]:
        shown = page(cases.defect(findings=tuple(map(finding, places))))
        marked = [
            value for tag, name, value in shown.attributes if (tag, name, value) == ("rect", "class", "other")
        ]
        return len(marked), shown.text

    assert others(10)[0] == 0, "the first is the region itself"
    count, text = others(10, 200)
    assert count == 1 and "another place that differs, perhaps a defect" in text
    count, text = others(10, 200, 900, 300)
    assert count == 2, "none outside of the picture"
    assert "other places that differ, perhaps defects" in text
