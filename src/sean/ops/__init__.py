"""Pure tensor functions that SEAN's networks are made of: region pooling and the tabulated modulation."""
