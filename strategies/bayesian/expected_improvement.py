"""How much better than the best a candidate may turn out."""

import numpy as np
from scipy.special import ndtr

from strategies.bayesian.gaussian_process import Vector


def log_expected_improvement(mean: Vector, deviation: Vector, best: float) -> Vector:
    """The logarithm of E[max(0, f - best)] for f normal (Jones et al. 1998).

    Far below the best, where the closed form cancels to 0, it is replaced by its asymptote, so that
    candidates are still told apart.
    """
    z = (mean - best) / deviation
    log_density = -0.5 * z * z - 0.5 * np.log(2 * np.pi)
    far = z < -6.0
    near = np.where(far, 0.0, z)
    closed = np.log(near * ndtr(near) + np.exp(-0.5 * near * near) / np.sqrt(2 * np.pi))
    result: Vector = np.log(deviation) + np.where(far, log_density - np.log(z * z + 2.0), closed)
    return result
