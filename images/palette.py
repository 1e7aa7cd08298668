"""The colours of fields, the same in pages and sheets: light enough to print black on, neighbours far apart."""

PALETTE = ("CFE5F7", "FCE3B6", "D5EDCF", "F6D3D8", "DDD6F0", "FBF3B0", "C9ECE8", "E8DCCB")
"""Red, green, blue as hexadecimal digits; a field's is that of `images.tables.colour_of`."""
