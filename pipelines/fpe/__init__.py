"""Flow Photo Explorer: rank the photographs of a stream by flow, from database to deployed model.

Each program runs alone, as `python -m pipelines.fpe.<program>`; the pipeline over them is in pipelines.py.
"""
