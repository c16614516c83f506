"""Why a network does not learn: measures, verdicts over them, and advice that was tried."""

from chainrule.diagnose.diagnosis import Diagnosis, diagnose
from chainrule.diagnose.subject import Subject
from chainrule.diagnose.verdict import Verdict

__all__ = ["Diagnosis", "Subject", "Verdict", "diagnose"]
