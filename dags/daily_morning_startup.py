"""
# Morning start-up

**Manual section:** Daily Operations / Morning Startup Procedures (L9-L36), procedures DM-01 to DM-15.

**What it does:** asks every part of the CLO Management System how it is, before the users do: health, the night's
incidents, services, the overnight backup, connections, slow statements, the morning's baseline with its trend and
anomalies, login, second factor, sessions, API, frontend and WebSocket. Nothing is changed.

**Done by:** 08:30 UTC, every day, 30 minutes after it starts; a later run is told to management.

**What a failure means:** a red task found something that is not allowed, or could not ask (its message says which).
The last task is red when any was; the mail to the operations centre names each with what was seen and what is allowed.

**First thing to do:** open the mail or the summary task's log and follow the first action of the topmost red finding.

**Safe to re-run:** yes, as a whole or any task; it only reads, and a re-run takes the place of its own earlier findings.
"""

from __future__ import annotations

from clo_ops.findings import Finding
from clo_ops.orchestration import morning
from clo_ops.orchestration.blueprint import manual_page, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run
