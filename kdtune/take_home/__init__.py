"""Take a network home: weights, ONNX, a model card, and a page of code that uses it without kdtune."""
