"""A draft of the words from a tenant to the persons concerned (GDPR Art. 34): pure rules.

Art. 34(2) asks for clear and plain language: the nature of the breach, a contact point, the likely
consequences, and the measures. The tenant, as controller, decides whether to tell, completes what
stands in brackets, and sends the words; the vendor writes to nobody's data subjects. The account of
the DPO stands in the language in which the DPO wrote it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.breaches.notices import NoticeForm
from shared.breaches.severity import SeverityLevel
from shared.rows import Stored

type CommunicationLanguage = Literal["en", "de", "fr", "nb"]

COMMUNICATION_LANGUAGES: Final[tuple[CommunicationLanguage, ...]] = ("en", "de", "fr", "nb")

_HIGH: Final[frozenset[SeverityLevel]] = frozenset({"high", "very-high"})


class Communication(Stored, frozen=True):
    """A draft for the persons concerned.

    `is_advised` tells that the severity is high or very high: Art. 34 then has its own duty.
    """

    language: CommunicationLanguage
    is_advised: bool
    subject: str
    text: str
    to_complete: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of a language. `{}` in `concerned` takes the list of the categories."""

    subject: str
    greeting: str
    happened: str
    concerned: str
    unknown_data: str
    consequences: str
    measures: str
    advice: str
    contact: str
    closing: str
    categories: Mapping[str, str]


_WORDS: Final[Mapping[CommunicationLanguage, _Words]] = {
    "en": _Words(
        subject="Information about a breach of your personal data",
        greeting="Dear [name],",
        happened="What happened: ",
        concerned="Which of your data may be concerned: {}.",
        unknown_data="We do not yet know which of your data are concerned.",
        consequences="What this may mean for you: ",
        measures="What has been done: ",
        advice="What you can do: [advice to the persons concerned]",
        contact="If you have questions, please write to our data protection officer:"
        " [name, address, telephone].",
        closing="We are sorry that this happened.\n[name of the controller]",
        categories={
            "pictures": "pictures and recordings that show you",
            "names": "your name",
            "contact-details": "your e-mail address",
            "locations": "places where pictures were taken",
            "texts": "captions and further texts about you",
            "paths": "names of files and folders",
        },
    ),
    "de": _Words(
        subject="Information über eine Verletzung des Schutzes Ihrer personenbezogenen Daten",
        greeting="Guten Tag [Name],",
        happened="Was ist geschehen: ",
        concerned="Welche Ihrer Daten betroffen sein können: {}.",
        unknown_data="Wir wissen noch nicht, welche Ihrer Daten betroffen sind.",
        consequences="Was das für Sie bedeuten kann: ",
        measures="Was getan wurde: ",
        advice="Was Sie tun können: [Rat an die betroffenen Personen]",
        contact="Wenn Sie Fragen haben, schreiben Sie bitte an unsere Datenschutzbeauftragte oder"
        " unseren Datenschutzbeauftragten: [Name, Anschrift, Telefon].",
        closing="Es tut uns leid, dass das geschehen ist.\n[Name des Verantwortlichen]",
        categories={
            "pictures": "Bilder und Aufnahmen, die Sie zeigen",
            "names": "Ihr Name",
            "contact-details": "Ihre E-Mail-Adresse",
            "locations": "Orte, an denen Bilder aufgenommen wurden",
            "texts": "Bildunterschriften und weitere Texte über Sie",
            "paths": "Namen von Dateien und Ordnern",
        },
    ),
    "fr": _Words(
        subject="Information sur une violation de vos données à caractère personnel",
        greeting="Bonjour [nom],",
        happened="Ce qui s'est passé : ",
        concerned="Données vous concernant qui peuvent être touchées : {}.",
        unknown_data="Nous ne savons pas encore lesquelles de vos données sont touchées.",
        consequences="Ce que cela peut signifier pour vous : ",
        measures="Ce qui a été fait : ",
        advice="Ce que vous pouvez faire : [conseils aux personnes concernées]",
        contact="Pour toute question, veuillez écrire à notre délégué à la protection des données :"
        " [nom, adresse, téléphone].",
        closing="Nous regrettons ce qui s'est passé.\n[nom du responsable du traitement]",
        categories={
            "pictures": "des images et des enregistrements qui vous montrent",
            "names": "votre nom",
            "contact-details": "votre adresse électronique",
            "locations": "des lieux de prise de vue",
            "texts": "des légendes et d'autres textes à votre sujet",
            "paths": "des noms de fichiers et de dossiers",
        },
    ),
    "nb": _Words(
        subject="Informasjon om et brudd på sikkerheten til dine personopplysninger",
        greeting="Hei [navn],",
        happened="Hva har skjedd: ",
        concerned="Hvilke av dine opplysninger kan være berørt: {}.",
        unknown_data="Vi vet ennå ikke hvilke av dine opplysninger som er berørt.",
        consequences="Hva dette kan bety for deg: ",
        measures="Hva er gjort: ",
        advice="Hva du kan gjøre: [råd til de berørte]",
        contact="Har du spørsmål, skriv til personvernombudet vårt: [navn, adresse, telefon].",
        closing="Vi beklager at dette har skjedd.\n[navnet på den behandlingsansvarlige]",
        categories={
            "pictures": "bilder og opptak som viser deg",
            "names": "navnet ditt",
            "contact-details": "e-postadressen din",
            "locations": "steder der bilder ble tatt",
            "texts": "bildetekster og andre tekster om deg",
            "paths": "navn på filer og mapper",
        },
    ),
}
_TO_COMPLETE: Final = (
    "the name of the person, the contact of your data protection officer, and your own name",
    "advice to the persons, such as where to report misuse",
    "the translation of the accounts of what happened, of the consequences and of the measures",
)


def communication(form: NoticeForm, language: CommunicationLanguage) -> Communication:
    """Draft the words of a language from a notice."""
    words = _WORDS[language]
    named = [words.categories.get(one, one) for one in form.data.categories]
    concerned = words.concerned.format("; ".join(named)) if named else words.unknown_data
    paragraphs = (
        words.greeting,
        words.happened + form.what_happened,
        concerned,
        words.consequences + form.consequences,
        words.measures + form.measures,
        words.advice,
        words.contact,
        words.closing,
    )
    return Communication(
        language=language,
        is_advised=form.severity.level in _HIGH,
        subject=words.subject,
        text="\n\n".join(paragraphs),
        to_complete=_TO_COMPLETE,
    )
