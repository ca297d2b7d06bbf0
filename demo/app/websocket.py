"""/api/v1/ws: a welcome, pong for ping, and the news of one's jobs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from demo.app.access import session_of
from demo.app.runtime import Runtime
from demo.app.sessions import Session

router = APIRouter()
NOT_SIGNED_IN = 4401
_LONGEST = 4096  # characters of one client message


@router.websocket("/api/v1/ws")
async def conversation(socket: WebSocket, token: str = "") -> None:
    runtime: Runtime = socket.app.state.runtime
    session = await session_of(runtime, token)
    await socket.accept()
    if session is None:
        await socket.close(NOT_SIGNED_IN, "not signed in")
        return
    queue = runtime.hub.join(session.username, session.role)
    try:
        await _talk(runtime, socket, session, token, queue)
    except WebSocketDisconnect:
        return
    finally:
        runtime.hub.leave(queue)


async def _talk(
    runtime: Runtime, socket: WebSocket, session: Session, token: str, queue: asyncio.Queue[dict[str, Any]]
) -> None:
    if not runtime.faults.on("websocket-mute"):
        await socket.send_json({"type": "welcome", "username": session.username})
    news = asyncio.create_task(_bring_news(runtime, socket, queue))
    try:
        while await session_of(runtime, token):
            await _answer(runtime, socket, await socket.receive_text(), token)
        await socket.close(NOT_SIGNED_IN, "session ended")
    finally:
        news.cancel()
        await asyncio.gather(news, return_exceptions=True)


async def _bring_news(runtime: Runtime, socket: WebSocket, queue: asyncio.Queue[dict[str, Any]]) -> None:
    while True:
        message = await queue.get()
        if not runtime.faults.on("websocket-mute"):
            await socket.send_json(message)


async def _answer(runtime: Runtime, socket: WebSocket, text: str, token: str) -> None:
    """A session that ended while the socket was open is not answered; the caller closes it."""
    if runtime.faults.on("websocket-mute") or await session_of(runtime, token) is None:
        return
    message = _read(text)
    if message.get("type") != "ping":
        await socket.send_json({"type": "error", "detail": "the only message understood is ping"})
    elif runtime.faults.on("websocket-wrong-echo"):
        await socket.send_json({"type": "pong", "nonce": f"not-{message.get('nonce')}"})
    else:
        await socket.send_json({"type": "pong", "nonce": message.get("nonce")})


def _read(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text[: _LONGEST + 1]) if len(text) <= _LONGEST else None
    except json.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}
