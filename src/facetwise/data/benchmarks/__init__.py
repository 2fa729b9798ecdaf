"""Readers of published data sets, one file each; every one checks the published counts."""

from facetwise.data.benchmarks.checks import Damage, check_count, need_file
from facetwise.data.benchmarks.source import Source, files_fingerprint

__all__ = ["Damage", "Source", "check_count", "files_fingerprint", "need_file"]
