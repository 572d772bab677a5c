"""Clean states behind the readings: the linear state space that both back ends begin with.

In the order in which they need each other: ``state_space`` (parameters, filter and smoother),
``moments`` (second moments of the states), ``fitted`` (parameters with the states they imply),
``outliers`` and ``levels`` (readings about the level of their regime, without flagged outliers),
``squarem`` and ``em`` (maximum likelihood), ``heavy_tails`` (Student noise), ``choose`` (with or
without noise, drift and heavy tails), ``draws`` (states drawn given the readings).

Words: a **state** is what really happens; the **drift** of a sensor is its slow error, which moves
by small **innovations** and forgets; the **noise** of a sensor is white; **outliers** are readings
that are flagged and left out. A reading is state plus drift plus noise.
"""
