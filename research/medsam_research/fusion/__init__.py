"""The fusion network: what the views of an object say and the picture itself, weighed in 3-D."""
