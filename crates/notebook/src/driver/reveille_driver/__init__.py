"""Executes one notebook for the Rust engine; see main.py."""
