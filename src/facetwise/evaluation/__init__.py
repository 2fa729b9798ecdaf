"""One file for each protocol, and the report it prints."""

from facetwise.evaluation.benchmarks import BENCHMARKS, run_benchmark
from facetwise.evaluation.image_image import Retrieval, retrieval
from facetwise.evaluation.image_text import ImageText, image_text
from facetwise.evaluation.own import evaluate
from facetwise.evaluation.pair_figures import PairFigures, pair_figures
from facetwise.evaluation.report import Report
from facetwise.evaluation.request import Request

__all__ = [
    "BENCHMARKS",
    "ImageText",
    "PairFigures",
    "Report",
    "Request",
    "Retrieval",
    "evaluate",
    "image_text",
    "pair_figures",
    "retrieval",
    "run_benchmark",
]
