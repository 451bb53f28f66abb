"""Training of a parser (`sean.models.parsers`): config and presets, augmentation, objective, and the loop."""
