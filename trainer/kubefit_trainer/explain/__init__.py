"""Where in an image the reasons of a network lie: Grad-CAM and integrated gradients."""
