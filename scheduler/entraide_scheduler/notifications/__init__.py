"""Notifications: tells the operator when a finding begins and when it ends, once each.

Input: the findings of the running pool and of the doctor, and ``notify.toml``. Output: letters and
signed HTTP requests, and what is known of their delivery in ``notify-state.json``.

``plan`` decides who is told what, ``text`` writes it, ``delivery`` sends it, ``notifier`` does
so again and again, and ``trial`` sends a test message.
"""

from entraide_scheduler.notifications.delivery import list_senders
from entraide_scheduler.notifications.notifier import STATE_FILE, Notifier
from entraide_scheduler.notifications.text import Pool
from entraide_scheduler.notifications.trial import DeliveryTrial, send_trial

__all__ = ["STATE_FILE", "DeliveryTrial", "Notifier", "Pool", "list_senders", "send_trial"]
