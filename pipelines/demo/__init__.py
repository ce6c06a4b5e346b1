"""The demo: a prediction that is a hash, and an evaluation that compares it with the truth."""

from pipelines.demo.nodes import my_demo_pipeline

__all__ = ["my_demo_pipeline"]
