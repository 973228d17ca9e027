"""Brushes: they draw defects on a picture, so that what a comparison can see is known without real defects."""
