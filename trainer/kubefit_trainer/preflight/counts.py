"""How many images a split leaves for what; shared by the checks and by the training."""

from collections.abc import Sequence


def held_out(classes: Sequence[int], share: float) -> list[int]:
    """How many samples of each class a split holds out, given how many each class has.

    As many of each class as its size demands (largest remainders), at least one sample in all, and
    never the last sample of a class.
    """
    if share <= 0:
        return [0] * len(classes)
    wanted = max(1, round(sum(classes) * share))
    held = [min(int(count * share), max(0, count - 1)) for count in classes]
    by_remainder = sorted(range(len(classes)), key=lambda i: (classes[i] * share) % 1, reverse=True)
    while sum(held) < wanted:
        open_ = [i for i in by_remainder if held[i] < classes[i] - 1]
        if not open_:
            break
        for i in open_[: wanted - sum(held)]:
            held[i] += 1
    return held
