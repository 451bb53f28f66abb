"""The limits of the server on memory, time and counts, all in one place."""

from dataclasses import dataclass

from sean.errors import InputError

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the web editor, the same for all users."""

    sessions: int = 64
    """Largest number of sessions; a new one replaces the session unused for longest."""
    memory_bytes: int = 2 * GIB
    """Memory of all sessions together; beyond it, sessions unused for longest are dropped."""
    idle_seconds: float = 7200.0
    """Time after which an unused session is dropped."""
    upload_bytes: int = 100 * MIB
    """Bytes of one upload."""
    uploads: int = 4
    """Simultaneous uploads of all users."""
    upload_seconds: float = 60.0
    """Time for an upload to arrive."""
    picture_pixels: int = 51_000_000
    """Pixels of an uploaded picture: cameras of "50 megapixels" have up to 8192 x 6144."""
    project_bytes: int = 256 * MIB
    """Bytes of an uploaded project, unpacked."""
    project_edits: int = 20_000
    """Edits of an uploaded project."""
    decode_bytes: int = GIB
    """Memory for decoding a picture."""
    decode_seconds: float = 30.0
    """Time for decoding a picture."""
    message_bytes: int = 512 * 1024
    """Bytes of one message of the WebSocket, or of a JSON body."""
    messages_per_second: float = 100.0
    """Average number of messages of one WebSocket read per second; further messages wait."""
    bad_messages: int = 20
    """Malformed messages after which a WebSocket is closed."""
    connections: int = 4
    """WebSockets of one session."""
    waiting: int = 32
    """Waiting requests of one session."""
    documents: int = 4
    """Earlier pictures of one session kept for undo."""
    style_photos: int = 32
    """Style photos of one session."""
    send_seconds: float = 30.0
    """Time after which a client that takes no message is disconnected."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"expected a limit above 0 for {name}, got {value}")
