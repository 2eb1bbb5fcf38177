"""The `Evaluation` of targets that were written."""

import math
from collections.abc import Callable

import numpy as np

from kubefit.api.recipe import Text
from kubefit_trainer.evaluation import likeness
from kubefit_trainer.evaluation.findings import TEXTS, Evaluation, Mistake, Written
from kubefit_trainer.evaluation.judging import MISTAKES
from kubefit_trainer.preflight.pairs import joined, tokens_of
from kubefit_trainer.recipe.pairs import vocabulary
from kubefit_trainer.recipe.pairs.source import Pairs
from kubefit_trainer.recipe.predictions import Predictions

_SHOWN = 20
"""Targets that are shown beside what was written, the first ones of the set."""
_LONGEST = 500
"""Characters of a text that are shown."""


def judged(
    predicted: Predictions,
    source: Pairs,
    text: Text,
    *,
    split: str,
    name: Callable[[int], str],
    loss: float,
) -> Evaluation:
    """All figures; `loss` is that of the next token given the right ones before it."""
    order = np.argsort(predicted.samples)
    samples = predicted.samples[order].tolist()
    written = [
        vocabulary.written(numbers, source.classes, text.tokens)
        for numbers in predicted.outputs[order].astype(np.int64)
    ]
    references = [tokens_of(source.targets[sample], text.tokens) for sample in samples]
    targets = [joined(tokens, text.tokens) for tokens in references]
    found = [tokens_of(one, text.tokens) for one in written]
    likeness_of = list(map(likeness.rouge_l, references, found))
    right = [target == one for target, one in zip(targets, written, strict=True)]
    wrong = sorted(np.flatnonzero(~np.array(right, bool)).tolist(), key=likeness_of.__getitem__)
    return Evaluation(
        labels=TEXTS,
        split=split,
        images=len(samples),
        metrics={
            "loss": loss if math.isfinite(loss) else None,
            "exactMatch": sum(right) / len(right),
            "bleu": likeness.bleu(references, found),
            "rougeL": sum(likeness_of) / len(likeness_of),
        },
        mistakes=[
            Mistake(
                sample=samples[row],
                image=name(samples[row]),
                actual=_cut(targets[row]),
                predicted=_cut(written[row]),
                error=1.0 - likeness_of[row],
            )
            for row in wrong[:MISTAKES]
        ],
        written=[
            Written(
                text=_cut(source.texts[sample]), target=_cut(target), written=_cut(one), right=hit
            )
            for sample, target, one, hit in list(
                zip(samples, targets, written, right, strict=True)
            )[:_SHOWN]
        ],
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
