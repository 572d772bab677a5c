"""The original AVICI (JAX) as a process that answers one JSON line with another.

Runs in an environment of its own, without aetia: the published package needs older libraries
(``pip install avici==1.0.7 jax==0.4.34 jaxlib==0.4.34 dm-haiku==0.0.12 optax==0.2.3 "numpy<2"``).
Requests: ``{"do": "forward", "n": 200, "d": 10, "seconds": 0.5}`` times the network with random
weights, ``"check": FILE`` instead of ``seconds`` saves weights, input and logits; and
``{"do": "tasks", "mechanism": "linear", "interventional": 64, ...}`` times its simulator.
"""

import json
import resource
import sys
import time

import numpy as np


class Forward:
    """The network at its default sizes, compiled once for each shape."""

    def __init__(self):
        import haiku as hk
        import jax
        from avici.model import BaseModel

        def network(x):
            return BaseModel(dropout=0.0, cosine_temp_init=2.0)(x, is_training=False)

        net = hk.transform(network)
        self.key = jax.random.PRNGKey(0)
        start = jax.jit(net.init)(self.key, np.zeros((1, 2, 2, 2), np.float32))
        # Biases start at 0 and scales at 1: move them, so that the check sees them all.
        rng = np.random.default_rng(0)
        self.params = jax.tree_util.tree_map(
            lambda p: p + 0.1 * rng.standard_normal(p.shape, np.float32), start
        )
        self.apply = jax.jit(net.apply)

    def __call__(self, x):
        return self.apply(self.params, self.key, x).block_until_ready()

    def save(self, file, x):
        arrays = {
            f"{module.split('/', 1)[-1]}.{name}": value
            for module, group in self.params.items()
            for name, value in group.items()
        }
        np.savez(file, x=x, logits=self(x), **arrays)


class Simulator:
    """The paper's training data: linear functions or 100 random features, Gaussian noise."""

    def __init__(self, mechanism, n, d, edges, interventional):
        from avici import synthetic as s

        common = {
            "bias": s.Uniform(low=-3.0, high=3.0),
            "noise": s.Gaussian(),
            "noise_scale": s.Uniform(low=0.2, high=2.0),
            "n_interv_vars": -1 if interventional else 0,
            "interv_dist": s.SignedUniform(low=1.0, high=3.0),
        }
        if mechanism == "linear":
            self.model = s.LinearAdditive(param=s.SignedUniform(low=1.0, high=3.0), **common)
        else:
            self.model = s.RFFAdditive(
                length_scale=s.Uniform(low=7.0, high=10.0),
                output_scale=s.Uniform(low=10.0, high=20.0),
                **common,
            )
        self.graphs = s.ErdosRenyi(edges_per_var=edges / d)
        self.d, self.rows = d, (n - interventional, interventional)
        self.rng = np.random.default_rng(0)

    def __call__(self):
        self.model(self.rng, self.graphs(self.rng, self.d), *self.rows)


def timed(call, seconds):
    """Call for that long, at least once."""
    times = []
    while sum(times) < seconds or not times:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def table(n, d):
    """Make a table of normal values without interventions."""
    values = np.random.default_rng(n + d).standard_normal((1, n, d), np.float32)
    return np.stack([values, np.zeros_like(values)], -1)


def serve(answer):
    """Answer requests until the input ends; add the peak resident memory so far."""
    for line in sys.stdin:
        reply = answer(json.loads(line))
        reply["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(reply), flush=True)


def main():
    networks = []

    def answer(request):
        if request.pop("do") == "tasks":
            seconds = request.pop("seconds")
            times = timed(Simulator(**request), seconds)
            return {"rate": len(times) / sum(times)}
        if not networks:
            networks.append(Forward())
        net, x = networks[0], table(request["n"], request["d"])
        if "check" in request:
            net.save(request["check"], x)
            return {"parameters": sum(p.size for g in net.params.values() for p in g.values())}
        return {"times": timed(lambda: net(x), request["seconds"])}

    serve(answer)


if __name__ == "__main__":
    main()
