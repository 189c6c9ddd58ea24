"""Batches: many requests from one file, which run when it is greenest, in OpenAI's forms.

Input: files and requests of clients. Output: kept jobs, and the answers as files.

``states`` is the table of a batch's states. ``files`` holds what was sent; ``input_lines`` reads
and checks its lines, ``validation`` a whole file. ``feeder`` has some lines at a time run as kept
jobs (``line_jobs``, ``line_listener``), in the gateway inside the scheduler; it is the only one
that changes a running batch. ``outcome`` sums up, ``results`` are the lines' answers and errors as
files, ``views`` the batch as clients see it, ``use_cases`` what they may do, ``erasure`` erases
what a person sent, ``way`` checks the servers that all this passes; ``batch_routes`` and
``file_routes`` are the HTTP of it.
"""

from entraide_scheduler.gateway.batches.batch_routes import BATCHES, BATCHES_MAX, BatchRoutes
from entraide_scheduler.gateway.batches.erasure import SentWork
from entraide_scheduler.gateway.batches.feeder import BatchFeeder
from entraide_scheduler.gateway.batches.file_routes import (
    CONTENT_KIND,
    FILES,
    FILES_MAX,
    FileRoutes,
)
from entraide_scheduler.gateway.batches.files import (
    ORDERS,
    FileDeletion,
    FileForm,
    FileList,
    FileObject,
    Files,
)
from entraide_scheduler.gateway.batches.line_listener import WindowListener
from entraide_scheduler.gateway.batches.results import ResultLine
from entraide_scheduler.gateway.batches.states import BatchState
from entraide_scheduler.gateway.batches.use_cases import PER_LINE, Batches, BatchRequest
from entraide_scheduler.gateway.batches.views import BatchList, BatchObject
from entraide_scheduler.gateway.batches.way import Way

__all__ = [
    "BATCHES",
    "BATCHES_MAX",
    "CONTENT_KIND",
    "FILES",
    "FILES_MAX",
    "ORDERS",
    "PER_LINE",
    "BatchFeeder",
    "BatchList",
    "BatchObject",
    "BatchRequest",
    "BatchRoutes",
    "BatchState",
    "Batches",
    "FileDeletion",
    "FileForm",
    "FileList",
    "FileObject",
    "FileRoutes",
    "Files",
    "ResultLine",
    "SentWork",
    "Way",
    "WindowListener",
]
