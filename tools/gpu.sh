#!/usr/bin/env bash
# The tests that need a CUDA card, and their figures, within 8 minutes: tools/gpu.sh
# Runs with $PYTHON, else with the first of .venv/bin/python, python3 and python whose torch sees a card; where it lacks
# packages, they are installed into a folder of this checkout. Where no torch sees a card, it says so and ends with 2.
set -euo pipefail
cd "$(dirname "$0")/.."
export HF_HUB_OFFLINE=1

sees_card() { "$1" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' >/dev/null 2>&1; }

python=
for candidate in ${PYTHON:-} .venv/bin/python python3 python; do
	if command -v "$candidate" >/dev/null && sees_card "$candidate"; then python=$(command -v "$candidate"); break; fi
done
[ -n "$python" ] || { echo "tools/gpu.sh: found no python whose torch sees a CUDA card; name one: PYTHON=..." >&2; exit 2; }

extra=$PWD/.gpu-packages
export PYTHONPATH=$PWD/src:$extra
lacks() { "$python" -c 'import beartype, hypothesis, jaxtyping, lightning_fabric, pytest, safetensors, tyro' 2>&1; }
if ! lacks >/dev/null; then
	# not torch, which is there for its card, nor what torch brings
	timeout 120 "$python" -m pip install --quiet --disable-pip-version-check --target "$extra" --no-deps \
		beartype hypothesis sortedcontainers attrs jaxtyping wadler-lindig pytest pluggy iniconfig packaging pygments \
		safetensors tyro typeguard docstring-parser rich markdown-it-py mdurl huggingface_hub pillow lightning-fabric \
		lightning-utilities torchmetrics tqdm filelock pyyaml requests ||
		echo "tools/gpu.sh: packages are missing and cannot be installed: $(lacks | tail -1)" >&2
fi
"$python" -c 'import torch; print(torch.__version__, torch.cuda.get_device_name())'
timeout 460 "$python" -m pytest -q -s -m gpu -p no:cacheprovider tests/devices
