"""Trained models on storage, checked before they are called done."""
