"""The EICAR test file, put together when it is needed so that the repository holds it nowhere.

    python samples/eicar.py plain > eicar.com        # or: zip, nested

https://www.eicar.org/download-anti-malware-testfile/
"""

import io
import sys
import zipfile

# Every other character of the two halves, so that neither this file nor its bytecode has a run of
# the original that a scanner could know.
_EVEN = "XOP@P4PX4P)C)}ECRSADR-NIIU-ETFL!HH"
_ODD = "5!%A[\\Z5(^7C7$IA-TNADATVRSTS-IE$+*"


def eicar() -> bytes:
    """The 68 bytes of the test file."""
    return "".join(a + b for a, b in zip(_EVEN, _ODD, strict=True)).encode("ascii")


def eicar_zip() -> bytes:
    """A zip with the test file, compressed, so that its bytes do not show."""
    return _zip("eicar.com", eicar())


def eicar_nested_zip() -> bytes:
    """A zip in a zip, with the test file in the inner one."""
    return _zip("inner.zip", eicar_zip())


def _zip(name: str, data: bytes) -> bytes:
    # A time of its own would make each call's bytes differ. The text before the test file makes
    # the compressor change it.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in (("readme.txt", b"A harmless test. " * 40), (name, data)):
            info = zipfile.ZipInfo(member, (2024, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


if __name__ == "__main__":
    variants = {"plain": eicar, "zip": eicar_zip, "nested": eicar_nested_zip}
    sys.stdout.buffer.write(variants[sys.argv[1] if len(sys.argv) > 1 else "plain"]())
