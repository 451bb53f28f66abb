"""The editor in a browser: an HTTP and WebSocket server around `sean.Editor`, and the page in `static/`."""
