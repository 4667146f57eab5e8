"""Explanations as documents that somebody else can check: their data, their page, and the check."""
