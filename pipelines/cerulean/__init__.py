"""Cerulean: find oil slicks in Sentinel-1 scenes, and say from what source they come.

Each program runs alone, as `python -m pipelines.cerulean.<program>`.
"""
