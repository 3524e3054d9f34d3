"""Many machines: objects are read and folded by workers, and merged and committed here.

errands        what is asked of a worker, and what it answers
likeness       whether two machines would make the same of the same bytes
workshop       a worker's work, and the keys that it was told
crew           who reads for the sources of a runner
cluster        the road to the workers: a Dask client on a thread of its own
joining        how one joins a Dask scheduler
serving        the process of a worker

Dask is imported by the last three alone, and these only where a configuration has `[scale]`.
"""
