"""Deterministic weights for the parity goldens.

Every golden in this folder was computed by the published reference implementations with the weights
that this file makes: a weight depends on its state-dict key, its shape and a seed only, so nothing but
the keys, the inputs and the outputs has to be stored.

    spec = json.load(open("sean_generator.json"))          # {"keys": {key: shape}, ...}
    state = reference_state_dict(spec["keys"], seed=spec["seed"])
"""

import math
import zlib

import numpy as np
import torch


def _normal(key: str, shape, seed: int) -> torch.Tensor:
    rng = np.random.RandomState(zlib.crc32(f"{seed}/{key}".encode()))
    return torch.from_numpy(rng.standard_normal(tuple(shape)).astype(np.float32))


def _plain(key: str, shape, seed: int) -> torch.Tensor:
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.zeros((), dtype=torch.long)
    x = _normal(key, shape, seed)
    if leaf == "running_mean":
        return 0.2 * x
    if leaf == "running_var":
        return (1.0 + 0.2 * x).clamp_min(0.3)
    if leaf == "noise_var":
        return torch.zeros_like(x)  # eval-mode goldens hold no random noise
    if leaf in ("blending_gamma", "blending_beta"):
        return 0.5 * x
    if len(shape) <= 1:
        return 0.1 * x
    return x * math.sqrt(1.6 / math.prod(shape[1:]))


def reference_state_dict(keys: dict, seed: int = 0, overrides: dict | None = None) -> dict:
    """keys: {state-dict key: shape}. Spectral-norm vectors (weight_u, weight_v) are power-iterated to
    convergence from weight_orig, so that the spectral norm is the true one."""
    state = {k: _plain(k, s, seed) for k, s in keys.items() if not k.endswith(("weight_u", "weight_v"))}
    state.update(overrides or {})
    for k in keys:
        if not k.endswith("weight_u"):
            continue
        stem = k[: -len("weight_u")]
        w = state[stem + "weight_orig"].flatten(1)
        u = torch.nn.functional.normalize(_normal(k, keys[k], seed), dim=0)
        for _ in range(50):
            v = torch.nn.functional.normalize(w.T @ u, dim=0)
            u = torch.nn.functional.normalize(w @ v, dim=0)
        state[k] = u
        if stem + "weight_v" in keys:
            state[stem + "weight_v"] = v
    return state
