"""A pipeline of one's own: its programs and how they are connected."""
