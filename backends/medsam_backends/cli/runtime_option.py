"""The option ``--runtime``, the same in every command that opens a model."""

import click

__all__ = ["runtime_option"]

runtime_option = click.option(
    "--runtime",
    default="onnxruntime",
    show_default=True,
    metavar="NAME",
    help="What runs the model: onnxruntime, openvino, openvino-reduced (shorter numbers, where the processor has "
    "them), or auto: whichever is measured once to be the fastest here.",
)
