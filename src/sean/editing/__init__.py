"""Editing pictures with a trained model: the algebra of style codes, the pipeline, and the demo."""
