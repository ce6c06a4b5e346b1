from pathlib import Path

from pipelines.esrun import EsPredictRunner

config_path = Path(__file__).parent

runner = EsPredictRunner(
    project_path=config_path,
    scratch_path=config_path / "scratch",
)
partition_id = "my-existing-partition-id"  # Replace with the actual partition ID you want to run
runner.run_inference(partition_id)
