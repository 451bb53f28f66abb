"""The paper's comparison, rerun: methods trained on equal terms, measured, and written up as tables and figures."""
