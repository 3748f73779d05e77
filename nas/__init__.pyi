from . import data as data
from . import executors as executors
from . import seeds as seeds
from .compress import Compressor as Compressor
from .data.task import Split as Split
from .data.task import Task as Task
from .experiment import Experiment as Experiment
from .measure.device import Device as Device
from .objective import Budget as Budget
from .objective import Evaluation as Evaluation
from .objective import Objective as Objective
from .runs.run import run as run
from .search_loop import search as search
from .soft_target import SoftTarget as SoftTarget
from .space import AnyOf as AnyOf
from .space import Choice as Choice
from .space import Choices as Choices
from .space import Constraint as Constraint
from .space import Design as Design
from .space import SearchSpace as SearchSpace
from .strategy import Proposal as Proposal
from .strategy import Strategy as Strategy
from .training.augmentation import Augmentation as Augmentation
from .training.distil import Teacher as Teacher
from .training.recipe import Recipe as Recipe
from .training.supernet import Supernet as Supernet

__version__: str
