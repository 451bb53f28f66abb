"""Editing with a trained model: style codes, the pipeline, the editor with edits and history, projects, the bank."""
