"""Detection sets: a score per image, a map per image, and the field's metrics on both.

`readers/` turn a folder of any common layout into `samples.Sample`s, `problems` lists everything that is wrong with
them before anything is run, `detectors/` score and map images, and `metrics` judges scores and maps, whoever made
them.
"""
