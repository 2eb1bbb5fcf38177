"""Snapshots of training: what they hold, where they lie, when they are taken and taken up again."""
