"""Label maps of photos: segmentation networks, faces in photos, and the one way in which photos are opened."""
