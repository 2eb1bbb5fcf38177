"""The first process of every worker: starts the TensorFlow process, watches it, tells about it.

Never imports TensorFlow, Keras or NumPy: it must start in well under a second.
"""
