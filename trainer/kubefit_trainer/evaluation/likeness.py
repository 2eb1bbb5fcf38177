"""How much texts that were written are like those that were to be: BLEU, ROUGE-L, exact match."""

import math
from collections import Counter
from collections.abc import Sequence

Tokens = Sequence[str]
ORDER = 4
"""Longest runs of tokens that BLEU looks at."""


def bleu(references: Sequence[Tokens], written: Sequence[Tokens]) -> float:
    """BLEU of all texts together, 0 to 1, each with one reference.

    Papineni, Roukos, Ward, Zhu: BLEU, a Method for Automatic Evaluation of Machine Translation
    (2002), section 2.3: exp(min(0, 1 - r / c)) times the geometric mean of the clipped precisions
    of runs of 1 to 4 tokens. Not smoothed: without a common run of any length it is 0. Lengths of
    which no reference has a run are left out, so that short targets can be right.
    """
    longest = max(map(len, references), default=0)
    precisions = [_precision(references, written, order) for order in range(1, ORDER + 1)]
    used = precisions[: max(1, min(ORDER, longest))]
    if not all(used):
        return 0.0
    r, c = sum(map(len, references)), sum(map(len, written))
    brevity = min(0.0, 1.0 - r / c)
    return math.exp(brevity + sum(map(math.log, used)) / len(used))


def _precision(references: Sequence[Tokens], written: Sequence[Tokens], order: int) -> float:
    common = total = 0
    for reference, one in zip(references, written, strict=True):
        known, found = _runs(reference, order), _runs(one, order)
        common += sum(min(count, known[run]) for run, count in found.items())
        total += found.total()
    return common / total if total else 0.0


def _runs(tokens: Tokens, order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[first : first + order]) for first in range(len(tokens) - order + 1))


def rouge_l(reference: Tokens, written: Tokens) -> float:
    """ROUGE-L of one text, 0 to 1: F1 of its longest common subsequence with the reference.

    Lin: ROUGE, a Package for Automatic Evaluation of Summaries (2004), section 3.1, beta = 1.
    """
    common = _longest_common(reference, written)
    return 2.0 * common / (len(reference) + len(written)) if common else 0.0


def _longest_common(first: Tokens, second: Tokens) -> int:
    """Length of the longest common subsequence, a row of its table as bits at once.

    Hyyrö: Bit-Parallel LCS-length Computation Revisited (2004).
    """
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << place
    all_bits = (1 << len(first)) - 1
    row = all_bits
    for token in second:
        matches = row & places.get(token, 0)
        row = ((row + matches) | (row - matches)) & all_bits
    return len(first) - row.bit_count()
