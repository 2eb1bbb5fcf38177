"""Labelled texts: what is read, what is left out, and what people are told."""

import json
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from kubefit.api.recipe import Documents
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import documents, encodings

FIELD = "spec.recipe.text.train.csv"


def read(volume: Path, encoding: str = "utf-8", known: list[str] | None = None, **given: str):
    return documents.read(Documents(**given), volume, encoding=encoding, field=FIELD, known=known)


def texts(corpus: documents.Corpus) -> list[str]:
    return [corpus.texts[sample] for sample in range(len(corpus.texts))]


def test_a_csv_file_gives_texts_and_classes_in_the_order_of_its_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'id,review,mark\n1,"good, and\nlong",2\n2,bad,10\n3,"so ""so""",2\n', encoding="utf-8"
    )
    found = read(tmp_path, csv="a.csv", text_column="review", label_column="mark")
    assert texts(found) == ["good, and\nlong", "bad", 'so "so"']
    assert found.labels.names == ["2", "10"]
    assert list(found.labels.classes or []) == [0, 1, 0]


def test_lines_of_json_give_the_same(tmp_path: Path) -> None:
    rows = [{"text": "fein", "label": "a"}, {"text": "schön\u2028zwei", "label": "b"}]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "a.jsonl").write_text(lines + "\n\n", encoding="utf-8")
    found = read(tmp_path, jsonl="a.jsonl")
    assert texts(found) == ["fein", "schön\u2028zwei"]
    assert found.labels.names == ["a", "b"]


def test_folders_of_text_files_are_classes(tmp_path: Path) -> None:
    for label, name, content in (("b", "1.txt", "x"), ("a", "2.txt", "y"), ("a", "note.md", "z")):
        (tmp_path / "set" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / label / name).write_text(content)
    found = read(tmp_path, folder="set")
    assert texts(found) == ["y", "x"]
    assert found.labels.names == ["a", "b"]
    assert [Path(place).name for place in found.places] == ["2.txt", "1.txt"]


def test_another_encoding_is_told_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text,label\nna\xefve,a\n".encode("latin-1"))
    with pytest.raises(ConfigurationError) as told:
        read(tmp_path, csv="a.csv")
    assert str(told.value) == (
        f"{FIELD}: {tmp_path}/a.csv: byte 13 (0xef) is not utf-8; set spec.recipe.text.encoding to"
        " the encoding of the texts, or to auto"
    )
    assert texts(read(tmp_path, "latin-1", csv="a.csv")) == ["naïve"]


@pytest.mark.parametrize("written", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_auto_finds_the_encoding_of_each_file(tmp_path: Path, written: str) -> None:
    sentence = "Die Wörter müssen größer sein, als der Schlüssel für die Tür es überhaupt zulässt. "
    (tmp_path / "a.csv").write_text(f'text,label\n"{sentence * 4}",a\n', encoding=written)
    assert texts(read(tmp_path, "auto", csv="a.csv")) == [sentence * 4]


@pytest.mark.parametrize("written", ["gb18030", "utf-16"])
def test_the_encoding_of_a_long_file_is_found_by_whole_characters(
    tmp_path: Path, monkeypatch, written: str
) -> None:
    """The file is longer than what is looked at, whose end would lie within a character."""
    sentence = "今天的天气很好，我们一起去公园散步，然后在湖边的茶馆里喝了一杯绿茶。"
    content = ("text,label\n" + f"{sentence},好\n" * 60).encode(written)
    (tmp_path / "a.csv").write_bytes(content)
    for looked_at in range(2000, 2004):
        monkeypatch.setattr(encodings, "_LOOKED_AT", looked_at)
        assert texts(read(tmp_path, "auto", csv="a.csv")) == [sentence] * 60


def test_a_byte_far_within_a_file_is_told_by_its_place_in_the_file(tmp_path: Path) -> None:
    whole = b"text,label\n" + b"fine,a\n" * 10_000
    (tmp_path / "a.csv").write_bytes(whole + b"na\xefve,a\n")
    with pytest.raises(ConfigurationError, match=rf"a\.csv: byte {len(whole) + 2} \(0xef\)"):
        read(tmp_path, csv="a.csv")


def test_a_large_file_takes_little_more_memory_than_its_texts(tmp_path: Path) -> None:
    line = "a short text that is like many others,label\n"
    (tmp_path / "a.csv").write_text("text,label\n" + line * 20_000)
    size = (tmp_path / "a.csv").stat().st_size
    read(tmp_path, csv="a.csv")  # What is imported and cached by the first.
    tracemalloc.start()
    try:
        found = read(tmp_path, csv="a.csv")
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.texts) == 20_000
    assert kept < 2 * size
    assert most < 3 * size


def test_texts_of_files_of_one_name_are_left_out_each(tmp_path: Path) -> None:
    left_out: dict[str, str] = {}
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text("text,label\n,a\nx,b\n")
        left_out |= read(tmp_path, csv=f"{folder}/a.csv").left_out
    assert list(left_out) == ["one/a.csv line 2", "two/a.csv line 2"]


def test_a_text_file_in_another_encoding_and_an_empty_one_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "set" / "a").mkdir(parents=True)
    for name, content in (("1", b"fine"), ("2", b"\xff\xff"), ("3", b" \n")):
        (tmp_path / "set" / "a" / f"{name}.txt").write_bytes(content)
    found = read(tmp_path, folder="set")
    assert texts(found) == ["fine"]
    assert {Path(place).name: why for place, why in found.left_out.items()} == {
        "2.txt": "byte 0 (0xff) is not utf-8; set spec.recipe.text.encoding to the encoding of the"
        " texts, or to auto",
        "3.txt": "it is empty",
    }


def test_texts_that_are_not_to_be_left_out_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n,a\nx,b\n")
    found = read(tmp_path, csv="a.csv")
    with pytest.raises(ConfigurationError) as told:
        documents.refuse(found, field=FIELD)
    assert str(told.value) == (
        f"{FIELD}: text a.csv line 2 cannot be read (it is empty); replace it or take it out"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "has no column 'text', only a, b; set textColumn and labelColumn"),
        ("", "has no column 'text', only nothing"),
        ("text,label\nx,\n", "line 2 has no label"),
        ('text,label\nx,a\n"y,b\nz,c\n', "line 3 has a quote that does not end"),
        ('text,label\n"x" y,a\n', "line 2 has a quote that does not end, or ends within a text"),
        ('"text,label\nx,a\n', "line 1 has a quote that does not end"),
        ("text,label\nx, y,a\n", "line 2 has more cells than the 2 columns; a text with a comma"),
        ("text,label\n", "there is no text to read"),
        ("text,label\n,a\n", "there is no text to read, the first because: it is empty"),
        ("text,label\nx,c\n", "label 'c' is not among the classes of the training texts"),
    ],
)
def test_a_csv_file_of_no_use_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ConfigurationError) as told:
        read(tmp_path, csv="a.csv", known=["a", "b"])
    assert str(told.value).startswith(f"{FIELD}: ")
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ("[1]", "line 2 is not a JSON object"),
        ('{"text": "x"}', "line 2 has no 'label' that is a word or a number"),
        ('{"text": 3, "label": "a"}', "line 2 has no text in 'text' but 3"),
    ],
)
def test_a_line_that_is_no_labelled_text_is_refused(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "x", "label": "a"}}\n{line}\n')
    with pytest.raises(ConfigurationError, match=r"^spec\.recipe\.text\.train\.csv: ") as told:
        read(tmp_path, jsonl="a.jsonl")
    assert words in str(told.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read(tmp_path, csv="none.csv")


def test_many_long_texts_are_kept_as_they_are() -> None:
    kept = documents.Texts()
    given = ["ä" * n for n in range(100)]
    for text in given:
        kept.append(text)
    assert Counter(kept[sample] for sample in range(len(kept))) == Counter(given)
