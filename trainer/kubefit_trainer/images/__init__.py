"""Pictures in NumPy and OpenCV: decoding, augmentation, packing. Never imports TensorFlow."""
