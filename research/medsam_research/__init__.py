"""Training and architectures of the bundled models; never imported by the product."""
