"""Support messages with personal data, and the same messages masked."""

from __future__ import annotations

import re
from random import Random

from pii_values import Customer, Pools, after, chance, pick

ROWS = 1_600
# The last rows draw part of their names, places and sentences from what no earlier row uses.
HELD_OUT_ROWS = 300
SHARE_UNSEEN_VALUES = 0.6
SHARE_UNSEEN_SENTENCES = 0.2
SHARE_NOTHING_TO_MASK = 0.12

# What a slot becomes; slots that are not here stay. `other2` is another value of the kind.
MASKS = {
    "name": "[NAME]", "first": "[NAME]", "other": "[NAME]", "email": "[EMAIL]",
    "phone": "[PHONE]", "address": "[ADDRESS]", "postcode": "[POSTCODE]", "city": "[CITY]",
    "company": "[COMPANY]", "date": "[DATE]", "birthday": "[DATE]", "order": "[ORDER]",
    "card": "[CARD]", "iban": "[IBAN]", "username": "[USERNAME]", "ip": "[IP]",
}  # fmt: skip

OPENERS = """
Hi,
Hello,
Hello team,
Hi there,
Good morning,
Good afternoon,
Dear support team,
Hey,
To whom it may concern,
"""

INTRODUCTIONS = """
My name is {name}.
This is {name}.
I'm {name} and I have been a customer for three years.
{name} here.
This is {name} from {company}.
My name is {name} and I work at {company}.
I am writing on behalf of {company}.
I'm writing for my neighbour, {other3}, who doesn't use email.
My name is {first} and I spoke to one of your colleagues yesterday.
{name} again, I wrote to you last week.
Customer name: {name}.
I'm contacting you about the account of {other3}.
"""

# One topic a block: what went wrong first, then what may follow it.
TOPICS = """
My order {order} was supposed to arrive on {date} and it still isn't here.
I placed order {order} on {date} and the tracking page hasn't moved since.
Order {order} was delivered to the wrong house.
The parcel for order {order} arrived with the box crushed and two cups broken.
Where is my package? The order number is {order}.
I ordered a {thing} and a set of shelves, order no. {order}, and only the shelves came.
Your courier says order {order} was signed for by {other}, but nobody of that name lives here.
You sent me someone else's parcel, the label says {other}, {address}, {city}.
The {thing} from order {order} came without its instructions.
--
It should have gone to {address2}, {city2}.
My address is {address2}, {postcode} {city2}.
Please send it to {address2} instead.
The postcode is {postcode}, not {postcode2}.
We moved to {city2} last month, so the old address is no longer valid.
The neighbour at {address2} hasn't seen it either.
I will be in {city2} until {date2}, so please don't redeliver before that.
Could the driver ring {phone} when he is outside?
I paid extra for next-day delivery.
===
I was charged twice for order {order}.
There is a payment of {amount} on my statement from {date} that I don't recognise.
My card {card} was declined three times although there is money on it.
The refund for order {order} hasn't reached my account yet.
You took {amount} from my account on {date} even though I cancelled.
I tried to pay with {card} and the page just went blank.
I paid {amount} for the {thing} on {date} but got no confirmation.
Please send all refunds to {iban} from now on.
I gave you the wrong IBAN, the right one is {iban}.
--
Please refund it to {iban}.
My IBAN is {iban}.
You still have my old address, I now live at {address}, {city} {postcode}.
The card I used is {card}.
The account holder is {other}, IBAN {iban}.
Please remove the card {card} from my account afterwards.
The billing address is {address}, {city}.
The order number is {order}.
My bank says the money never left your side.
===
I need an invoice for order {order} made out to {company}.
The invoice you sent on {date} shows the wrong company, it must say {company}.
I can't find the invoice for the {thing} that I bought on {date}.
The invoice for {order} has the wrong amount, it should be {amount}.
--
Please send the corrected invoice to {email}.
Our address is {address}, {postcode} {city}.
The postcode on it should be {postcode2}.
Please put {other} down as the recipient.
Our accountant {other} needs it before {date2}.
Please copy {email2}, that is {other2} in accounting.
===
I can't log in to my account {username}.
I forgot my password and the reset mail never arrives at {email}.
Please change the email on my account {username} to {email}.
My account {username} has been locked since {date}.
The app says my user name {username} doesn't exist.
I have two accounts, {username} and {username2}, and would like to merge them.
--
My user name is {username}.
The account is registered to {email}.
My date of birth is {birthday}, if you need it for the check.
I no longer have access to the old address.
I have already cleared the cache and restarted the phone twice.
You can verify me by my birthday, {birthday}.
===
Somebody logged in to my account from {ip} on {date} and it wasn't me.
I got a security alert about a sign-in from {ip}, which is not an address I know.
Your system blocks our office, we always come from {ip}.
The history shows orders from {city} on {date}, but I have never been there.
--
I was at home in {city2} all day, so it can't have been me.
My user name is {username}.
I only ever use {ip2}.
Please close the account {username} until this is clear.
The only other person with the password is {other}.
===
I would like to return the {thing} from order {order}.
The {thing} I bought on {date} stopped working after a week.
Can I exchange the {thing} from order {order} for a smaller one?
The return label you sent to {email} doesn't open.
I sent the {thing} back on {date} and haven't heard anything.
The {thing} from {order} has a scratch on one side.
--
Somebody could pick it up at {address}, {city}, any weekday.
You can collect it at {address}, {postcode} {city}.
It was a present from {other}, so I don't have the receipt.
I dropped it off at the shop in {city} on {date2}.
The label should be in the name of {other}.
I'd rather have the money back than a voucher.
{other} at your shop in {city} told me that this would be no problem.
It cost {amount}.
===
Please cancel my subscription, the user name is {username}.
Please delete all data that you hold about me, I was registered as {email}.
My trial ended on {date} and I was never asked whether I want to go on.
I still get your newsletter at {email} although I unsubscribed twice.
I cancelled on {date} and you still charged me {amount}.
--
Please confirm this in writing to {email}.
I'd like an answer before {date2}.
My last name is spelt as in {email}.
The account may also be in the name of {other}.
The price on your page still says {amount} a month.
===
I'd like to move our plan from 5 to 12 seats, the account belongs to {company}.
{other} has left our company, please take {email} off the account.
We want to add {other} to our business account at {company}.
Our contract with {company} ends on {date}, can we go on month by month?
--
The contract runs under the name {other2}.
Our contact person is {other2}, phone {phone}.
The plan should begin on {date2}.
{company} has 12 people in {city} who use it every day.
Please send the offer to {email2}.
"""

CONTACTS = """
You can reach me at {phone}.
Please call me on {phone} after 5 pm.
My number is {phone}.
My email is {email}.
Write to me at {email} or call {phone}.
The best way to reach me is {email}.
Please don't call, just email {email}.
If you need anything else, ring {phone} and ask for {other2}.
Could someone call my partner {other2} at {phone}?
My colleague {other2} ({email2}) can help with the details.
Text me at {phone}, I can't take calls at work.
I have tried your hotline four times today and nobody answered.
Can you look into this, please?
Please sort this out as soon as possible.
I'd be grateful for a quick answer.
What happens now?
This is the third time I'm asking.
"""

CLOSINGS = """
Thanks, {first}
Thank you, {name}
Best regards, {name}
Kind regards, {name}, {company}
Best, {first}
Many thanks, {name}
Cheers, {first}
Regards, {name} ({phone})
Sincerely, {name}, {city2}
Thanks in advance!
Thank you.
Thanks a lot for your help.
"""

# Only the held-out rows have these: new ways to say what was seen.
UNSEEN = """
Could you forward this to {other3}, who handled my case on {date2}?
The parcel went to {city} first and has been stuck there since {date2}.
I share the account with {other3}, whose email is {email3}.
According to your driver, {other3} at {address} took it in.
Transfer the amount to my flatmate {other3}, {iban}, please.
The reference is {order} and the invoice went to {company}.
Nothing has happened since I talked to {other3} on {date2}.
My mobile is {phone}, my landline {phone2}.
We are {company}, based in {city}, and order from you every month.
I typed {email} wrong when I registered as {username}.
The login from {ip} was my daughter {other3}, so all is well.
Please put {other3} down as the second contact from {date2}.
"""

NOTHING_TO_MASK = """
How long does delivery usually take?
Is the oak table still available in the larger size?
Do you ship to Norway and Switzerland?
Can I pay in three instalments?
What is the difference between the Basic and the Plus plan?
Which batteries does the remote control need?
Can I change the colour after I have placed an order?
Does the warranty cover water damage?
Do you have a shop that is open on Sundays?
May I return something without the original box?
Are the prices on your page with or without tax?
Will the grey sofa be back in stock before Christmas?
How do I turn off the push notifications?
Is there a student discount?
What are your opening hours during the holidays?
Can I use two vouchers for one order?
Does the {thing} come in other colours?
Is {amount} the final price of the {thing}?
How do I clean the {thing}?
--
Thanks in advance!
Please let me know.
I couldn't find anything about it in the help pages.
A friend of mine would like to know too.
No hurry.
===
The app keeps crashing when I open the settings.
The discount code doesn't work in my basket.
Your website has been very slow since Monday.
The lamp flickers when I dim it below 20 percent.
The washing instructions are missing.
I can't find the button to download my invoices.
The video on the product page doesn't play in Firefox.
The update to version 4.2 removed the dark mode.
Error E-104 comes up every time I try to check out.
The zip of the tent broke on the second day.
I only got 2 of the 3 mugs in the set.
The manual is in German only.
The gift card balance shows $0 although I haven't used it.
The screws are 2 mm too short for the holes.
Chat support closed the window before I could finish typing.
The Aurora headphones lose the connection every ten minutes.
The coupon says 15% off but I only get 10%.
The {thing} smells of plastic even after a week.
You show the {thing} at {amount} but the basket says more.
--
Any idea what I could try?
I'm a bit disappointed, to be honest.
A friend of mine has the same problem.
What can we do about it?
I hope this can be mended.
Thanks for your help.
"""

_SLOT = re.compile(r"\{(\w+)\}")


def lines(block: str) -> list[str]:
    return [line for line in block.strip().splitlines() if line]


def make_rows(random: Random) -> list[dict[str, str]]:
    """Return ROWS distinct rows with `message` and `masked`, in the order that they are kept."""
    rows: list[dict[str, str]] = []
    known: set[str] = set()
    while len(rows) < ROWS:
        row = _row(random, is_held_out=len(rows) >= ROWS - HELD_OUT_ROWS)
        if row["message"] not in known:
            known.add(row["message"])
            rows.append(row)
    return rows


def _row(random: Random, *, is_held_out: bool) -> dict[str, str]:
    if chance(random, SHARE_NOTHING_TO_MASK):
        text = _plain_text(random)
    else:
        text = _text(random, is_held_out=is_held_out)
    text = _with_slips(random, text)
    customer = Customer(random, Pools(SHARE_UNSEEN_VALUES if is_held_out else 0.0))
    message = _SLOT.sub(lambda slot: customer.value(slot[1]), text)
    masked = _SLOT.sub(
        lambda slot: MASKS.get(slot[1].rstrip("23")) or customer.value(slot[1]), text
    )
    if chance(random, 0.09):
        message = message.lower()
        masked = re.sub(r"[^\[\]]+(?![^\[]*\])", lambda part: part[0].lower(), masked)
    return {"message": message, "masked": masked}


def _text(random: Random, *, is_held_out: bool) -> str:
    """Return one to four sentences with slots, and what stands around them."""
    first, then = _topic(random, TOPICS)
    parts = [pick(random, first)]
    if chance(random, 0.35):
        parts.insert(0, pick(random, lines(INTRODUCTIONS)))
    if chance(random, 0.5):
        parts.append(pick(random, then))
    if chance(random, 0.4):
        parts.append(pick(random, lines(CONTACTS)))
    if is_held_out and chance(random, SHARE_UNSEEN_SENTENCES):
        parts[-1] = pick(random, lines(UNSEEN))
    if chance(random, 0.35):
        parts.append(pick(random, lines(CLOSINGS)))
    return _opened(random, parts)


def _plain_text(random: Random) -> str:
    first, then = _topic(random, NOTHING_TO_MASK)
    parts = [pick(random, first)]
    if chance(random, 0.6):
        parts.append(pick(random, then))
    return _opened(random, parts)


def _topic(random: Random, blocks: str) -> tuple[list[str], list[str]]:
    first, _, then = pick(random, blocks.split("===")).partition("--")
    return lines(first), lines(then)


def _opened(random: Random, parts: list[str]) -> str:
    if chance(random, 0.4):
        opener = pick(random, lines(OPENERS))
        parts = [opener, after(opener, parts[0]), *parts[1:]]
    return " ".join(parts)


def _with_slips(random: Random, text: str) -> str:
    """Return the text as somebody in a hurry types it, its slots untouched."""
    if chance(random, 0.08):
        text = text.rstrip(".!")
    if chance(random, 0.05):
        text = text.replace(" please", " pls").replace("Please", "Pls")
    if chance(random, 0.05):
        text = text.replace("'", "")
    if not chance(random, 0.1):
        return text
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if long:
        place = pick(random, long)
        at = 1 + int(random.random() * (len(words[place]) - 2))
        word = words[place]
        words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)
