"""Every option of a move: the values, the table that describes them, their rules, their JSON form. Pure."""

from jobs.options.codec import InvalidOptions, OptionError, dump_options, parse_options
from jobs.options.model import Control, Kind, MoveOptions, Storage, TimeoutAction
from jobs.options.rule import OptionProblem
from jobs.options.rules import check_options
from jobs.options.shape import Choice, Group, Option, Value
from jobs.options.table import OPTIONS, find_option

__all__ = [
    "OPTIONS",
    "Choice",
    "Control",
    "Group",
    "InvalidOptions",
    "Kind",
    "MoveOptions",
    "Option",
    "OptionError",
    "OptionProblem",
    "Storage",
    "TimeoutAction",
    "Value",
    "check_options",
    "dump_options",
    "find_option",
    "parse_options",
]
