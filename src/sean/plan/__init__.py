"""Patch plans: which distinct label patches a segmap has and which pixel has which, in integers only."""
