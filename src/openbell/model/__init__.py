"""The words everyone speaks: errors, quantities, terms, instrument, time. Pure: no I/O, no clock."""
