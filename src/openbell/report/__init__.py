"""Reports of finished runs: statistics, the report page, tear sheet, comparison, figures. Reads tables only,
never the engine.
"""

from openbell.report.statistics import Statistics, compute_statistics
from openbell.report.tables import RunTables

__all__ = ["RunTables", "Statistics", "compute_statistics"]
