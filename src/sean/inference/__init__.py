"""The trained networks as they run at inference: weights packed once, rows and tables kept between pictures."""
