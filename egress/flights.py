"""Finds the telegram that a report answers, by the fields the partner's layouts match by. Pure."""

from egress.answers import Named, contradiction, named_in_error
from egress.jobs import Job
from schemas.telegrams import (
    FAULT_COMMANDS,
    ORDINARY_REQUESTS,
    REPORT_OF,
    Message,
    PartnerSpec,
    Role,
    Value,
)

_REPORTS = {*(REPORT_OF[role] for role in (*ORDINARY_REQUESTS, *FAULT_COMMANDS)), Role.ERROR_REPORT}
NOTHING = "answers nothing that awaits an answer"


class Flights:
    """The telegrams of a line, all of one partner's, that a report may still answer, in time or late."""

    def __init__(self, partner: PartnerSpec) -> None:
        self._partner = partner
        self._by_match: dict[tuple[Value, ...], Job] = {}
        self._by_error_match: dict[tuple[Value, ...], Job] = {}

    def add(self, job: Job) -> None:
        """It is on the line from now on."""
        if job.match is not None:
            self._by_match[job.match] = job
        self._by_error_match[job.error_match] = job

    def remove(self, job: Job) -> None:
        """Nothing more is to come."""
        if job.match is not None and self._by_match.get(job.match) is job:
            del self._by_match[job.match]
        if self._by_error_match.get(job.error_match) is job:
            del self._by_error_match[job.error_match]

    def answered(self, message: Message, now_ms: int) -> Job | str:
        """What this report plainly answers, or why it answers nothing."""
        values = message.values
        if message.role not in _REPORTS:
            return NOTHING  # our own, sent back, answers nothing although it has everything a match needs
        if message.role is Role.ERROR_REPORT:
            job = self._by_error_match.get(self._partner.match_key(message.role, values))
            if job is None:
                return NOTHING
            return self.plainly(job, message, named_in_error(self._partner, job.role, job.named), now_ms)
        job = self._by_match.get(self._partner.match_key(message.role, values))
        if job is None:  # of a request that was inherited, only the header is known
            job = self._by_error_match.get(self._partner.error_key(values))
            if job is None or job.match is not None or REPORT_OF.get(job.role) is not message.role:
                return NOTHING
            if job.command is not None:
                number = job.named.given["trace_number"]
                return f"{NOTHING}: what {job.role} {number} of a former owner names is not known"
        return self.plainly(job, message, job.named, now_ms)

    def plainly(self, job: Job, message: Message, ours: Named, now_ms: int) -> Job | str:
        """The job, where nothing in the message speaks against it and its codes are known; or what does."""
        if (field := contradiction(message.values, ours, now_ms)) is not None:
            return f"{NOTHING}: {job.role} {ours.given['trace_number']} has another {field}"
        unclear = self._partner.dated(message.values).unclear(message)
        return job if unclear is None else f"{NOTHING}: to {job.role} {ours.given['trace_number']}, {unclear}"
