"""Training of a parser (`sean.models.parser`): config and presets, augmentation, objective, and the loop."""
