"""Labelled pictures in other looks: the label maps stay, the styles of regions change; more data for segmentation."""
