"""Figures from frames of numbers. No statistics here."""
