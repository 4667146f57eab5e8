"""One explanation, kept: a page that shows it, and holds every number of it."""
