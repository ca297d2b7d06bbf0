"""Who is asking, and what their role lets them do."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from demo.app import sessions
from demo.app.runtime import Runtime
from demo.app.sessions import Session

_bearer = HTTPBearer(auto_error=False)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


Here = Annotated[Runtime, Depends(runtime_of)]


def token_of(credentials: _Credentials) -> str:
    return credentials.credentials if credentials else ""


Token = Annotated[str, Depends(token_of)]


async def session_of(runtime: Runtime, token: str) -> Session | None:
    return await sessions.look_up(runtime.redis, token, ignore_expiry=runtime.faults.on("session-never-expires"))


async def signed_in(runtime: Here, token: Token) -> Session:
    session = await session_of(runtime, token)
    if session is None:
        raise HTTPException(401, "not signed in", {"WWW-Authenticate": "Bearer"})
    async with runtime.pool.connection() as connection:
        await sessions.seen(connection, session.session_id)
    return session


SignedIn = Annotated[Session, Depends(signed_in)]


class Role:
    """A dependency that lets only the named roles through."""

    def __init__(self, *roles: str) -> None:
        self.roles = roles

    def __call__(self, session: SignedIn) -> Session:
        if session.role not in self.roles:
            raise HTTPException(403, f"role {session.role} may not do this; allowed: {', '.join(self.roles)}")
        return session


Administrator = Annotated[Session, Depends(Role("admin"))]
Supervisor = Annotated[Session, Depends(Role("admin", "manager"))]
Author = Annotated[Session, Depends(Role("admin", "manager", "analyst"))]
