"""Pictures of a training run, saved with matplotlib: the loss curve, and what was learned."""

from chainrule.pictures.drawing import check_picture_file, draw_run, picture

__all__ = ["check_picture_file", "draw_run", "picture"]
