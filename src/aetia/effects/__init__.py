"""Effects of treatments: a table in, an EffectPosterior out."""
