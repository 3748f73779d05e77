"""A program as steps on pieces of memory."""

from dataclasses import dataclass

from nas.c.orders import Order, channels_last
from nas.program.operations import Flatten, Linear, Lut, Operation, Reshape
from nas.program.program import Program
from nas.program.tensors import Signature


@dataclass(frozen=True)
class Place:
    """A tensor in memory: the number of the piece that holds it, and the order of its elements."""

    memory: int
    order: Order


@dataclass(frozen=True)
class Computed:
    """An operation with its tensors' types and places."""

    operation: Operation
    signature: Signature
    sources: tuple[Place, ...]
    result: Place


@dataclass(frozen=True)
class Transposed:
    """`rows` of `columns` elements that become columns, in place."""

    memory: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Copied:
    """The bytes of a piece of memory that is read again later, copied to another."""

    source: int
    result: int
    size: int


Step = Computed | Transposed | Copied


@dataclass(frozen=True)
class Plan:
    """Steps in order, the size of each piece of memory in bytes, and where input and output are."""

    steps: tuple[Step, ...]
    sizes: tuple[int, ...]
    first: Place
    last: Place

    @property
    def lives(self) -> list[tuple[int, int]]:
        """For each piece the first and the last step that uses it; the input is there before the
        first step, and the output after the last.
        """
        begin, end = {self.first.memory: 0}, {self.first.memory: 0}
        for index, step in enumerate(self.steps):
            for memory in _used(step):
                begin.setdefault(memory, index)
                end[memory] = index
        end[self.last.memory] = max(len(self.steps) - 1, 0)
        return [(begin[memory], end[memory]) for memory in range(len(self.sizes))]


def plan(program: Program) -> Plan:
    """The steps of a program.

    Flatten and Reshape are views. Where the shape of an image changes in another way than by being
    flattened for layers, its elements are moved to where their order wants them: in place, if nobody
    else reads them.
    """
    return _Planner(program).plan()


def _used(step: Step) -> tuple[int, ...]:
    match step:
        case Computed():
            return (*(source.memory for source in step.sources), step.result.memory)
        case Transposed():
            return (step.memory,)
        case Copied():
            return step.source, step.result


class _Planner:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps: list[Step] = []
        self.sizes = [program.tensors[0].size]
        self.places = [Place(0, channels_last(program.tensors[0]))]

    def plan(self) -> Plan:
        for index, (operation, signature) in enumerate(self.program.steps):
            result = signature.result
            if isinstance(operation, Flatten | Reshape):
                source = self.places[operation.inputs[0]]
                wanted = source.order if len(result.shape) == 1 else channels_last(result)
                self.places.append(self._ordered(index, operation.inputs[0], wanted))
                continue
            sources = tuple(self._source(index, tensor) for tensor in operation.inputs)
            order = sources[0].order if isinstance(operation, Lut) else channels_last(result)
            found = Place(self._new(result.size), order)
            self.steps.append(Computed(operation, signature, sources, found))
            self.places.append(found)
        return Plan(tuple(self.steps), tuple(self.sizes), self.places[0], self.places[-1])

    def _source(self, index: int, tensor: int) -> Place:
        """Where an operation finds a tensor in an order that it can read."""
        found = self.places[tensor]
        if isinstance(self.program.operations[index], Linear | Lut):
            return found
        wanted = channels_last(self.program.tensors[tensor])
        moved = self._ordered(index, tensor, wanted)
        if moved.memory == found.memory:
            self._replace(found, moved)
        return moved

    def _replace(self, old: Place, new: Place) -> None:
        self.places = [new if place == old else place for place in self.places]

    def _ordered(self, index: int, tensor: int, wanted: Order) -> Place:
        found = self.places[tensor]
        if found.order.same_as(wanted):
            return Place(found.memory, wanted)
        memory = found.memory
        if self._read_later(index, tensor):
            memory = self._new(found.order.count)
            self.steps.append(Copied(found.memory, memory, found.order.count))
        for order, back in ((found.order, True), (wanted, False)):
            if not order.natural:
                rows, columns = order.channels, order.count // order.channels
                rows, columns = (columns, rows) if back else (rows, columns)
                self.steps.append(Transposed(memory, rows, columns))
        return Place(memory, wanted)

    def _read_later(self, index: int, tensor: int) -> bool:
        """Whether somebody else than this operation's own use of a tensor reads its memory."""
        memory = self.places[tensor].memory
        sharing = [other for other, place in enumerate(self.places) if place.memory == memory]
        others = [
            source
            for later in self.program.operations[index + 1 :]
            for source in later.inputs
            if source in sharing
        ]
        now = [source for source in self.program.operations[index].inputs if source in sharing]
        return bool(others) or len(set(now)) > 1

    def _new(self, size: int) -> int:
        self.sizes.append(size)
        return len(self.sizes) - 1
