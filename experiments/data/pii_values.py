"""Invented people, places and numbers: likeness to anybody is chance, and nothing reaches anyone.

Domains are example.com, .org and .net (RFC 2606), addresses 192.0.2.0/24 and its like (RFC 5737,
RFC 3849), telephone numbers from the ranges kept for fiction (555-01xx; Ofcom's 020 7946 0xxx and
07700 900xxx; Arcep's 06 39 98 xx xx). Card numbers fail the Luhn test, IBANs have the check digits
00, which none can have, and British postcodes end in letters that Royal Mail leaves out there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")

# A bar parts what every row may use from what only the held-out rows do.
FIRST_NAMES = """
Aaliyah Abena Achim Adaeze Adrián Agnieszka Aiko Aisha Alejandra Alice Amara Amir Anaïs Andrej
Anika Anjali April Arjun Astrid Ayşe Bartosz Beatriz Benoît Bilal Björn Bogdan Camila Carmen
Cedric Chiara Chidi Chloe Claire Conor Dagmar Daisy Daniela Deepa Deniz Diego Dmitri Dorota
Edwin Eilidh Elif Elke Emeka Emma Enzo Esra Esther Farah Fatima Femi Fiona Florian Freya
Gabriela Gareth George Giulia Grace Greta Gustavo Hamza Hana Hannah Harpreet Haruto Heidi Hope
Hugo Ibrahim Ifeoma Imran Ines Ingrid Irina Isabel Iván Jack Jada Jamal Jan Jasmine Javier
Jelena Jing Joanna Johan Jorge Joy Julia Kaito Kamala Karim Karolina Katarzyna Kavya Kemal Kenji
Khadija Kofi Kwame Lars Latoya Laura Layla Leila Leon Liam Lina Linh Lorenzo Lucía Luka Magda
Malik Manon Marcin Mark Marta Mateo Mehmet Mei Mia Miguel Milan Min Moira Mónica Nadia Naomi
Ngozi Niamh Nikhil Nina Noor Oksana Olga Oliver Omar Oscar Pablo Padma Paola Patience Pedro
Petra Priya Rachel Rafael Rahul Ravi Rebecca Renata Rhys Rohan Rosa Rose Ruben Ruth Said Sakura
Samira Sanjay Sara Selin Sergei Shreya Sienna Silvia Simone Sofia Stefan Sunita Svetlana Tariq
Tatiana Thandi Theo Thomas Tomasz Ulrike Valentina Vikram Viola Wanjiru Wei Will Wiktor Xavier
Yara Yasmin Yuki Yusuf Zainab Zeynep Zofia
|
Adwoa Aleksander Amelie Aoife Babajide Bianca Bronwyn Catarina Chinedu Daria Eamon Eleni Ewa
Faisal Gwen Halima Henrik Ilse Itsuki Jovana Kasia Kiran Lakshmi Lucian Mairead Marisol Matteo
Nomsa Nakoa Nils Odile Oluwaseun Paige Quang Radka Rania Saoirse Sven Tamsin Tevita Umar Vesna
Wren Xiomara Yosef Zuri
"""

LAST_NAMES = """
Abara Achterberg Adeyemi Ahmadi Albrecht Almeida Andersson Aoki Appiah Arslan Asante Aydın Baker
Balogun Banerjee Barros Baumann Bayram Becker Bello Benali Bergström Bianchi Boateng Bondar
Braun Brennan Brooks Cabrera Cardoso Carvalho Castillo Çelik Chandra Chaudhary Chen Chikwanha
Coleman Contreras Costa Cruz Dąbrowski Dahl Danjuma Delacroix Demir Diallo Dietrich Doyle Dubois
Eklund Engel Eriksen Esposito Estrada Farouk Fernandes Figueroa Fitzgerald Flynn Fofana Fontaine
Fujita Garnier Ghosh Gill Gonçalves Grabowski Greco Gunawan Gupta Haddad Hall Hansen Haq
Hashimoto Hassan Hawkins Hayashi Hoang Holm Horvat Hossain Hughes Hussain Ibe Iqbal Ito Ivanova
Jansen Jha Jovanović Kamau Kang Kapoor Kaur Kaya Keita Keller Khalil Kim Kimura King Koch Kovač
Kowalczyk Krüger Kumar Laine Lambert Le Leclerc Lee Lehtonen Lim Lindholm Lopes Lund MacLeod
Mahmoud Malhotra Marchetti Mazur Mehta Mendes Meyer Mohamud Molina Moreau Mori Morris Moyo
Mukherjee Murphy Mwangi Nair Nakamura Ndiaye Nguyen Nielsen Novák Nowak Nunes Nwosu O'Connor
O'Neill Obi Odhiambo Okafor Olsen Ong Osei Ouattara Owens Öztürk Patel Pereira Petrov Pham Phiri
Pillai Popescu Powell Prasad Price Qureshi Rahman Ramos Rao Reyes Richter Rossi Rousseau Ruiz
Saito Santoro Sato Schäfer Schneider Sharma Silva Singh Sokolov Sørensen Suzuki Takahashi Tan
Taylor Teixeira Thapa Toure Tran Vargas Vasquez Virtanen Vogel Wagner Wang Weber Wójcik Wong Wu
Yamada Yılmaz Zhang Zhou Zielińska
|
Agyeman Ashworth Beaumont Blažević Bosch Caruso Cavanagh Dhillon Dlamini Egede Evensen
Fairweather Fuentes Gbadamosi Gruber Hakimi Hollis Isaksen Jaramillo Kaplan Kirchner Lacroix
Lombardi Makinde Marković Nkosi Nygaard Oduya Oliveira Pennington Quintero Rasmussen Rautio
Sandhu Stavros Szabo Thorne Tuilagi Uchida Verhoeven Villanueva Whitlock Xu Yeo Zamora
"""

CITIES = """
Aarhus, Aberdeen, Albany, Antwerp, Austin, Bath, Bergen, Bilbao, Birmingham, Bologna, Bordeaux,
Boston, Bremen, Brighton, Bristol, Brno, Calgary, Cardiff, Cleveland, Cologne, Columbus, Cork,
Denver, Derby, Detroit, Dresden, Dublin, Dundee, Edinburgh, Exeter, Florence, Galway, Genoa,
Ghent, Glasgow, Graz, Hamburg, Hull, Kansas City, Kraków, Leeds, Leicester, Leipzig, Lille,
Liverpool, Lyon, Madison, Malmö, Manchester, Milton Keynes, Montréal, Nantes, New Haven,
Newcastle, Norwich, Nottingham, Oakland, Odense, Oxford, Perth, Plymouth, Porto, Portland,
Poznań, Reading, Rennes, Richmond, Rotterdam, San Diego, Seville, Sheffield, Stuttgart, Swansea,
Tampa, Toulouse, Trieste, Tucson, Turin, Utrecht, Valencia, Verona, Winnipeg, York
|
Augsburg, Bruges, Canberra, Coimbra, Durham, Eindhoven, Fort Wayne, Gdańsk, Grenoble, Halifax,
Innsbruck, Lancaster, Lausanne, Limerick, Ostrava, Parma, Salt Lake City, Tampere, Uppsala,
Wakefield
"""

STREETS = """
Alder Lane, Ashgrove Road, Beech Avenue, Birchwood Drive, Bridge Street, Cedar Court, Chapel
Hill, Chestnut Street, Church Lane, Clover Close, Copper Street, Dunmore Road, Elm Street, Fern
Way, Fieldhouse Road, Garden Terrace, Granary Lane, Harbour View, Hawthorn Avenue, Heron Close,
Hill Street, Juniper Drive, Kiln Lane, Lakeside Drive, Larch Road, Maple Avenue, Meadow Lane,
Mill Road, Mulberry Street, North Parade, Oak Crescent, Orchard Way, Row, Pine Street, Priory
Road, Quarry Street, Quay Street, River Road, Rowan Drive, Saddlers Walk, School Lane, Spring
Street, Station Road, Sycamore Avenue, Tannery Lane, Union Street, Valley Road, Walnut Drive,
Weaver Street, Willow Close
|
Anchor Row, Bramble Court, Cinder Path, Dovecote Lane, Foundry Street, Gorse Hill, Lantern
Street, Pebble Lane, Thistle Avenue, Windmill Road
"""

FOREIGN_STREETS = """
Lindenstraße, Gartenweg, Am Mühlbach, Kirchgasse, rue des Tilleuls, rue du Moulin, avenue des
Acacias, Calle del Olmo, Calle Mayor, Via delle Rose, Via Garibaldi, Kerkstraat, Molenweg, ul.
Lipowa
|
Birkenallee, rue des Cerisiers, Calle de la Fuente, Via dei Mulini, Havenstraat
"""

COMPANIES = """
Bluefern, Brackenfold, Cobaltine, Copperdale, Driftmoor, Eastwick & Pell, Fennimore, Goldenreed,
Grayling & Sons, Halvorsen-Pike, Ironbell, Juniper & Vale, Kestrelworks, Larkmead, Lumenfield,
Marlowyn, Mossgate, Northquay, Ostrow-Bell, Pinecastle, Quillstone, Redhollow, Saltmarsh & Co,
Silverthread, Stonewater, Tidewell, Umberlight, Vantridge, Westerhay, Yarrowby
|
Ambergrove, Brightsedge, Calloway-Reed, Duskfield, Everpike, Foxlorn, Glasswick, Thornbury &
Lisle
"""

COMPANY_ENDINGS = (
    "Bakery", "Consulting", "Dental", "GmbH", "Ltd", "Logistics", "Joinery", "Media", "Partners",
    "Tools", "Travel", "Textiles",
)  # fmt: skip

_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

# Letters that Unicode does not take apart into a letter and a mark.
_SPELT: tuple[tuple[str, str | int | None], ...] = (
    ("ß", "ss"),
    ("ø", "o"),
    ("ı", "i"),
    ("ł", "l"),
)

_THINGS = (
    "desk lamp", "coffee machine", "jacket", "boots", "shelf", "blender", "office chair", "tent",
    "headphones", "kettle", "rug", "backpack", "monitor", "raincoat", "toaster", "mirror",
)  # fmt: skip


def pick(random: Random, pool: Sequence[T]) -> T:
    """Return one of `pool`. Uses random() alone: Python promises the same numbers for ever."""
    return pool[int(random.random() * len(pool))]


def chance(random: Random, share: float) -> bool:
    return random.random() < share


def after(opener: str, sentence: str) -> str:
    """Return the sentence as it follows an opener: in lower case, but for I and names."""
    if opener.endswith(",") and not sentence.startswith(("I ", "I'", "{")):
        return sentence[0].lower() + sentence[1:]
    return sentence


def digits(random: Random, form: str) -> str:
    """Return `form` with every # replaced by a digit."""
    return "".join(str(int(random.random() * 10)) if sign == "#" else sign for sign in form)


def ascii_of(text: str) -> str:
    """Return lower-case letters as people put their own name into an address."""
    plain = text.translate(str.maketrans(dict(_SPELT)))
    letters = unicodedata.normalize("NFKD", plain)
    return "".join(sign for sign in letters if sign.isascii() and sign.isalpha()).lower()


@dataclass(frozen=True)
class Pools:
    """The values to draw from; `reserved` is the share drawn from what training never sees."""

    reserved: float

    def draw(self, random: Random, text: str) -> str:
        common, held_out = text.split("|")
        chosen = held_out if chance(random, self.reserved) else common
        if "," in chosen:
            return pick(random, [" ".join(item.split()) for item in chosen.split(",")])
        return pick(random, chosen.split())


class Customer:
    """One invented customer: every value is drawn once, so that a message agrees with itself."""

    def __init__(self, random: Random, pools: Pools) -> None:
        self._random = random
        self._pools = pools
        self._drawn: dict[str, str] = {}
        self.first = pools.draw(random, FIRST_NAMES)
        self.last = pools.draw(random, LAST_NAMES)

    def value(self, slot: str) -> str:
        """Return the text for a slot such as `email`; `email2` is another, that of `other2`."""
        if slot not in self._drawn:
            self._drawn[slot] = self._draw(slot)
        return self._drawn[slot]

    def _draw(self, slot: str) -> str:
        if slot[:-1] == "email":
            first, _, last = self.value(f"other{slot[-1]}").partition(" ")
            return self._email(first, last or self.last)
        text: str = getattr(self, f"_{slot.rstrip('23')}")()
        return text

    def _one_of(self, *options: str) -> str:
        return pick(self._random, options)

    def _digits(self, form: str) -> str:
        return digits(self._random, form)

    def _first(self) -> str:
        return self.first

    def _name(self) -> str:
        return f"{self.first} {self.last}"

    def _other(self) -> str:
        first = self._pools.draw(self._random, FIRST_NAMES)
        surname = (
            self.last if chance(self._random, 0.3) else self._pools.draw(self._random, LAST_NAMES)
        )
        return f"{first} {surname}" if chance(self._random, 0.6) else first

    def _email(self, first: str = "", last: str = "") -> str:
        first, last = ascii_of(first or self.first), ascii_of(last or self.last)
        local = self._one_of(
            f"{first}.{last}",
            f"{first}{last}",
            f"{first[0]}.{last}",
            f"{first}_{last}",
            f"{last}.{first}",
            self._digits(f"{first}##"),
            self._digits(f"{first}.{last}##"),
            f"{first}+shop",
        )
        return f"{local}@{pick(self._random, _DOMAINS)}"

    def _username(self) -> str:
        first, last = ascii_of(self.first), ascii_of(self.last)
        word = self._one_of("runner", "bakes", "garden", "reads", "cycles", "knits", "pixel", "tea")
        return self._digits(
            self._one_of(
                f"{first}_{word}",
                f"{word}{first}##",
                f"{first}{last[0]}##",
                f"{last}.{word}",
                f"@{first}{word}",
            )
        )

    def _phone(self) -> str:
        area = self._digits(self._one_of("2##", "3##", "4##", "6##", "7##"))
        return self._digits(
            self._one_of(
                f"({area}) 555-01##",
                f"{area}-555-01##",
                f"{area}.555.01##",
                f"+1 {area} 555 01##",
                "555-01##",
                f"1-{area}-555-01##",
                "020 7946 0###",
                "+44 20 7946 0###",
                "07700 900###",
                "+44 7700 900###",
                "06 39 98 ## ##",
                "+33 6 39 98 ## ##",
            )
        )

    def _address(self) -> str:
        number = str(1 + int(self._random.random() ** 2 * 240))
        if chance(self._random, 0.2):
            street = self._pools.draw(self._random, FOREIGN_STREETS)
            return (
                f"{number} {street}" if street.startswith(("rue", "ave")) else f"{street} {number}"
            )
        street = self._pools.draw(self._random, STREETS)
        if chance(self._random, 0.2):
            flat = self._one_of("Flat #", "Apt #C", "Unit 1#", "Apartment #")
            return f"{self._digits(flat)}, {number} {street}"
        if chance(self._random, 0.15):
            number += self._one_of("A", "B")
        return f"{number} {street}"

    def _postcode(self) -> str:
        return self._digits(
            self._one_of("LS# #CM", "M# #KV", "9####", "0####", "BS## #OC", "1####")
        )

    def _city(self) -> str:
        return self._pools.draw(self._random, CITIES)

    def _company(self) -> str:
        name = self._pools.draw(self._random, COMPANIES)
        if "&" in name or chance(self._random, 0.3):
            return name
        return f"{name} {pick(self._random, COMPANY_ENDINGS)}"

    def _date(self) -> str:
        day = 1 + int(self._random.random() * 28)
        month = int(self._random.random() * 12)
        name = _MONTHS[month]
        year = self._one_of("2024", "2025")
        return self._one_of(
            f"{day} {name}",
            f"{name} {day}",
            f"{name} {day}, {year}",
            f"{day} {name} {year}",
            f"{day:02}/{month + 1:02}/{year}",
            f"{month + 1}/{day}/{year[2:]}",
            f"{year}-{month + 1:02}-{day:02}",
            f"the {day}{_ordinal(day)} of {name}",
        )

    def _birthday(self) -> str:
        day = 1 + int(self._random.random() * 28)
        month = int(self._random.random() * 12)
        year = 1950 + int(self._random.random() * 55)
        return self._one_of(
            f"{day:02}/{month + 1:02}/{year}",
            f"{day} {_MONTHS[month]} {year}",
            f"{_MONTHS[month]} {day}, {year}",
        )

    def _order(self) -> str:
        return self._digits(
            self._one_of("#4####", "#1######", "ORD-2#####", "7######", "A-55#####", "SO2025-####")
        )

    def _card(self) -> str:
        prefix = self._one_of("4000 00", "5100 00", "6011 00")
        number = self._digits(f"{prefix}## #### ###")
        last = str((_luhn_digit(number.replace(" ", "")) + 1 + int(self._random.random() * 9)) % 10)
        return self._one_of(number, number.replace(" ", "-"), number.replace(" ", "")) + last

    def _iban(self) -> str:
        return self._digits(
            self._one_of(
                "DE00 #### #### #### #### ##",
                "GB00 TKIT #### #### #### ##",
                "NL00 TKIT #### #### ##",
                "FR00 #### #### #### #### #### ###",
                "ES00####################",
            )
        )

    def _amount(self) -> str:
        return self._digits(
            self._one_of("$#4.50", "£#9.99", "€1#5", "$12#.00", "£#8", "1#.90 euros")
        )

    def _thing(self) -> str:
        return pick(self._random, _THINGS)

    def _ip(self) -> str:
        last = str(1 + int(self._random.random() * 254))
        return self._one_of(
            f"192.0.2.{last}",
            f"198.51.100.{last}",
            f"203.0.113.{last}",
            f"2001:db8::{int(last):x}:1",
        )


def _ordinal(day: int) -> str:
    return "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _luhn_digit(number: str) -> int:
    """Return the check digit that would make `number` a valid card number."""
    doubled = [int(sign) * (2 if place % 2 == 0 else 1) for place, sign in enumerate(number[::-1])]
    return -sum(value - 9 if value > 9 else value for value in doubled) % 10
