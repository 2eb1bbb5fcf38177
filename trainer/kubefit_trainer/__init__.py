"""What runs in the pods of a TrainingJob."""
