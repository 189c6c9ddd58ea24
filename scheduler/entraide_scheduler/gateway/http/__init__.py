"""HTTP: the gateway's server of HTTP/1.1, which knows no interface of the pool.

Input: connections. Output: an ``Exchange`` for each request, on which its handler responds.

``http`` listens and limits connections. ``connection`` parses one, with ``connection_deadlines``;
``connection_server`` is what it asks of the server. ``incoming`` is a request that is being read,
``body_stream`` its body, ``exchange`` a whole one with its response, ``route_call`` one as a
route's handler gets it. ``peers`` finds clients behind proxies, ``cors`` says which pages may read
answers, ``bus_tunnel`` passes WebSockets to the bus. ``upload_form`` reads forms,
``server_sent_events`` writes events, ``page_assets`` has the built pages.
"""

from entraide_scheduler.gateway.http import page_assets
from entraide_scheduler.gateway.http.body_stream import BodyStream
from entraide_scheduler.gateway.http.connection_server import HeadDecision, Permit
from entraide_scheduler.gateway.http.cors import CorsPolicy
from entraide_scheduler.gateway.http.exchange import HTTPS_ONLY, Exchange, Headers, HttpRequest
from entraide_scheduler.gateway.http.http import HttpServer
from entraide_scheduler.gateway.http.page_assets import KINDS, PAGE_HEADERS, PageAssets
from entraide_scheduler.gateway.http.peers import is_of_this_machine, parse_networks
from entraide_scheduler.gateway.http.route_call import (
    RouteCall,
    RouteGroup,
    RouteHandler,
    read_limit,
    read_query,
    read_switch,
)
from entraide_scheduler.gateway.http.server_sent_events import write_event
from entraide_scheduler.gateway.http.upload_form import FILE_FIELD, UploadForm

__all__ = [
    "FILE_FIELD",
    "HTTPS_ONLY",
    "KINDS",
    "PAGE_HEADERS",
    "BodyStream",
    "CorsPolicy",
    "Exchange",
    "HeadDecision",
    "Headers",
    "HttpRequest",
    "HttpServer",
    "PageAssets",
    "Permit",
    "RouteCall",
    "RouteGroup",
    "RouteHandler",
    "UploadForm",
    "is_of_this_machine",
    "page_assets",
    "parse_networks",
    "read_limit",
    "read_query",
    "read_switch",
    "write_event",
]
