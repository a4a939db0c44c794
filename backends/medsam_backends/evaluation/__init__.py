"""The challenge's evaluation as a tool: metrics, cases, prompts, a resumable run and its means.  Draws no plots."""
