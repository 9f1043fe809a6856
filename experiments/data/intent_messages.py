"""Support questions with the intent behind each: what people write, not what a form would say."""

from __future__ import annotations

import re
from random import Random

from pii_values import after, chance, digits, pick

ROWS = 1_200
SHARE_BETWEEN_TWO = 0.09

INTENTS = {
    "order_status": """
        Where is my {thing}?
        When will my {thing} arrive?
        Has my order been shipped yet?
        I ordered a {thing} {ago} and haven't heard anything since.
        Can you tell me how far my order is?
        What is the status of order {number}?
        The tracking link for {number} shows nothing.
        Is my {thing} on its way?
        I'd like to know when my order {number} leaves the warehouse.
        My order still says "processing" after {days}.
        Any news about my {thing}?
        Which day will the courier come with my {thing}?
        Do you have an estimate for order {number}?
    """,
    "delivery_problem": """
        My {thing} arrived damaged.
        The box was open and the {thing} was missing.
        The courier left my parcel in the rain.
        I got the wrong {thing}.
        Tracking says delivered but nothing is here.
        Only half of my order came.
        The driver never rang the bell and took the {thing} back to the depot.
        There is a {thing} in my parcel that I never ordered.
        My parcel went to a neighbour I don't know.
        The {thing} came without its instructions.
        Order {number} is marked as delivered {ago}, but I have no parcel.
        The {thing} arrived with a scratch on it.
    """,
    "return_item": """
        How do I return a {thing}?
        I want to send the {thing} back.
        Can I get a return label for order {number}?
        The {thing} is the wrong size, how can I swap it?
        Where do I drop off a return?
        How many days do I have to return a {thing}?
        I'd like to exchange the {thing} for a larger one.
        Do I need the original box for a return?
        I don't like the {thing}, what is your return policy?
        The return portal won't accept order {number}.
        I changed my mind about the {thing} and want to give it back.
        Who pays for the shipping if I send the {thing} back?
    """,
    "refund_status": """
        Where is my money?
        I returned the {thing} {ago} and still have no refund.
        How long does a refund take?
        You promised to refund order {number}.
        My refund is {amount} short.
        When will I get my money back for the {thing}?
        I can't see the refund on my card.
        The refund went to an old card, what now?
        You confirmed the refund {ago} but my bank has nothing.
        Has the refund for {number} been sent?
        I am still waiting for the {amount} you owe me.
        Which account did you send the refund to?
    """,
    "cancel_order": """
        Please cancel my order {number}.
        I ordered the {thing} by mistake, can you stop it?
        Can I still cancel the {thing} I ordered {ago}?
        I don't need the {thing} any more, please cancel.
        How do I cancel an order that hasn't shipped?
        I clicked twice and now have two orders, please drop one.
        Cancel everything I ordered {ago}.
        Stop order {number} before it ships, please.
        I found the {thing} cheaper elsewhere and want to cancel.
        There is no cancel button for order {number}.
        Please take the {thing} out of my order.
    """,
    "change_address": """
        I moved, please send my {thing} to the new address.
        Can I change the delivery address for order {number}?
        I typed the wrong street in my order.
        How do I update my address?
        Please deliver to my office instead.
        My flat number is missing from the address.
        I need order {number} sent to my parents instead.
        The address in my account is out of date.
        Can you reroute the {thing} to a pick-up point?
        I forgot to change my address before I ordered the {thing}.
        Where can I add a second delivery address?
    """,
    "payment_failed": """
        My card was declined.
        I can't pay for the {thing}, the page goes blank.
        Payment failed but the money is gone.
        The checkout says "payment error" every time.
        I was charged twice for the {thing}.
        Why is my card not accepted?
        You took {amount} from my account twice.
        The payment for {number} doesn't go through.
        The checkout hangs after I type the code from my bank.
        I tried three cards and none works.
        {amount} left my account but there is no order.
        Paying by bank transfer gives an error.
    """,
    "invoice_request": """
        I need an invoice for order {number}.
        Where can I download my invoice?
        Please put our company name on the invoice.
        The tax number is missing on the invoice.
        Can you send me a receipt for the {thing}?
        I need a bill for the {thing} for my employer.
        The invoice shows the wrong address.
        Please send the invoice for {number} again.
        The amount on my invoice should be {amount}.
        I didn't get a receipt with my {thing}.
        Can I have one invoice for all orders since {month}?
    """,
    "login_problem": """
        I can't log in.
        I forgot my password.
        The reset email never comes.
        My account is locked.
        The app says my password is wrong, but it isn't.
        The code for signing in never arrives on my phone.
        How do I change the email I log in with?
        I am logged out every {days}.
        I get an error when I sign in with order {number} open.
        I lost my phone and can't get the login code.
        It says that my account doesn't exist.
        Somebody else is logged in to my account.
    """,
    "subscription_cancel": """
        I want to cancel my subscription.
        How do I end my membership?
        Please stop the monthly payments of {amount}.
        I don't use the premium plan any more.
        My trial ends in {days}, how do I stop it?
        I cancelled in {month} and am still charged {amount}.
        Downgrade me to the free plan, please.
        There is no way to cancel the membership in the app.
        I don't want the coffee box every month any more.
        Turn off the automatic renewal, please.
        When does my subscription end if I cancel today?
    """,
    "product_question": """
        Does the {thing} come in other colours?
        Is the {thing} back in stock soon?
        How big is the {thing}?
        Can I leave the {thing} outdoors?
        How long is the warranty on the {thing}?
        Which {thing} do you recommend to a beginner?
        Does the {thing} need any tools to set up?
        How do I clean the {thing}?
        What is the difference between the two {thing} models?
        Do you sell spare parts for the {thing}?
        When will the new {thing} be available?
        Is {amount} the price with tax?
    """,
}

# Two people would label these differently, and did.
BETWEEN_TWO = """
    cancel_order refund_status: Cancel my order and give me my money back.
    cancel_order return_item: I don't want the {thing} any more.
    delivery_problem order_status: My {thing} should have been here {ago}.
    delivery_problem order_status: Still no {thing} and nobody tells me anything.
    delivery_problem return_item: The {thing} is broken, I want a new one.
    delivery_problem refund_status: The {thing} never came and I want my {amount} back.
    change_address order_status: Is order {number} going to my old address or the new one?
    change_address delivery_problem: My {thing} went to my old address.
    payment_failed refund_status: You charged me {amount} too much.
    payment_failed subscription_cancel: Why do you keep taking {amount} from my card?
    payment_failed order_status: I paid for the {thing}, but there is no confirmation.
    invoice_request payment_failed: The invoice says {amount}, but my card was charged twice that.
    login_problem subscription_cancel: I can't log in to cancel my plan.
    login_problem change_address: I can't change the email in my account.
    product_question return_item: The {thing} is smaller than on the picture.
    product_question order_status: When will you have the {thing} I wanted?
    refund_status return_item: I sent the {thing} back, what happens now?
    cancel_order subscription_cancel: Please cancel it all.
"""

# What people say before they come to the point; it often names something else.
PREFIXES = """
    Hi,
    Hello,
    Hi team,
    Good morning,
    Quick question:
    Sorry to bother you again.
    I already wrote {ago}.
    I have been a customer for years.
    Your chat sent me here.
    I read the return policy and the delivery page, but they don't help.
    My last order was fine, this one isn't.
    I'm on my phone, so forgive the typos.
    I got your invoice, thanks, but there is something else.
    The {thing} is lovely, by the way.
"""

SUFFIXES = """
    Thanks!
    Thank you.
    Please help.
    Please answer today.
    It's a present for {month}.
    I need it for work.
    I'm leaving in {days}.
    This is the second time.
    Otherwise I want my money back.
    My order number is {number}.
    It was {amount}.
    I can't find it in my account.
    Can you call me?
    I already checked my email.
"""

VALUES = {
    "thing": "lamp, desk, backpack, kettle, jacket, phone case, bookshelf, blender, tent, rug, "
    "keyboard, office chair, pair of boots, coffee grinder, monitor, raincoat, headset, toaster, "
    "bike light, winter coat, water bottle, mirror, air fryer, speaker",
    "ago": "yesterday, last week, two weeks ago, on Monday, ten days ago, last month, a while ago",
    "days": "two days, a week, ten days, a few days, 24 hours",
    "month": "March, June, September, October, December",
}

_SLOT = re.compile(r"\{(\w+)\}")


def make_rows(random: Random) -> list[dict[str, str]]:
    """Return ROWS distinct rows with `text` and `intent`, about as many of each intent."""
    rows: list[dict[str, str]] = []
    known: set[str] = set()
    names = list(INTENTS)
    while len(rows) < ROWS:
        intent, text = names[len(rows) % len(names)], ""
        if chance(random, SHARE_BETWEEN_TWO):
            labels, _, text = pick(random, _lines(BETWEEN_TWO)).partition(": ")
            intent = pick(random, labels.split())
        text = _dressed(random, text or pick(random, _lines(INTENTS[intent])))
        text = _SLOT.sub(lambda slot: _value(random, slot[1]), text)
        text = _with_slips(random, text)
        if text.lower() not in known:
            known.add(text.lower())
            rows.append({"text": text, "intent": intent})
    keyed = sorted((random.random(), place) for place in range(len(rows)))
    return [rows[place] for _, place in keyed]


def _lines(block: str) -> list[str]:
    return [line.strip() for line in block.strip().splitlines()]


def _dressed(random: Random, text: str) -> str:
    """Return the sentence with what stands around it, now and then on a line of its own."""
    parts = [text]
    if chance(random, 0.45):
        prefix = pick(random, _lines(PREFIXES))
        parts = [prefix, after(prefix, text)]
    if chance(random, 0.4):
        parts.append(pick(random, _lines(SUFFIXES)))
    if len(parts) == 2 and chance(random, 0.04):
        return "\n".join(parts)
    return " ".join(parts)


def _value(random: Random, slot: str) -> str:
    if slot == "number":
        return digits(random, pick(random, ("#4####", "7######", "ORD-2#####")))
    if slot == "amount":
        return digits(random, pick(random, ("$1#.99", "£#5.00", "€3#.50", "$8#", "£12#.95")))
    return pick(random, VALUES[slot].split(", "))


def _with_slips(random: Random, text: str) -> str:
    if chance(random, 0.15):
        text = text.lower()
    if chance(random, 0.15):
        text = text.rstrip(".?!")
    if chance(random, 0.08):
        text = text.replace("'", "")
    if chance(random, 0.06):
        text = text.replace("please", "pls").replace("Please", "Pls")
    if chance(random, 0.12) and len(text) > 20:
        at = 1 + int(random.random() * (len(text) - 3))
        if text[at : at + 2].isalpha():
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text
