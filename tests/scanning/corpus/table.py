"""All cases of the corpus."""

from typing import Final

from tests.scanning.corpus.cases import Case
from tests.scanning.corpus.closed import CLOSED
from tests.scanning.corpus.compound_files import OLE
from tests.scanning.corpus.encoded_texts import TEXT
from tests.scanning.corpus.honest_archives import ARCHIVES
from tests.scanning.corpus.honest_documents import DOCUMENTS
from tests.scanning.corpus.honest_media import MEDIA, OTHERS
from tests.scanning.corpus.honest_texts import TEXTS
from tests.scanning.corpus.honest_unusual import UNUSUAL
from tests.scanning.corpus.mails import MAIL
from tests.scanning.corpus.nested import NESTED
from tests.scanning.corpus.pdfs import PDF
from tests.scanning.corpus.plain_archives import PLAIN
from tests.scanning.corpus.tar_forgeries import FORGED_TARS, ODD_TARS
from tests.scanning.corpus.zip_forgeries import BEHIND, FORGED

BAD: Final = (FORGED, FORGED_TARS, BEHIND, MAIL, PDF, OLE, TEXT, PLAIN, NESTED, CLOSED)
HONEST: Final = (ARCHIVES, ODD_TARS, DOCUMENTS, MEDIA, TEXTS, OTHERS, UNUSUAL)
CASES: Final[tuple[Case, ...]] = tuple(case for cases in (*BAD, *HONEST) for case in cases)
