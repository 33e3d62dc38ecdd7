"""A broker that charges by the share: a fee model is asked for each fill, and its answer is kept in the journal."""

from decimal import Decimal

from openbell import FeeModel, Fill, Money


class PerShare(FeeModel):
    """Half a cent a share, a dollar an execution at least, one percent of its value at most."""

    # What orders sized by percent keep back, as a share of their value: the fee is not known before the fill.
    sizing_rate = "0.05%"

    def fee(self, fill: Fill) -> Money:
        """The fee of one fill."""
        most = Money(fill.quantity * fill.price * Decimal("0.01"), fill.instrument.currency)
        least = min(Money("1", fill.instrument.currency), most)
        return min(max(least, fill.quantity * Money("0.005", fill.instrument.currency)), most)
