"""Where requests are answered: in this process, in processes of this machine that no request can
take others down with, by jobs of Slurm, by tasks of Ray, or by any executor in the manner of
`concurrent.futures`.

They know nothing of networks: a request and its answer are bytes, and a `Setup` makes the function that
answers.
"""

from nas.executors.executor import Executor as Executor
from nas.executors.executor import Handler as Handler
from nas.executors.executor import Setup as Setup
from nas.executors.executor import Task as Task
from nas.executors.executor import UnansweredError as UnansweredError
from nas.executors.executor import Workers as Workers
from nas.executors.futures import Futures as Futures
from nas.executors.in_process import InProcess as InProcess
from nas.executors.local_processes import LocalProcesses as LocalProcesses
from nas.executors.ray_tasks import RayTasks as RayTasks
from nas.executors.submitit_jobs import SubmititJobs as SubmititJobs
