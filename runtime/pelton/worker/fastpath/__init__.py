"""MLflow's scoring, faster: the model's signature compiled into decoder, predictor and encoder.

Everything here answers as ``mlflow.pyfunc.scoring_server.invocations`` of the installed mlflow
does, byte for byte, or declines, and then the raw bytes go to the oracle.

``compiler`` makes the ``FastPath``. ``document`` parses, ``matrix`` what is one list of numbers,
and ``skeleton`` knows what stands around lists; ``tabular``, ``tensor`` and ``raw`` decode
(``table``, ``plan``, ``cells`` and ``layout`` are their material, ``witness`` and ``likeness`` what
they are checked with); ``prediction`` calls the model, ``encoding`` writes the answer, ``batch``
joins and splits. ``self_check`` and ``batching_proof`` show that all of it holds for a model.
"""

from pelton.worker.fastpath.batching_proof import BatchingProof, prove_batching, recheck
from pelton.worker.fastpath.compiler import FastPath, Unsupported, compile_fast_path
from pelton.worker.fastpath.decoded import Decoded
from pelton.worker.fastpath.prediction import Failure
from pelton.worker.fastpath.self_check import SelfCheck, difference, self_check

__all__ = [
    "BatchingProof",
    "Decoded",
    "Failure",
    "FastPath",
    "SelfCheck",
    "Unsupported",
    "compile_fast_path",
    "difference",
    "prove_batching",
    "recheck",
    "self_check",
]
