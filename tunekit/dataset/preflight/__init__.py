"""What is wrong with a data set before anybody pays for it; see the README's table of rules.

`look.Preflight` takes rows while they are rendered; `cells.bad_rows` names those that can't be.
"""
