"""Runs TrainingJobs for people and programs: on this machine, or on a cluster."""
