"""Samplers and simulators of ``bayesgm.datasets``, under their names."""

from aetia.compat.bayesgm.datasets.batches import Base_sampler
from aetia.compat.bayesgm.datasets.priors import (
    Gaussian_sampler,
    GMM_indep_sampler,
    Swiss_roll_sampler,
)
from aetia.compat.bayesgm.datasets.simulators import (
    simulate_heteroskedastic_data,
    simulate_low_rank_data,
    simulate_regression,
    simulate_z_hetero,
)
from aetia.compat.bayesgm.datasets.studies import (
    Semi_acic_sampler,
    Semi_Twins_sampler,
    Sim_Colangelo_sampler,
    Sim_Hirano_Imbens_sampler,
    Sim_Sun_sampler,
)

__all__ = [
    "Base_sampler",
    "GMM_indep_sampler",
    "Gaussian_sampler",
    "Semi_Twins_sampler",
    "Semi_acic_sampler",
    "Sim_Colangelo_sampler",
    "Sim_Hirano_Imbens_sampler",
    "Sim_Sun_sampler",
    "Swiss_roll_sampler",
    "simulate_heteroskedastic_data",
    "simulate_low_rank_data",
    "simulate_regression",
    "simulate_z_hetero",
]
