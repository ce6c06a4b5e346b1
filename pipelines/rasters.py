"""What all programs that read rasters set alike.

Reading and resampling itself does not belong here.
"""

CACHE = 64 * 2**20  # bytes; GDAL would take a twentieth of the machine for blocks it has read
