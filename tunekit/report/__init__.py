"""The report: the registry as one page that opens anywhere. It changes nothing."""

from tunekit.report.gather import Gatherer
from tunekit.report.live import LiveServer
from tunekit.report.model import Report
from tunekit.report.page import data_of, page_of, wrapped

__all__ = ["Gatherer", "LiveServer", "Report", "data_of", "page_of", "wrapped"]
