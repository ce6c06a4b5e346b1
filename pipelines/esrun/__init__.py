"""Earth-system runs: partition a request, build its dataset, run a model, post-process, combine.

The runners are imported from here; what they do stands in modules of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.esrun.fine_tune_runner import EsFineTuneRunner, EsFineTuningRunner
    from pipelines.esrun.predict_runner import EsPredictRunner

__all__ = ["EsFineTuneRunner", "EsFineTuningRunner", "EsPredictRunner"]


def __getattr__(name: str) -> Any:
    # Programs of this package start without what they do not need.
    if name == "EsPredictRunner":
        from pipelines.esrun import predict_runner

        return predict_runner.EsPredictRunner
    if name in __all__:
        from pipelines.esrun import fine_tune_runner

        return getattr(fine_tune_runner, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
