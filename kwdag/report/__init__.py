"""Ranked tables made readable: text here, pictures and pages beside it.

Takes plain values and returns text; nothing here reads a disk or prints.
"""
