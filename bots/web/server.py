"""The one HTTP server: routes of every part, behind the guard, with health and metrics.

Knows: aiohttp, how an error looks, what a probe asks. Must not know: any platform.
`/healthz` says that the process runs; `/readyz` that it takes work: `ready()` gives "" or the reason why not.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry, exposition

from bots.web import guard
from bots.web.guard import GuardPolicy, Handler
from core.domain.errors import Fault, RejoinderError

BODY_MAX_BYTES = 28_000_000  # a message with its files as base64
CLOSE_S = 2.0  # how long open requests may last once we stop; streams are ended before
RouteDefs = Sequence[web.AbstractRouteDef]

log = structlog.get_logger("rejoinder.web")


class CannotListen(RejoinderError):
    """Nothing to listen on (`port_in_use`, `port_forbidden`, `host_unknown`); `detail` says what to do."""

    fault = Fault.OPERATOR


def error_response(status: int, code: str, message: str) -> web.Response:
    """An error as every route gives it."""
    text = json.dumps({"error": {"code": code, "message": message}})
    return web.Response(text=text, status=status, content_type="application/json")


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error is JSON; what nobody expected is logged and told without its details."""
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        sentence = f"A request may have at most {BODY_MAX_BYTES // 1_000_000} MB."
        return error_response(413, "body_too_large", sentence)
    except web.HTTPException as error:
        if not isinstance(error, web.HTTPError):
            raise  # a redirect
        plain = error.text if isinstance(error, web.HTTPUnauthorized) and error.text else error.reason
        code = error.reason.lower().replace(" ", "_")
        response = error_response(error.status, code, plain)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception:  # a listener's last line of defence: seen in the log, never by whoever called
        log.exception("http_failed", method=request.method, route=guard.read(request).route)
        return error_response(500, "ours", "Something went wrong here; it was noted.")


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    del request
    for name, value in guard.SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.pop("Server", None)


def guarded(policy: GuardPolicy) -> Middleware:
    """The middleware that asks the rule before any route is reached."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        verdict = guard.judge(guard.read(request), policy)
        if verdict is not guard.Verdict.ALLOW:
            return error_response(verdict.status, verdict.code, verdict.sentence)
        return await handler(request)

    return middleware


class WebServer:
    """Serves `routes` on `host`:`port` (0 = any free port) until stopped.

    `ready` is asked by /readyz; `closing` are called when the server stops, to end streams.
    """

    def __init__(
        self,
        host: str,
        port: int,
        routes: RouteDefs,
        *,
        guard_policy: GuardPolicy,
        ready: Callable[[], Awaitable[str]],
        registry: CollectorRegistry,
        closing: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._host = host
        self._port = port
        self._ready = ready
        self._registry = registry
        self._closing = tuple(closing)
        self._runner: web.AppRunner | None = None
        self._app = self._application([*routes, guard.login_route(guard_policy)], guard_policy)

    def _application(self, routes: RouteDefs, policy: GuardPolicy) -> web.Application:
        app = web.Application(middlewares=[_plain_errors, guarded(policy)], client_max_size=BODY_MAX_BYTES)
        app.on_response_prepare.append(_secure)
        app.add_routes(routes)
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        return app

    @property
    def port(self) -> int:
        """The port that is listened on, once started."""
        if self._runner is not None:
            for address in self._runner.addresses:
                return int(address[1])
        return self._port

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    async def start(self) -> None:
        """Listen. Raises `CannotListen`."""
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=CLOSE_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise self._cannot_listen(error) from error
        self._runner = runner

    def _cannot_listen(self, error: OSError) -> CannotListen:
        where = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            detail = f"{where} is already in use; stop what listens there or set REJOINDER_HTTP_PORT"
            return CannotListen(code="port_in_use", detail=detail)
        if error.errno == errno.EACCES:
            detail = f"{where} may not be used by this user; set REJOINDER_HTTP_PORT to 1024 or above"
            return CannotListen(code="port_forbidden", detail=detail)
        return CannotListen(code="host_unknown", detail=f"cannot listen on {where}; check REJOINDER_HTTP_HOST")

    async def stop(self) -> None:
        """End the streams, then the server; does nothing when it is not running."""
        for close in self._closing:
            close()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.StreamResponse:
        del request
        return web.json_response({"ok": True})

    async def _readyz(self, request: web.Request) -> web.StreamResponse:
        del request
        reason = await self._ready()
        if reason:
            return web.json_response({"ready": False, "reason": reason}, status=503)
        return web.json_response({"ready": True})

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        del request
        text = exposition.generate_latest(self._registry)
        return web.Response(body=text, headers={"Content-Type": exposition.CONTENT_TYPE_LATEST})
