"""`check_gradients`: a gradient compared, three ways, with what does not use it."""

from chainrule.certificate.checking import check_gradients
from chainrule.certificate.results import Certificate, Check, Entry, Kink

__all__ = ["Certificate", "Check", "Entry", "Kink", "check_gradients"]
