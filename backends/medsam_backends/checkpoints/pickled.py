"""Reads the pickle inside a PyTorch checkpoint as a list of instructions, without ever running it.

Python's own unpickler imports and calls whatever a file names.  This one knows the few instructions
that build dictionaries, lists and numbers, keeps tensors as records of where their data lies, and
refuses a file that names any function it has no use for.  Instructions: CPython, `pickletools`.
"""

from __future__ import annotations

import pickletools
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Inert", "RefusedFile", "Storage", "Tensor", "read_pickle"]

STORAGE_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
"""PyTorch's storage classes and the numpy type of their elements (numpy has no bfloat16)."""

_TRAINING_PACKAGES = (
    "torch.optim",
    "lightning",
    "lightning_fabric",
    "lightning_utilities",
    "pytorch_lightning",
    "omegaconf",
)
_TRAINING_NAMES = {
    "functools.partial",
    "collections.defaultdict",
    "argparse.Namespace",
    "pathlib.PosixPath",
    "torch.device",
}
_MAX_DIMENSIONS, _MAX_NUMBER = 8, 1 << 40


class RefusedFile(Exception):
    """Why a file is refused, as the end of a sentence that begins with its name."""


@dataclass(frozen=True)
class Storage:
    """A block of numbers in the archive: numpy type, name of its member, count of elements."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """Where a tensor's data lies; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Inert:
    """Stands for an object of the training program, such as an optimiser's settings; it is not made."""

    name: str


@dataclass(frozen=True)
class _Name:
    """A function or class that the file names."""

    path: str


def read_pickle(data: bytes) -> Any:
    """What the pickle describes, of dict, list, tuple, numbers, strings, `Tensor` and `Inert` alone.

    Raises
    ------
    RefusedFile
        If it names a function that rebuilding tensors does not need, or is damaged.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise RefusedFile(f"is damaged ({error}): download it again") from None
    raise RefusedFile("is damaged (it ends too early): download it again")


class _Machine:
    """The stack, the marks on it and the memo of a pickle being read."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self.stack.pop()

    def to_mark(self) -> list[Any]:
        """Take off everything above the last mark."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def step(self, name: str, argument: Any) -> None:
        """Carry out one instruction."""
        if name in _PUSH_ARGUMENT:
            self.stack.append(argument)
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise RefusedFile(f"holds the pickle instruction {name}, which no checkpoint needs; it is refused")


_PUSH_ARGUMENT = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES"),
}


def _memoize(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo) if argument is None else argument] = machine.stack[-1]


def _extend(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Inert):
        raise ValueError("an item is added to what is no list")


def _update(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Inert):
        return
    if not isinstance(target, dict) or len(items) % 2:
        raise ValueError("an entry is added to what is no dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Hashing a nested tuple can take for ever, and no tensor is found under such a key.
        if key is None or isinstance(key, (str, int, float)):
            target[key] = value


def _name(machine: _Machine, module: Any, name: Any) -> None:
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("a function without a name")
    path = f"{module}.{name}"
    storage = module == "torch" and name in STORAGE_TYPES
    training = path in _TRAINING_NAMES or any(path.startswith(f"{package}.") for package in _TRAINING_PACKAGES)
    if not (storage or training or path in _CALLS):
        raise RefusedFile(
            f"would use {path} when PyTorch opens it, which holding tensors does not need; nothing of it was run "
            "and it is refused: get the checkpoint from its authors' page"
        )
    machine.stack.append(_Name(path))


def _storage(machine: _Machine, _: Any) -> None:
    """A persistent id ``("storage", class, key, location, count)``."""
    kind, cls, key, _location, count = machine.pop()
    if kind != "storage" or not isinstance(cls, _Name) or not isinstance(key, str):
        raise ValueError("an unknown kind of stored data")
    machine.stack.append(Storage(STORAGE_TYPES[cls.path.removeprefix("torch.")], key, _whole(count)))


def _call(machine: _Machine, _: Any) -> None:
    arguments, function = machine.pop(), machine.pop()
    if not isinstance(function, (_Name, Inert)) or not isinstance(arguments, tuple):
        raise ValueError("a call of what is no function")
    if isinstance(function, _Name) and function.path in _CALLS:
        machine.stack.append(_CALLS[function.path](*arguments))
    else:
        machine.stack.append(Inert(function.path if isinstance(function, _Name) else function.name))


def _call_with_keywords(machine: _Machine, _: Any) -> None:
    machine.pop()
    _call(machine, None)


def _build(machine: _Machine, _: Any) -> None:
    """State of an object; a dictionary's is the state dict's version table, which is not needed."""
    machine.pop()
    if not isinstance(machine.stack[-1], (dict, Inert)):
        raise RefusedFile("would attach hidden attributes to its tensors; it is refused")


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MAX_NUMBER:
        raise ValueError(f"{reprlib.repr(value)} as a size or position")
    return value


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ValueError("a tensor without a place")
    if len(shape) != len(strides) or len(shape) > _MAX_DIMENSIONS:
        raise ValueError(f"a tensor of shape {reprlib.repr(shape)} and strides {reprlib.repr(strides)}")
    return Tensor(storage, _whole(offset), tuple(map(_whole, shape)), tuple(map(_whole, strides)))


def _ordered_dict(*arguments: Any) -> dict[Any, Any]:
    if arguments:
        raise ValueError("a dictionary in an unusual form")
    return {}


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
}

_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "NONE": lambda m, _: m.stack.append(None),
    "NEWTRUE": lambda m, _: m.stack.append(True),
    "NEWFALSE": lambda m, _: m.stack.append(False),
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_SET": lambda m, _: m.stack.append([]),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.to_mark())),
    "TUPLE1": lambda m, _: m.stack.append((m.pop(),)),
    "TUPLE2": lambda m, _: m.stack.append((m.pop(), m.pop())[::-1]),
    "TUPLE3": lambda m, _: m.stack.append((m.pop(), m.pop(), m.pop())[::-1]),
    "APPEND": lambda m, _: _extend(m, [m.pop()]),
    "APPENDS": lambda m, _: _extend(m, m.to_mark()),
    "ADDITEMS": lambda m, _: _extend(m, m.to_mark()),
    "SETITEM": lambda m, _: _update(m, [m.pop(), m.pop()][::-1]),
    "SETITEMS": lambda m, _: _update(m, m.to_mark()),
    "BINPUT": _memoize,
    "LONG_BINPUT": _memoize,
    "MEMOIZE": _memoize,
    "BINGET": lambda m, key: m.stack.append(m.memo[key]),
    "LONG_BINGET": lambda m, key: m.stack.append(m.memo[key]),
    "GLOBAL": lambda m, path: _name(m, *path.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: _name(m, *(m.pop(), m.pop())[::-1]),
    "BINPERSID": _storage,
    "REDUCE": _call,
    "NEWOBJ": _call,
    "NEWOBJ_EX": _call_with_keywords,
    "BUILD": _build,
}
