"""S3XML, the XML of Sahana Eden: read and written as a stream, lossless between installations of this package.

cells -> spool, records -> reader        cells -> elements -> writer
"""

from __future__ import annotations

from .reader import S3xmlReader, is_start
from .writer import S3xmlWriter

__all__ = ["S3xmlReader", "S3xmlWriter", "is_start"]
