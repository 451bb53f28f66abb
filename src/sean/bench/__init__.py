"""Speed and memory of the fast formulation against the published one and against the convolutions alone."""
