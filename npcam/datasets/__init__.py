"""Labelled photographs, from whatever a data set is."""
