"""Recordings as the back ends read them: cut into blocks, and put back into place.

A **recording** is broken into **stretches** (:mod:`aetia.data.recordings`); here stretches are cut
into **blocks** of equal length (``blocks``), which are what is smoothed, resampled and trained on.
The numbers in them are **readings** (``readings``): standardised values with their mask, the rows
that exist, and the regime of each block. What is computed for the cells of blocks goes back into
the user's **windows** at the end.
"""
