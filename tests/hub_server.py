"""A stand-in of the Hugging Face hub's HTTP interface: repositories in memory, branches, tokens of private ones."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_test"


class Hub:
    """What the server has: for every repository and branch its files; and all requests that came."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.requests: list[str] = []
        self.address = ""

    def commit_of(self, repo: str, branch: str) -> str:
        return hashlib.sha1(f"{repo}@{branch}".encode()).hexdigest()

    def files_of(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Commit and files of a branch, given by its name or its commit."""
        for branch, files in self.repos.get(repo, {}).items():
            if revision in (branch, self.commit_of(repo, branch)):
                return self.commit_of(repo, branch), files
        return None


@contextmanager
def hub_server() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def reply(
            self, status: int, body: Any = None, headers: dict[str, str] | None = None, data: bytes = b""
        ) -> None:
            content = data if body is None else json.dumps(body).encode()
            self.send_response(status)
            lower = {key.lower() for key in headers or {}}
            if "content-length" not in lower:
                self.send_header("Content-Length", str(len(content)))
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def handled(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.reply(401, {"error": "Invalid username or password."}, {"X-Error-Code": "RepoNotFound"})
            if self.command == "POST":
                return self.posted(path, body)
            if path.startswith("/api/models/") and "/revision/" in path:
                repo, _, revision = path.removeprefix("/api/models/").partition("/revision/")
                found = hub.files_of(repo, revision)
                if found is None:
                    return self.reply(404, {"error": "not found"}, {"X-Error-Code": "RevisionNotFound"})
                siblings = [{"rfilename": name} for name in found[1]]
                return self.reply(200, {"id": repo, "sha": found[0], "siblings": siblings})
            if path.startswith("/api/models/") and "/tree/" in path:
                repo, _, rest = path.removeprefix("/api/models/").partition("/tree/")
                found = hub.files_of(repo, rest.split("/")[0])
                if found is None:
                    return self.reply(404, {"error": "not found"}, {"X-Error-Code": "RevisionNotFound"})
                rows = [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in found[1].items()
                ]
                return self.reply(200, rows)
            if "/resolve/" in path:
                repo, _, rest = path.strip("/").partition("/resolve/")
                revision, _, name = rest.partition("/")
                found = hub.files_of(repo, revision)
                if found is None or name not in found[1]:
                    return self.reply(404, {"error": "not found"}, {"X-Error-Code": "EntryNotFound"})
                data = found[1][name]
                headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": found[0]}
                return self.reply(200, headers={**headers, "Content-Length": str(len(data))}, data=data)
            if path.startswith("/api/models/"):
                repo = path.removeprefix("/api/models/")
                known = repo in hub.repos
                return self.reply(
                    200 if known else 404, {"id": repo, "sha": hub.commit_of(repo, "main"), "siblings": []}
                )
            return self.reply(404, {"error": f"no {path}"})

        def posted(self, path: str, body: bytes) -> None:
            if path == "/api/repos/create":
                values = json.loads(body)
                owner = values.get("organization") or "me"
                repo = f"{owner}/{values['name']}"
                if repo in hub.repos:
                    return self.reply(
                        409, {"error": "You already created this model repo", "url": f"{hub.address}/{repo}"}
                    )
                hub.repos[repo] = {"main": {}}
                return self.reply(200, {"url": f"{hub.address}/{repo}", "name": repo, "id": repo})
            if path.endswith("/validate-yaml") or path == "/api/validate-yaml":
                return self.reply(200, {"errors": [], "warnings": []})
            owner, name, action, branch = path.removeprefix("/api/models/").split("/")
            repo = f"{owner}/{name}"
            if action == "branch":
                if branch in hub.repos[repo]:
                    return self.reply(409, {"error": "Reference already exists"})
                hub.repos[repo][branch] = dict(hub.repos[repo]["main"])
                return self.reply(200, {})
            if action == "preupload":
                files = [
                    {"path": row["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                    for row in json.loads(body)["files"]
                ]
                return self.reply(200, {"files": files})
            assert action == "commit", path
            for line in body.decode().splitlines():
                row = json.loads(line)
                if row["key"] == "file":
                    hub.repos[repo][branch][row["value"]["path"]] = base64.b64decode(row["value"]["content"])
            commit = hub.commit_of(repo, branch)
            return self.reply(
                200, {"commitUrl": f"{hub.address}/{repo}/commit/{commit}", "commitOid": commit, "hookOutput": ""}
            )

        do_GET = do_HEAD = do_POST = handled

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
