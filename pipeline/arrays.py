"""The kinds of array that models, metrics and steps exchange."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int32]  # accounts by number, or days since 1970-01-01
Names = NDArray[np.object_]  # strings, or None
