"""BLEU and ROUGE-L of texts, with values computed by hand."""

import math

import pytest

from kubefit_trainer.evaluation.likeness import bleu, rouge_l


def words(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


def test_the_same_texts_have_all_of_both() -> None:
    texts = words("the cat is on the mat", "yes")
    assert bleu(texts, texts) == pytest.approx(1.0)
    assert [rouge_l(text, text) for text in texts] == [1.0, 1.0]


def test_bleu_is_the_mean_of_clipped_precisions() -> None:
    # Runs of 1: 5 of 6 ("the" twice, "cat", "on", "mat"); of 2: the cat, on the, the mat: 3 of 5;
    # of 3: on the mat: 1 of 4; of 4: none of 3.
    reference, written = words("the cat is on the mat"), words("the cat sat on the mat")
    assert bleu(reference, written) == 0.0
    # Of two texts: runs of 1: 5 + 4 of 10, of 2: 3 + 3 of 8, of 3: 1 + 2 of 6, of 4: 0 + 1 of 4.
    reference, written = reference + words("a b c d"), written + words("a b c d")
    expected = (9 / 10 * 6 / 8 * 3 / 6 * 1 / 4) ** (1 / 4)
    assert bleu(reference, written) == pytest.approx(expected)


def test_a_word_counts_no_more_often_than_the_reference_has_it() -> None:
    # 1 of 4 in runs of 1; the reference has no run of 2.
    assert bleu(words("the"), words("the the the the")) == pytest.approx(1 / 4)


def test_texts_that_are_too_short_pay_for_it() -> None:
    # All runs are right, 4 words in place of 6: exp(1 - 6 / 4).
    reference, written = words("the cat is on the mat"), words("the cat is on")
    assert bleu(reference, written) == pytest.approx(math.exp(1 - 6 / 4))


def test_nothing_written_is_worth_nothing() -> None:
    assert bleu(words("a b"), [[]]) == 0.0
    assert rouge_l(["a", "b"], []) == 0.0


def test_rouge_l_is_f1_of_the_longest_common_subsequence() -> None:
    # Of Lin's example: "police the gunman" has 3 of 4 on both sides, with gaps 2 of 4.
    reference = ["police", "killed", "the", "gunman"]
    assert rouge_l(reference, ["police", "kill", "the", "gunman"]) == pytest.approx(3 / 4)
    assert rouge_l(reference, ["the", "gunman", "kill", "police"]) == pytest.approx(2 / 4)
    # A common subsequence of 3 ("abd") in 4 and 5: 2 * 3 / 9.
    assert rouge_l(list("abcd"), list("xabyd")) == pytest.approx(6 / 9)


def test_repeated_tokens_are_matched_once_each() -> None:
    assert rouge_l(list("aab"), list("aaaab")) == pytest.approx(2 * 3 / 8)
    assert rouge_l(list("abab"), list("baba")) == pytest.approx(2 * 3 / 8)
