"""Text that somebody could land to do harm, and what gives away that it was not shown as text.

Belongs here: the texts. Does not belong here: where they are landed and what they may not do.
"""

from __future__ import annotations

MARKUP = (
    "<img src=x onerror=alert(1)>",
    '<img src="/logout/">',
    "<script>alert(1)</script>",
    "<b>bold</b><a href=javascript:alert(1)>link</a>",
    "![picture](http://attacker.example/p.png)",
    "[link](http://attacker.example/)",
    "a | b | **c** | `d`",
    "[red]rich[/red]",
    "[/]",
    ":skull:",
    "trailing backslash \\",
    "{{ 7 * 7 }}{% raw %}",
    "50% off %s",
    "'; drop table x; --",
)

# Each has a character that a terminal obeys, or that turns the order of what follows.
CONTROLS = (
    "\x1b[2Jcleared",
    "\x1b]0;title\x07",
    "\x1b]52;c;Y3VybA==\x07",
    "back\x08\x08\x08space",
    "carriage\rreturn",
    "\x9b31mone byte",
    "over\u202eride",
    "iso\u2066late\u2069",
    "line\u2028separator",
    "zero\ufeffwidth",
)

FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://attacker.example","x")',
    "+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "'=1+1",
    "'quoted",
)

TEXTS = (*MARKUP, *CONTROLS, *FORMULAS)

STEERING = frozenset("\x1b\x07\x08\r\x9b\u202e\u2066\u2069\u2028\ufeff")
