"""Tests of the pages, against real servers."""
