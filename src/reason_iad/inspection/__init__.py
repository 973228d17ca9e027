"""One inspection, step by step: `inspector.py` tells the story, every other file is one of its steps."""
