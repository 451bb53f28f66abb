"""Synthetic scenes: label maps of varied layout, painted in known styles."""
