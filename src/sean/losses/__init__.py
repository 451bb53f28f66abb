"""Training losses: adversarial, feature matching, perceptual, and the objective that weighs them."""
