"""Editing with a trained model: style codes, the pipeline, the editor with its edits and history, projects, the bank."""
