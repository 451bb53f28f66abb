"""SEAN: the normalization, the generator, the style encoder, the model, and the dense formulation as published."""
