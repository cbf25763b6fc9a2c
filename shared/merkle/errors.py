"""The errors of the Merkle module."""


class MerkleError(ValueError):
    """A value failed verification. The text names the value and holds no log entry."""


class ProofError(MerkleError):
    """A proof, tile, bundle or tree state is malformed or does not verify."""


class NoteError(MerkleError):
    """A signed note is malformed or does not verify; also for a checkpoint or proof in a note."""


class UnknownKeyError(NoteError):
    """No known key has signed the note."""


class BadSignatureError(NoteError):
    """The note bears a known key's name, but the signature does not verify."""
