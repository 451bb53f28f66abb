"""Label maps of photos: segmentation networks, faces in photos, and the opening of photos."""
