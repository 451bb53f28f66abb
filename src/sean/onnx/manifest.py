"""What the folder of an export holds: the names of its files, and manifest.json, which describes them."""

FORMAT = 1
"""Of manifest.json; a change that old readers do not understand counts it up."""

MANIFEST_NAME = "manifest.json"
ENCODER_NAME = "encoder.onnx"
FAST_NAME = "generator.onnx"
DENSE_NAME = "generator-dense.onnx"
PARSER_NAME = "parser.onnx"
