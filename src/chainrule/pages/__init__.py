"""HTML pages that stand alone: their markup, their common look, and how they are written."""
