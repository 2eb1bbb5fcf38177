"""How many images a split leaves for what; shared by the checks and by the training."""


def held_out(samples: int, share: float) -> int:
    """Number of samples held out for validation: at least one when the share is not zero."""
    return max(1, round(samples * share)) if share > 0 else 0
