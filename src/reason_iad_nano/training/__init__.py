"""How nano is trained: stages with their own objectives, resumable at any moment."""
