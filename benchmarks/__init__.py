"""Programs that measure; each prints its rates as ratios to the raw rate of the private-key operation behind them."""
