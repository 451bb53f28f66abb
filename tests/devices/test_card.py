"""What only a card can show: `tools/gpu.sh` runs these. Numbers of CUDA, of the CPU, and of fewer bits."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sean.data.faces.drawing import draw_face, random_face
from sean.editing.pipeline import SEANPipeline
from sean.models.sean.dense import dense_formulation
from sean.plan.planner import plan_segmap
from sean.pretrained import DEFAULT_MODEL

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card"),
]


@pytest.fixture(autouse=True)
def _whole_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFloat-32 would round the products of the convolutions."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


def face(seed: int) -> np.ndarray:
    return draw_face(random_face(np.random.default_rng(seed)), (128, 128))


def difference(one: SEANPipeline, other: SEANPipeline) -> int:
    pictures = [
        [np.asarray(pipe(face(i), style)).astype(int) for i, style in enumerate(one.style_bank[:8])]
        for pipe in (one, other)
    ]
    return int(np.abs(np.asarray(pictures[0]) - np.asarray(pictures[1])).max())


def test_fast_equals_dense() -> None:
    model = SEANPipeline.from_pretrained(DEFAULT_MODEL, "cuda").model
    plan = plan_segmap(torch.from_numpy(face(0))[None]).to("cuda")
    codes = torch.rand(1, 19, model.code_dim, device="cuda") * 2 - 1
    with torch.no_grad():
        fast = model.render(plan.segmap, codes, plan=plan)
        dense = dense_formulation(model).render(plan.segmap, codes, plan=plan)
    torch.testing.assert_close(fast, dense, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("dtype", "largest"), [(torch.float32, 1), (torch.bfloat16, 2), (torch.float16, 2)])
def test_pictures_are_near_those_of_the_cpu(dtype: torch.dtype, largest: int) -> None:
    on_card = SEANPipeline.from_pretrained(DEFAULT_MODEL, "cuda", dtype)
    found = difference(SEANPipeline.from_pretrained(DEFAULT_MODEL), on_card)
    print(f"\n{dtype} on the card and float32 on the CPU: {found}/255 at most")
    assert found <= largest


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_two_steps_of_training(tmp_path: Path, precision: str) -> None:
    pytest.importorskip("lightning_fabric")
    command = [sys.executable, "-m", "sean", "train", "--preset", "synthetic", "--device", "cuda", "--output", "run"]
    done = subprocess.run(
        [*command, "--config.steps", "2", "--config.log-every", "1", "--config.precision", precision],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "training on cuda:0" in done.stdout + done.stderr
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    losses = [value for record in records for value in record.values() if isinstance(value, float)]
    assert losses and np.isfinite(losses).all()


def test_bench(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sean", "bench", "--device", "cuda", "--model", DEFAULT_MODEL]
    options = ["--dtype", "bfloat16", "--rounds", "5", "--no-growth", "--output", "bench.json"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print("\n" + done.stdout)
    assert torch.cuda.get_device_name() in done.stdout
