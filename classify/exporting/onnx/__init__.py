"""A network of OpenVINO as one of ONNX."""
