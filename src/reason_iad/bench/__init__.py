"""Measurements that can be trusted, stopped, resumed and compared: question benchmarks (MMAD) and detection sets.

A run is a folder (`runs.py`): a manifest that says under what conditions it was made, and one line per answer.
Everything that is printed about a run is computed from that folder alone, so a run can be judged on another
machine, years later, without the model.
"""
