"""Writes reference.safetensors with the PyPI package safetensors (made with version 0.8.0, numpy).

    pip install safetensors==0.8.0 numpy && python make_reference.py
"""

import pathlib
import struct

import numpy as np
from safetensors.numpy import save

tensors = {
    "model.embed_tokens.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 0.5,
    "a.double": np.array([0.1, -1e300], dtype=np.float64),
    "half": np.array([[1.0], [-2.0], [65504.0], [2.0**-24]], dtype=np.float16),
    "scalar": np.array(2.5, dtype=np.float32),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "steps": np.array([2**64 - 1, 3], dtype=np.uint64),
    "signed": np.array([-(2**63)], dtype=np.int64),
    "tokens": np.array([-1, 7, 2**31 - 1], dtype=np.int32),
    "bytes": np.array([0, 255, 10], dtype=np.uint8),
    'odd "name"\\\n\u00e9': np.array([1.0], dtype=np.float32),
}
data = save(tensors, metadata={"format": "pt"})
(length,) = struct.unpack("<Q", data[:8])
assert (8 + length) % 8 == 0
(pathlib.Path(__file__).parent / "reference.safetensors").write_bytes(data)
