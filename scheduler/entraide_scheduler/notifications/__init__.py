"""Notifications: tells the operator, and lenders, when a finding begins and when it ends.

Input: the findings of the running pool and of the doctor, ``notify.toml``, and the persons at
co-ops who want letters about their machines. Output: letters and signed HTTP requests, and what is
known of their delivery in ``notify-state.json``.

``lenders`` finds what concerns a co-op's machines, ``plan`` decides who is told what, ``text``
writes it, ``delivery`` sends it, ``notifier`` does so again and again, ``trial`` sends a test
message, and ``trial_admin`` does so for the operator's page.
"""

from entraide_scheduler.notifications.delivery import list_senders
from entraide_scheduler.notifications.lenders import READERS_MAX, Reader
from entraide_scheduler.notifications.notifier import STATE_FILE, Notifier
from entraide_scheduler.notifications.text import Pool
from entraide_scheduler.notifications.trial import DeliveryTrial, send_trial
from entraide_scheduler.notifications.trial_admin import TrialAdmin

__all__ = [
    "READERS_MAX",
    "STATE_FILE",
    "DeliveryTrial",
    "Notifier",
    "Pool",
    "Reader",
    "TrialAdmin",
    "list_senders",
    "send_trial",
]
