"""The errors of the Merkle module."""


class MerkleError(ValueError):
    """A proof, note or line is not as claimed. The text gives the fault, and holds no log entry."""


class ProofError(MerkleError):
    """A proof, tile, bundle or tree state is malformed or does not verify."""


class NoteError(MerkleError):
    """A signed note, or a checkpoint or proof made of one, is malformed or does not verify."""


class UnknownKeyError(NoteError):
    """No known key signed the note."""


class BadSignatureError(NoteError):
    """A known key's name is on the note, and the signature does not verify."""
