"""What came out of a training: figures, a report and advice; never TensorFlow."""
