"""The command that serves the editor to browsers."""

import threading
import webbrowser
from typing import TYPE_CHECKING

from sean.errors import InputError
from sean.pretrained import BUNDLED, DEFAULT_MODEL
from sean.web.limits import Limits

if TYPE_CHECKING:
    import torch

    from sean.editing.pipeline import SEANPipeline
    from sean.parsing.segmenter import Segmenter

DEFAULT_LIMITS = Limits()


def web(
    *,
    model: str = DEFAULT_MODEL,
    parser: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    open: bool = True,
    public_name: tuple[str, ...] = (),
    trusted_proxy: tuple[str, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
    device: str = "auto",
) -> None:
    """Edit photos in a browser: paint on the label map, change styles of regions, see the picture while you do.

    Only this machine can reach it unless another --host is given. Ctrl+C stops it.

    Examples:
      sean web
      sean web --model my-model --parser my-parser --port 8000 --no-open
      sean web --host 0.0.0.0 --limits.sessions 20 --limits.memory-bytes 4000000000
      sean web --public-name example.org --no-open

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        parser: makes label maps of photos: "bundled" (faces), a parser folder, or segformer:HUB_ID_OR_FOLDER. Left
            out, it is the bundled one if the model's labels are those of faces.
        host: the address to listen on; 0.0.0.0 for all of this machine.
        port: the port to listen on; 0 for any free one.
        open: open the page in a browser.
        public_name: public name of the page behind a reverse proxy, such as example.org or example.org:8443; repeat
            the option for more. Without it, the server accepts the names of this machine, or with another --host any
            name.
        trusted_proxy: address or network of a reverse proxy whose X-Forwarded-Host is trusted; repeat the option for
            more. Needed only if the proxy sends another Host than the browser's.
        limits: limits on users and memory.
        device: device to compute on: auto (a CUDA card if there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.devices import chosen_device
    from sean.editing.pipeline import SEANPipeline
    from sean.web.app import create_app
    from sean.web.middleware import Access
    from sean.web.server import listen, serve, url_of
    from sean.web.service import Service

    access = Access.of(host, public_name, trusted_proxy)
    where = chosen_device(device)
    listener = listen(host, port)
    with listener:
        pipeline = SEANPipeline.from_pretrained(model, where)
        service = Service(pipeline, parser=_parser(parser, pipeline, where), limits=limits)
        url = url_of(listener)

        def started() -> None:
            print(f"sean: the editor is at {url} (Ctrl+C stops it)", flush=True)
            if open:  # in a thread, as some browsers block their caller
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

        serve(create_app(service, model_name=model, access=access), listener, limits, started)
    print("sean: stopped")


def _parser(name: str | None, pipeline: "SEANPipeline", device: "torch.device") -> "Segmenter | None":
    from sean.parsing.faces import has_landmarks
    from sean.parsing.segmenter import Segmenter

    if name is not None:
        return Segmenter.from_pretrained(name, pipeline.labels, device)
    if not has_landmarks(pipeline.labels):
        return None
    try:
        return Segmenter.from_pretrained(BUNDLED, pipeline.labels, device)
    except InputError as error:
        print(f"sean: photos need a label map here ({error})")
        return None
