"""Makes the weight-free ONNX graphs and key lists that the product ships to import published checkpoints."""
