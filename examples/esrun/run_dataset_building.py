from pathlib import Path

from pipelines.esrun import EsPredictRunner

config_path = Path(__file__).parent

runner = EsPredictRunner(
    project_path=config_path,
    scratch_path=config_path / "scratch",
)

for partition_id in runner.partition():
    runner.build_dataset(partition_id)
