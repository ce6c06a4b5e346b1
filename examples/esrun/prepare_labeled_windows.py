from pathlib import Path

from pipelines.esrun import EsFineTuneRunner

config_path = Path(__file__).parent

runner = EsFineTuneRunner(
    project_path=config_path,
    scratch_path=config_path / "scratch",
)
runner.prepare_labeled_windows()
