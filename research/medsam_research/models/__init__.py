"""The two segmentation networks: a picture encoder, and a decoder that looks at a window round the box."""
