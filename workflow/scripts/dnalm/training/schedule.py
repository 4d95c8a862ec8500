"""Learning rate as a function of progress alone, so that it is the same after a resume."""


def learning_rate(step: int, progress: float, peak: float, warmup_steps: int, decay_fraction: float) -> float:
    """Rate for a step: linear warm-up, constant, then linear decay to zero over the last ``decay_fraction``.

    Parameters
    ----------
    step : int
        Number of the step, from 0.
    progress : float
        Share of the training that is done before this step, 0..1.
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    decay = min(1.0, max(0.0, 1.0 - progress) / decay_fraction) if decay_fraction else 1.0
    return peak * warm * decay
