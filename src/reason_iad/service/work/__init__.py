"""Inspecting what was accepted: parts as jobs, the processes that take them, other machines and Ray."""
