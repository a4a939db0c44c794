"""The two segmentation networks of this project: a picture encoder and a decoder that looks at a window round the box."""
