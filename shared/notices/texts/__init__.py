"""The texts of notices, in every language."""

from shared.notices.texts.letter import Letter
from shared.notices.texts.writing import digest_letter, letter_of, plain_letter

__all__ = ["Letter", "digest_letter", "letter_of", "plain_letter"]
