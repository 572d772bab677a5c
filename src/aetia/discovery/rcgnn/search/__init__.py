"""From states to graphs: searches, how well a graph explains readings, one graph at the end.

Searches climb by single moves over the parents of all variables at all lags (``moves``, in
``regressions``, under ``constraints``); ``additive`` searches curves instead of lines. ``weights``
are those of a given graph; ``likelihood`` says how well a graph explains the readings themselves,
and ``likeliest`` searches for the graph that does it best. ``resamples`` repeats a search on
half-samples of the blocks; ``deploy`` turns the frequencies of their edges into one graph.

Words: **candidates** of a variable are (s_t, s_{t-1}, ...), of which its **parents** are chosen;
graphs are stored target by candidate while they are searched, cause in rows when they are answers.
"""
