"""Reads the messages of an ONNX file: nodes, inputs, outputs and where its weights are."""
