"""Pictures as TensorBoard takes them."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

Picture = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def pixels(canvas: FigureCanvasAgg) -> Picture:
    """What is drawn on a canvas, uint8 [H, W, 4]."""
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
