"""A SEAN model as ONNX files: written from a model folder, checked, and run without torch."""
