"""CausalBGM: effects through a generative model of treatment, outcome and covariates."""
