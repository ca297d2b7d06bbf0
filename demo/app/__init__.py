"""A small but real CLO Management System: API, sessions, jobs, worker and frontend."""
