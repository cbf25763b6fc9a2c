"""What the Merkle module refuses."""


class MerkleError(ValueError):
    """Something is not what it claims to be. The text says what, and holds no log entry."""


class ProofError(MerkleError):
    """A proof, tile, bundle or tree state is malformed or does not verify."""


class NoteError(MerkleError):
    """A signed note, or a checkpoint or proof made of one, is malformed or does not verify."""


class UnknownKeyError(NoteError):
    """None of the known keys has signed the note."""


class BadSignatureError(NoteError):
    """A known key's name is on the note, and its signature does not verify."""
