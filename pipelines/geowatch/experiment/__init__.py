"""An experiment folder: models, their predictions and evaluations, and how machines share them by DVC.

The commands on it stand in pipelines/geowatch/manager.py.
"""
