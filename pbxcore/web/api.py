"""What can be asked over HTTP, and the answers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from pbxcore import metrics, revisions
from pbxcore.database import AWAY, pool, url_of
from pbxcore.database.queries import named
from pbxcore.settings import Settings
from rating.store import stream, thresholds
from rating.store.positions import LARGEST, BeyondNewestError
from rating.wire import dump

if TYPE_CHECKING:
    import asyncpg

NDJSON = "application/x-ndjson"
MOST = 10_000  # legs of one answer

_SQL = named(Path(__file__).with_name("queries.sql"))

Limit = Annotated[int, Query(ge=1, le=MOST, description="At most so many legs.")]
Since = Annotated[
    int, Query(ge=0, le=LARGEST, description="Position of the last leg you have; 0 is the start.")
]


def application(settings: Settings) -> FastAPI:
    """Make the application for one machine."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with pool(url_of(settings), application="pbxcore web") as connections:
            app.state.database = connections
            yield

    app = FastAPI(title="pbxcore", version=version("pbxcore"), lifespan=lifespan, redoc_url=None)

    @app.get("/health")
    async def health(request: Request) -> JSONResponse:
        """Whether the database answers and a rater writes: 200, or 503 with what does not."""
        return await _health(_database(request))

    @app.get("/metrics")
    async def values() -> Response:
        """Metrics of all processes of this machine, for Prometheus."""
        return Response(metrics.exposition(settings), media_type="text/plain; version=0.0.4")

    @app.get("/v1/rated")
    async def rated(
        request: Request, since: Since = 0, limit: Limit = 1_000, accept: Annotated[str, Header()] = ""
    ) -> Response:
        """Rated legs after a position, in order; as NDJSON where that is accepted. 409: no such position."""
        async with _database(request).acquire() as connection:
            entries = await stream.rated_since(connection, since, limit)
        lines = [stream.entry_to_json(entry) for entry in entries]
        if NDJSON in accept:
            return Response("".join(dump(line) + "\n" for line in lines), media_type=NDJSON)
        return JSONResponse({"legs": lines, "position": entries[-1].position if entries else since})

    @app.get("/v1/thresholds")
    async def reached(
        request: Request, since: Since = 0, limit: Limit = 1_000, accept: Annotated[str, Header()] = ""
    ) -> Response:
        """Allowances used to 80 and 100 percent, after a position, in order; otherwise as `/v1/rated`."""
        async with _database(request).acquire() as connection:
            events = await thresholds.since(connection, since, limit)
        lines = [thresholds.event_to_json(event) for event in events]
        if NDJSON in accept:
            return Response("".join(dump(line) + "\n" for line in lines), media_type=NDJSON)
        return JSONResponse({"events": lines, "position": events[-1].position if events else since})

    @app.get("/v1/tenants")
    async def tenants(request: Request) -> Sequence[revisions.Tenant]:
        """Every tenant with the revision in force and its numbers, as `pbxcore tenants` lists them."""
        async with _database(request).acquire() as connection:
            return await revisions.tenants(connection)

    for error in AWAY:
        app.add_exception_handler(error, _away)
    app.add_exception_handler(BeyondNewestError, _beyond)
    return app


def _database(request: Request) -> "asyncpg.Pool[asyncpg.Record]":
    found: asyncpg.Pool[asyncpg.Record] = request.app.state.database
    return found


async def _health(database: "asyncpg.Pool[asyncpg.Record]") -> JSONResponse:
    try:
        row = await database.fetchrow(_SQL["health"])
    except AWAY as away:
        return JSONResponse({"database": type(away).__name__, "rater": "unknown"}, status_code=503)
    assert row is not None
    found = {
        "database": "ok",
        "rater": "writing" if row["writing"] else "absent",
        "position": row["position"],
    }
    return JSONResponse(found, status_code=200 if row["writing"] else 503)


async def _away(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"code": "database-away", "detail": type(error).__name__}, status_code=503)


async def _beyond(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, BeyondNewestError)
    found = {"code": error.code, "detail": f"{error}; {error.remedy}", "newest": error.newest}
    return JSONResponse(found, status_code=409)
