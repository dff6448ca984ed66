"""How a model fills our legs: the paper desk of PAPER mode, the back-test and the ablation.

Pure and seeded. An intent and the market facts that follow it go in; what the engine would
be told of a real trade, and the booked model trade, come out. Not here: deciding (the
engine), sources of facts (`trading.backtest`), real venues (`trading.execution.executor`).
"""
