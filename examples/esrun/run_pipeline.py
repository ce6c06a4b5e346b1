from pathlib import Path

from pipelines.esrun import EsPredictRunner

config_path = Path(__file__).parent

runner = EsPredictRunner(
    project_path=config_path,
    scratch_path=config_path / "scratch",
)
partitions = runner.partition()
for partition_id in partitions:
    runner.build_dataset(partition_id)
    runner.run_inference(partition_id)
    runner.postprocess(partition_id)

runner.combine(partitions)
