"""Tests of the application, its pages and the engine."""
