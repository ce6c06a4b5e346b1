"""The built-in tools that esrun.yaml names by class_path, and the base classes of a user's own.

Their places follow the class paths: `esrun.runner.tools.partitioners.noop_partitioner.NoopPartitioner`.
"""
