# SPDX-License-Identifier: Apache-2.0
"""A bare ASGI app that streams like vLLM's front end does: headers at once, role event, content events, [DONE]."""
import asyncio
import json


def event(delta, finish=None):
    body = {"id": "x", "object": "chat.completion.chunk", "model": "asgi",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    request = json.loads(body or b"{}")
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": event({"role": "assistant", "content": ""}),
                "more_body": True})
    for i in range(request.get("max_tokens", 4)):
        await asyncio.sleep(0.002)
        await send({"type": "http.response.body", "body": event({"content": f"w{i} "}),
                    "more_body": True})
    usage = {"prompt_tokens": 11, "completion_tokens": request.get("max_tokens", 4)}
    last = json.dumps({"model": "asgi", "choices": [], "usage": usage}).encode()
    await send({"type": "http.response.body", "more_body": True,
                "body": event({}, "stop") + b"data: " + last + b"\n\ndata: [DONE]\n\n"})
    await send({"type": "http.response.body", "body": b""})
