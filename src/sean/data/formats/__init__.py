"""Labels as the tools of the field write them, to data folders and back: one file per family of formats."""
