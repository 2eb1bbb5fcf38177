"""Trained models on storage, each compared with what was trained by a process that reloads it."""
