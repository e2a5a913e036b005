"""Which of several models are in memory where not all of them fit. Pure policy: it knows neither models nor memory.

    absent -> loading -> loaded -> leaving -> absent

A request asks for a model and is let in once that is loaded; while it is inside, its model stays. Where
there is no room, requests for other models wait first come, first served: the model of the one that has
waited longest is loaded next, and those that were used longest ago make room for it. A model that has to
go lets nobody else in, so that requests that keep coming for it do not starve the others; all who wait for
a model when it is loaded are let in together, so that one swap serves many. Sizes are in bytes, times in
seconds of one clock.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto


class Stage(Enum):
    """Where a model is between the disk and memory."""

    ABSENT = auto()
    LOADING = auto()
    LOADED = auto()
    LEAVING = auto()


@dataclass(slots=True, eq=False)
class Visit:
    """One request for a model: it waits until it is let in, and holds its model from then on."""

    model: str
    inside: bool = False


@dataclass(slots=True)
class _Model:
    size: int | None = None  # unknown until it is measured
    stage: Stage = Stage.ABSENT
    visitors: int = 0
    used: int = 0  # when a visit was last let in, by a counter
    stays_until: float = 0.0  # it need not go before, while it has visitors


@dataclass(frozen=True, slots=True)
class Moves:
    """What is to be done now: visits that are let in; models to be measured, loaded and let go, all of which
    is done by others, who tell when it is; and when to ask again even if nothing happens."""

    entered: tuple[Visit, ...] = ()
    measure: tuple[str, ...] = ()
    load: str | None = None
    let_go: tuple[str, ...] = ()
    again_at: float | None = None


@dataclass(slots=True)
class Residency:
    """The models of one memory of ``limit`` bytes; None where there is no limit. Not safe for threads.

    After every call that changes something `settle` tells what follows from it.
    """

    limit: int | None
    clock: Callable[[], float]
    _models: dict[str, _Model] = field(default_factory=dict)
    _waiting: list[Visit] = field(default_factory=list)
    _measuring: set[str] = field(default_factory=set)
    _next: str | None = None  # what room is being made for
    _closed: set[str] = field(default_factory=set)  # what has to go for it, once its visitors have left
    _entered: int = 0

    def ask(self, model: str) -> Visit:
        """A new visit; it waits until `settle` says otherwise."""
        visit = Visit(model)
        self._models.setdefault(model, _Model())
        self._waiting.append(visit)
        return visit

    def leave(self, visit: Visit) -> None:
        """A visit ends, or gives its waiting up. Nothing happens where its model has failed it."""
        if visit.inside:
            visit.inside = False
            self._models[visit.model].visitors -= 1
        elif visit in self._waiting:
            self._waiting.remove(visit)

    def measured(self, model: str, size: int) -> None:
        """``model`` will take ``size`` bytes, at most ``limit``."""
        assert self.limit is None or size <= self.limit
        self._measuring.discard(model)
        self._models.setdefault(model, _Model()).size = size

    def loaded(self, model: str, stays_s: float) -> None:
        """``model`` is in memory, and need not leave it for ``stays_s`` seconds while it is used."""
        each = self._models[model]
        each.stage, each.stays_until = Stage.LOADED, self.clock() + stays_s

    def gone(self, model: str) -> None:
        """The memory of ``model`` has been given back."""
        self._models[model].stage = Stage.ABSENT

    def failed(self, model: str) -> list[Visit]:
        """``model`` could not be measured or loaded; those who waited for it, and no longer do."""
        self._measuring.discard(model)
        self._models[model].stage = Stage.ABSENT
        given_up = [visit for visit in self._waiting if visit.model == model]
        self._waiting = [visit for visit in self._waiting if visit.model != model]
        return given_up

    def fits(self, size: int) -> bool:
        """Whether a model of this size can be loaded beside all that are here, without any having to go."""
        return self.limit is None or self.held + size <= self.limit

    def knows(self, model: str) -> bool:
        """Whether the size of ``model`` is known."""
        return model in self._models and self._models[model].size is not None

    def to_measure(self, model: str) -> bool:
        """Whether ``model`` has to be measured for those who will ask for it; said once, as by `settle`."""
        self._models.setdefault(model, _Model())
        if not self._unknown(model):
            return False
        self._measuring.add(model)
        return True

    def spare(self, model: str) -> bool:
        """Whether there is room for ``model``, of known size, that nobody has or waits for."""
        return not self._waiting and self.fits(self._size(model))

    def stage(self, model: str) -> Stage:
        """Where ``model`` is."""
        return self._models[model].stage if model in self._models else Stage.ABSENT

    @property
    def waiting(self) -> int:
        """Visits that have not been let in."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """Bytes of all models that are in memory, or on their way in or out."""
        return sum(each.size or 0 for each in self._models.values() if each.stage is not Stage.ABSENT)

    def settle(self) -> Moves:
        """What follows from all that has been told."""
        self._choose_next()
        entered = self._let_in()
        measure = tuple(dict.fromkeys(visit.model for visit in self._waiting if self._unknown(visit.model)))
        self._measuring.update(measure)
        if self._next is None or any(self._at(Stage.LOADING)):  # one is loaded at a time
            return Moves(entered, measure)
        missing = self._missing(self._next)
        if missing <= 0:
            load = self._begin_load(self._next)
            return Moves(entered + self._let_in(), measure, load=load)
        again_at = self._close(missing)
        return Moves(entered, measure, let_go=self._empty(), again_at=again_at)

    def _let_in(self) -> tuple[Visit, ...]:
        ready = {name for name, each in self._models.items() if each.stage is Stage.LOADED} - self._closed
        entered = tuple(visit for visit in self._waiting if visit.model in ready)
        for visit in entered:
            self._entered += 1
            self._models[visit.model].used = self._entered
            self._models[visit.model].visitors += 1
            visit.inside = True
        self._waiting = [visit for visit in self._waiting if not visit.inside]
        return entered

    def _choose_next(self) -> None:
        """Keep to what was begun while anybody waits for it; else take the model of who has waited longest."""
        wanted = [v.model for v in self._waiting if self._models[v.model].stage is Stage.ABSENT]
        if self._next not in wanted:
            self._next = next((name for name in wanted if self._models[name].size is not None), None)
            self._closed.clear()

    def _begin_load(self, model: str) -> str:
        self._models[model].stage = Stage.LOADING
        self._next = None
        self._closed.clear()
        return model

    def _close(self, missing: int) -> float | None:
        """Choose who has to go so that ``missing`` more bytes become free; where those who would have to need
        not yet, nobody, and when to ask again."""
        now = self.clock()
        missing -= sum(map(self._size, [*self._closed, *self._at(Stage.LEAVING)]))
        chosen, later = list[str](), list[float]()
        for name in sorted(set(self._at(Stage.LOADED)) - self._closed, key=self._goes_before):
            each = self._models[name]
            if missing <= 0:
                break
            if each.visitors and each.stays_until > now:
                later.append(each.stays_until)
            else:
                chosen.append(name)
                missing -= self._size(name)
        if missing > 0:
            return min(later)
        for name in reversed(chosen):
            if missing + self._size(name) <= 0:  # smaller ones were chosen before a large one that is enough
                missing += self._size(name)
            else:
                self._closed.add(name)
        return None

    def _empty(self) -> tuple[str, ...]:
        """Those who have to go and have no visitors any more."""
        empty = tuple(sorted(name for name in self._closed if not self._models[name].visitors))
        for name in empty:
            self._models[name].stage = Stage.LEAVING
        self._closed -= set(empty)
        return empty

    def _goes_before(self, name: str) -> tuple[bool, int]:
        each = self._models[name]
        return each.visitors > 0, each.used

    def _missing(self, model: str) -> int:
        """Bytes that are not free and would have to be."""
        return 0 if self.limit is None else self._size(model) + self.held - self.limit

    def _size(self, model: str) -> int:
        size = self._models[model].size
        assert size is not None
        return size

    def _at(self, stage: Stage) -> Iterator[str]:
        return (name for name, each in self._models.items() if each.stage is stage)

    def _unknown(self, model: str) -> bool:
        return self._models[model].size is None and model not in self._measuring
