"""Expected improvement."""

import numpy as np
from scipy.special import ndtr

from strategies.bayesian.inputs import Vector

_ASYMPTOTE_BELOW = -6.0


def log_expected_improvement(mean: Vector, deviation: Vector, best: float) -> Vector:
    """The logarithm of E[max(0, f - best)] for normal f (Jones et al. 1998).

    Far below `best`, where the closed form cancels to 0, its asymptote takes over, so that the
    order of candidates is preserved (Ament et al. 2023).
    """
    z = (mean - best) / deviation
    log_density = -0.5 * z * z - 0.5 * np.log(2 * np.pi)
    far = z < _ASYMPTOTE_BELOW
    near = np.where(far, 0.0, z)
    closed_form = np.log(near * ndtr(near) + np.exp(-0.5 * near * near) / np.sqrt(2 * np.pi))
    result: Vector = np.log(deviation) + np.where(
        far, log_density - np.log(z * z + 2.0), closed_form
    )
    return result
