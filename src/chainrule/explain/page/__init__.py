"""A derivation as an interactive HTML page that stands alone."""

from chainrule.explain.page.assembling import page

__all__ = ["page"]
