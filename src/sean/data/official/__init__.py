"""Official downloads turned into paired folders: one small file per data set, and the run that they share."""
