"""Training: configs and presets, the step, the state that a checkpoint holds, the loop and its logs."""
