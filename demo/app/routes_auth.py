"""/api/v1/auth: login, logout, me, sessions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from psycopg import AsyncConnection
from pydantic import BaseModel, Field

from demo.app import audit, auth, sessions
from demo.app.access import Administrator, Here, SignedIn, Token
from demo.app.auth import Refused, User
from demo.app.runtime import Runtime

router = APIRouter(prefix="/api/v1/auth")
_SESSIONS = """SELECT s.session_id::text AS session_id, u.username, s.created_at, s.last_seen_at, s.expires_at
FROM app_sessions s JOIN app_users u USING (user_id)
WHERE s.ended_at IS NULL AND (%(all)s OR u.username = %(username)s) ORDER BY s.created_at DESC LIMIT 500"""


class Login(BaseModel):
    username: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000, repr=False)]
    totp: Annotated[str | None, Field(max_length=20, repr=False)] = None


def _source(request: Request) -> str:
    return request.client.host if request.client else "unknown"


@router.post("/login")
async def login(request: Request, body: Login, runtime: Here) -> Response:
    if runtime.faults.on("login-broken"):
        raise HTTPException(503, "login is not available")
    source = _source(request)
    try:
        answer = await _open_session(runtime, body, source)
    except Refused as refused:
        return await _refuse(runtime, body.username, refused, source)
    runtime.metrics.logins.labels("accepted").inc()
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


async def _open_session(runtime: Runtime, body: Login, source: str) -> dict[str, Any]:
    async with runtime.pool.connection() as connection:
        found = await auth.find_user(connection, body.username)
        await auth.refuse_if_locked(connection, body.username, found)
    # No connection is held while the password is hashed: twenty slow logins must not empty the pool.
    right = await auth.password_right(found, body.password)
    if not right and not (found and runtime.faults.on("wrong-password-accepted")):
        raise Refused(401, "invalid credentials", "invalid credentials")
    user = _certain(found)
    async with runtime.pool.connection() as connection:
        if right:
            code = body.totp
            await auth.check_second_factor(connection, user, code, runtime.settings.totp_interval, runtime.faults)
        return await _create(runtime, connection, user, source)


def _certain(user: User | None) -> User:
    if user is None:
        raise Refused(401, "invalid credentials", "invalid credentials")
    return user


async def _create(
    runtime: Runtime, connection: AsyncConnection[dict[str, Any]], user: User, source: str
) -> dict[str, Any]:
    """Row, key, attempt and audit row stand or fall together; the key goes again when the commit does not come."""
    endless = runtime.faults.on("session-never-expires")
    length = sessions.NEVER if endless else runtime.settings.session_length
    token, session = sessions.new_session(user.username, user.role, length)
    await sessions.record(connection, session, user.user_id, source)
    await sessions.remember(runtime.redis, token, session, None if endless else length)
    try:
        await connection.execute("UPDATE app_users SET last_login_at = now() WHERE user_id = %s", (user.user_id,))
        await auth.note_attempt(connection, user.username, None, source)
        await audit.append(connection, user.username, "login", ("session", session.session_id), source_ip=source)
        await connection.commit()
    except BaseException:
        await runtime.redis.delete(sessions.key_of(token))
        raise
    expires = int(length.total_seconds())
    return {
        "access_token": token, "token_type": "bearer", "expires_in": expires, "session_id": session.session_id
    }  # fmt: skip


async def _refuse(runtime: Runtime, username: str, refused: Refused, source: str) -> Response:
    runtime.metrics.logins.labels(refused.reason.replace(" ", "_")).inc()
    async with runtime.pool.connection() as connection:
        await auth.note_attempt(connection, username, refused.reason, source)
        await audit.append(
            connection, username, "login_refused", ("user", username), reason=refused.reason, source_ip=source
        )
    body = {"detail": refused.detail} | ({"mfa_required": True} if refused.mfa_required else {})
    return JSONResponse(body, refused.status, headers={"Cache-Control": "no-store"})


@router.post("/logout", status_code=204)
async def logout(runtime: Here, session: SignedIn, token: Token) -> Response:
    if runtime.faults.on("session-outlives-logout"):
        return Response(status_code=204)
    await runtime.redis.delete(sessions.key_of(token))
    async with runtime.pool.connection() as connection:
        await sessions.end(connection, session.session_id, "logout")
        await audit.append(connection, session.username, "logout", ("session", session.session_id))
    return Response(status_code=204)


@router.get("/me")
async def me(session: SignedIn) -> dict[str, str]:
    return {"username": session.username, "role": session.role}


@router.get("/sessions")
async def open_sessions(runtime: Here, session: SignedIn) -> dict[str, Any]:
    """One's own open sessions; an administrator sees everybody's."""
    async with runtime.pool.connection() as connection:
        found = await connection.execute(_SESSIONS, {"all": session.role == "admin", "username": session.username})
        rows = await found.fetchall()
    return {"items": rows, "total": len(rows)}


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: str, runtime: Here, session: Administrator) -> Response:
    """End anybody's session. The key is found by its content, since the token is stored nowhere."""
    async with runtime.pool.connection() as connection:
        if not await sessions.end(connection, session_id, "revoked"):
            raise HTTPException(404, "no such open session")
        await audit.append(connection, session.username, "session_ended", ("session", session_id))
    await _forget(runtime, session_id)
    return Response(status_code=204)


async def _forget(runtime: Runtime, session_id: str) -> None:
    async for key in runtime.redis.scan_iter("session:*", count=500):
        text = await runtime.redis.get(key)
        if text and session_id in text:
            await runtime.redis.delete(key)
