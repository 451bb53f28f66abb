"""Augmentation of labelled pictures: new styles for their regions, the same label maps; more data for segmentation."""
