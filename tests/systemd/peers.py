"""A provider and a receiver for the daemon in the box, in one server on the box's loopback."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
HOOK = "/hook"
FAR_S = 60.0


class Peer:
    """Tasks are unfinished until they are in ``finished``; callbacks wait while ``takes`` is not set."""

    def __init__(self, listening: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.finished: set[str] = set()
        self.keys: set[str] = set()
        self.asked = 0  # callbacks that have come in, answered or not
        self.told: list[str] = []  # the ids of tasks whose callback was answered
        self.takes = threading.Event()
        self.takes.set()
        self._server = ThreadingHTTPServer(("", 0), self._handler(), bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listening
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.takes.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _task(self, task_id: str) -> dict[str, object]:
        status = "completed" if task_id in self.finished else "processing"
        return {"task_info": {"id": task_id, "status": status}, "images": ["https://x.example/1.png"]}

    def _take(self, body: bytes) -> None:
        self.asked += 1
        self.takes.wait(FAR_S)
        self.told.append(json.loads(body)["data"]["task_id"])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.keys.add(self.headers.get("Authorization", ""))
                self._answer(peer._task(self.path.rpartition("/")[2]))

            def do_POST(self) -> None:
                peer._take(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer({})

            def _answer(self, body: object) -> None:
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
