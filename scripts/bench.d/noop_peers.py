"""The peers of `scripts/bench noop`: runs so many tasks that do nothing and prints the seconds it took.

Runs in the environment of queues.txt, not in that of the other scripts. Usage: PEER TASKS WORKERS.
"""

import logging
import os
import sys
import tempfile
import time
from pathlib import Path


def optuna_trials(tasks: int, _workers: int, folder: Path) -> float:
    """One process: several would wait for each other's locks on the one file."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/optuna.db")
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    begin = time.perf_counter()
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=tasks)
    took = time.perf_counter() - begin
    assert len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) == tasks
    return took


def hyperqueue_tasks(tasks: int, workers: int, folder: Path) -> float:
    """A server and a worker of so many cores in this process; nothing is written of any task."""
    from hyperqueue import Job
    from hyperqueue.cluster import LocalCluster, WorkerConfig

    with LocalCluster(server_dir=str(folder), worker_config=WorkerConfig(cores=workers)) as cluster:
        client = cluster.client()
        job = Job()
        for _ in range(tasks):
            job.program(["/bin/true"], stdout=None, stderr=None)
        begin = time.perf_counter()
        assert client.wait_for_jobs([client.submit(job)], raise_on_error=True)
        return time.perf_counter() - begin


def main() -> None:
    logging.disable()
    name, tasks, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    peers = {"optuna": optuna_trials, "hyperqueue": hyperqueue_tasks}
    # What a peer prints is not the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="augreg-bench-") as folder:
        os.chdir(folder)
        print(peers[name](tasks, workers, Path(folder)), file=answer, flush=True)


if __name__ == "__main__":
    main()
