"""Layers whose class or hooks make of torch's computation another one."""

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from nas.tracing.unsupported import UnsupportedError

# What a subclass may define without changing what it computes.
_HARMLESS = {
    *("__init__", "__module__", "__doc__", "__annotations__", "__constants__", "__qualname__"),
    *("__repr__", "extra_repr", "_get_name", "reset_parameters", "__parameters__"),
    *("__firstlineno__", "__static_attributes__", "__classcell__", "__dict__", "__weakref__"),
}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def is_plain(module: nn.Module) -> bool:
    """Whether a module computes what the class of torch computes that it is of: it may say how it is
    made and shown, and nothing else.

    >>> class Conv3x3(nn.Conv2d):
    ...     def __init__(self, channels: int) -> None:
    ...         super().__init__(channels, channels, 3, padding=1)
    >>> class Scaled(nn.Linear):
    ...     def forward(self, x):
    ...         return 2 * super().forward(x)
    >>> is_plain(Conv3x3(8)), is_plain(Scaled(4, 2)), is_plain(nn.Identity())
    (True, False, True)
    """
    return not (_overridden(module) or _has_hooks(module) or is_parametrized(module))


def _has_hooks(module: nn.Module) -> bool:
    return any(getattr(module, hooks) for hooks in _HOOKS)


def check_plain(module: nn.Module, name: str) -> None:
    """Refuses a module that is to be replaced by another, if that would change what it computes.

    Raises:
        UnsupportedError: if the module is not plain, naming its class and what it changes.
    """
    if is_plain(module):
        return
    kind = type(module)
    if overridden := _overridden(module):
        base = next(made for made in kind.__mro__ if _is_torchs(made))
        reason = f"is a {kind.__name__}, which changes {', '.join(overridden)} of {base.__name__}"
        advice = f"use nn.{base.__name__}, or do outside of the layer what is added to it"
    elif is_parametrized(module):
        reason = "computes its parameters from others"
        advice = "call nas.tracing.independent_copy first, which computes them once"
    else:
        reason = f"is a {kind.__name__} with forward hooks"
        advice = "remove the hooks first"
    raise UnsupportedError(
        f"a layer must compute what torch's class does to have an integer form, but {name!r} {reason}; {advice}"
    )


def _overridden(module: nn.Module) -> list[str]:
    """What classes outside of torch define anew, of which a result may depend."""
    own = {"forward", "_conv_forward", "__call__"} & vars(module).keys()
    for kind in type(module).__mro__:
        if _is_torchs(kind):
            # nn.Module itself: nothing of torch is changed, because the forward is the user's.
            return sorted(own) if kind is not nn.Module else ["forward"]
        own |= vars(kind).keys() - _HARMLESS
    return sorted(own)


def _is_torchs(kind: type) -> bool:
    return kind.__module__.startswith("torch.nn.")
