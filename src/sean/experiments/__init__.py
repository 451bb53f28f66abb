"""The paper's comparison rerun: methods trained on equal terms, measured, and reported as tables and figures."""
