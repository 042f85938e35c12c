"""Examples of how to land one's own data. The pipeline itself imports nothing from here."""
