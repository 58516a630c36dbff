"""What is wrong with the text of a filter, in words."""

from __future__ import annotations

from collections.abc import Mapping

from fleetplan.fleet.filter import FilterError, Trouble

SENTENCES: Mapping[Trouble, str] = {
    Trouble.UNKNOWN_KEY: "there is no key `{word}`; quote a word that has a colon in it",
    Trouble.NO_VALUE: "a value is missing here",
    Trouble.NOTHING_NEGATED: "`!` stands before nothing; what it turns round follows it without a blank",
    Trouble.OPEN_QUOTE: "the quote that opens here is not closed",
    Trouble.OPEN_REGEX: "the regular expression that opens here is not closed; a blank in it is `\\s`, and a name that begins so is quoted",
    Trouble.BAD_REGEX: "not a regular expression: {word}",
    Trouble.NO_BLANK: "a blank or a comma is missing before this",
}


def filter_sentence(problem: FilterError) -> str:
    """One line: the column and what is wrong there, with what may have been meant."""
    told = SENTENCES[problem.trouble].format(word=problem.word)
    return f"column {problem.column}: " + (f"{told}; did you mean `{problem.meant}`?" if problem.meant is not None else told)


def filter_lines(problem: FilterError) -> tuple[str, str]:
    """The text of the filter, and below it a mark where it is wrong."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in problem.text)
    return shown, " " * (problem.column - 1) + "^"
