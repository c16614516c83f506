"""Right training programs with one line changed, and what `chainrule check` says of them."""
