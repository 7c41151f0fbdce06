"""Tests of the host application and of what sets it up."""
