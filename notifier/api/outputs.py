"""Serve one output of a watch as an image (``results/image_proxy.py`` fetches it).

A client names an output by its number. There is no way to name a URL, so the daemon fetches only what a
provider returned.
"""

from types import MappingProxyType
from typing import assert_never

from starlette.responses import Response

from notifier.api.request import ApiRequest
from notifier.api.services import Services
from notifier.core.ids import WATCH, is_id
from notifier.core.images import KINDS, Image, ImageRejected
from notifier.results.image_proxy import ImageProxyBusy
from notifier.server.problems import ProblemError

MEDIA_TYPE = "image/png"  # for openapi.json; a response has the type of its image
HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
)


async def show_output(call: ApiRequest) -> Response:
    """Return one output of a watch as an image. Outputs are counted from 0."""
    number = call.path["number"]
    image = await call.services.images.get(await _load_output(call.services, call.path["id"], number))
    match image:
        case Image():
            return _to_response(image, number)
        case ImageRejected(text=text):
            raise ProblemError("no_picture", text)
        case ImageProxyBusy(text=text):
            raise ProblemError("busy", text)
        case _:
            assert_never(image)


def _to_response(image: Image, number: str) -> Response:
    disposition = f'inline; filename="output-{number}.{KINDS[image.kind]}"'
    headers = {**HEADERS, "Content-Disposition": disposition}
    return Response(image.body, headers=headers, media_type=image.kind)


async def _load_output(services: Services, watch_id: str, number: str) -> str:
    detail = await services.store.watch(watch_id) if is_id(watch_id, WATCH) else None
    if detail is None:
        raise ProblemError("not_found", "no watch has this id; old ended watches are deleted")
    outputs = detail.watch.outputs
    if not (number.isascii() and number.isdigit() and len(number) < 5 and int(number) < len(outputs)):
        raise ProblemError(
            "not_found",
            f"there is no such output; this watch has {len(outputs)}, counted from 0",
        )
    return outputs[int(number)]
