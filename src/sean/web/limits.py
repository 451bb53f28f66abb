"""What the server allows: one place for every number that bounds memory, time or counts."""

from dataclasses import dataclass

from sean.errors import InputError

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of the web editor; all of them hold for strangers as well as for friends."""

    sessions: int = 64
    """Sessions held at most; the one unused for longest makes room for a new one."""
    memory_bytes: int = 2 * GIB
    """Estimated memory of all sessions together; beyond it the ones unused for longest go."""
    idle_seconds: float = 7200.0
    """A session unused for so long is forgotten."""
    upload_bytes: int = 100 * MIB
    """Bytes of one upload."""
    uploads: int = 4
    """Uploads under way at once, of all users."""
    upload_seconds: float = 60.0
    """Time in which an upload has to arrive."""
    picture_pixels: int = 51_000_000
    """Pixels of an uploaded picture: cameras of "50 megapixels" have up to 8192 x 6144."""
    project_bytes: int = 256 * MIB
    """Bytes of an uploaded project when unpacked."""
    project_edits: int = 20_000
    """Edits of an uploaded project."""
    decode_bytes: int = GIB
    """Memory that decoding a picture may take."""
    decode_seconds: float = 30.0
    """Time that decoding a picture may take."""
    message_bytes: int = 512 * 1024
    """Bytes of one message of the WebSocket, or of a JSON body."""
    messages_per_second: float = 100.0
    """Messages of one WebSocket that are read in a second, in the long run; the rest wait."""
    bad_messages: int = 20
    """Malformed messages after which a WebSocket is closed."""
    connections: int = 4
    """WebSockets of one session."""
    waiting: int = 32
    """Requests of one session that wait for their turn."""
    documents: int = 4
    """Pictures of one session that opening another one leaves to go back to."""
    style_photos: int = 32
    """Style photos of one session."""
    send_seconds: float = 30.0
    """A client that takes no message for so long is disconnected."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"expected a limit above 0 for {name}, got {value}")
