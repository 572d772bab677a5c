"""Names that no code of the package reads, and why each stays: the allow-list of vulture.

`make check` reports every other function, method, attribute and variable that nothing uses.
Functions in a module's ``__all__`` count as used here; tests/house/test_unused.py looks at those.
"""

# -- called by Python, by a library or by the command line
_.__getattr__  # modules
_.__dir__
_.__annotations__  # typer reads the signature of a command
_.__signature__
_._repr_html_  # Jupyter
_.find_class  # pickle
_.worker  # torch's worker_init_fn
_.allow_nan  # scikit-learn's tags
_.string
_.n_features_in_  # scikit-learn's attributes of a fit
_.feature_names_in_
_.classes_

# -- for users: methods and attributes of what they hold
_.agreement_
_.allows
_.average_effect
_.calibrated_probability_
_.clean_
_.cpdag_probabilities
_.edge_probability_
_.evidence_ess
_.from_pretrained
_.lagged_probability_
_.n_latents_
_.plot_effects
_.prediction_ranks
_.predict_interval
_.pretrain
_.sample_do
_.sample_latents
_.segments_
_.to_dowhy
_.to_frame
_.transform

# -- fields of named tuples that users and tests read
_.energy_error
_.rmse
_.rmse_of_mean
_.total_variance

# -- read by the templates of the pages
_.dense
_.tone

# -- keys of configurations, handed on by name (benchmark/inherited_names.py)
_.checkpoint_every_n_steps
_.d_model
_.dim_feedforward
_.log_every_n_steps
_.max_steps
_.n_perm_samples
_.nhead
_.num_layers
_.num_layers_decoder
_.scheduler
_.scheduler_eta_min
_.scheduler_t_max
_.sinkhorn_iter
_.val_check_interval

# -- counted for tests: how often a table of scores computes
_.n_scored

# -- parts of the published RCGNN that tests compare with its formulas
_.reconstruction_loss

# -- what string.Formatter calls (report/sections/texts.py)
_.format_field
_.get_value

# -- the interface of the package bayesgm, as it is there
_.X_test
_.X_val
_.Y
_.auxiliary_constant
_.best_causal_pre
_.best_epoch
_.checkpoint_path
_.generate
_.get_batch
_.get_config
_.get_density
_.get_log_posterior
_.history_loss
_.infer_from_latent_posterior
_.initialize_nets
_.load_all
_.metropolis_hastings_sampler
_.next_batch
_.predict_on_posteriors
_.run_mcmc_training
_.tfp_mcmc_sampler
